"""Tests whose result depends on time by nature: they have three tries."""

import functools

TRIES = 3


def if_the_lab_stood_still(test):
    """Try a test again: a proxy with a timeout of a second rightly cuts a lab that stood still so long.

    The test promises what happens on a machine that does not stand still. A fault of the lab fails each try.
    """

    @functools.wraps(test)
    async def tried(**arguments):
        for _ in range(TRIES - 1):
            try:
                return await test(**arguments)
            except AssertionError as error:
                print(f"Tried again after {error}")
        return await test(**arguments)

    return tried
