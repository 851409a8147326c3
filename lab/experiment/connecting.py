"""Listeners that could not connect: how many, why, and what to do; reported apart from lost messages.

Theory and the recorded conditions are for all listeners of a run. So a run without some of them fails, and
has this error instead of figures.
"""

import sys
from collections.abc import Mapping

from lab.errors import CannotStart, LabError

SPARE_FILES = 40
"""Files that a process of simulated clients has open besides its connections: libraries, pipes, a loop."""
LAB_SPARE = 103
"""Files that a lab reserves (`SPARE_DESCRIPTORS`), and three connections of the publisher."""

LIMITS = "start that lab with --limit per_address=0 and --limit connections=0"
FILES = "raise the limit of open files (ulimit -n {files})"
REASONS = {
    "files": ("this system allows no more open files", FILES),
    "ports": ("this system has no local port left", "wait a minute"),
    "full": ("the lab is full (503, too many connections)", f"{LIMITS}, and {FILES}"),
    "rate": ("the lab refuses so many requests (429)", "start that lab with --limit rate=0"),
    "proxy": ("a proxy on the way answers 502 or 504", "check whether the lab behind it is running"),
    "refused": ("nothing listens at that address", "check whether the lab is still running"),
    "tls": ("the certificate is not trusted or TLS failed", "give the lab's --certfile"),
    "name": ("the name of the host is not known", "use its address"),
    "timeout": ("no response arrived in time", "use a shorter round trip"),
    "closed": ("their connections were closed at once or interrupted", f"{FILES}"),
    "answer": ("the lab refused them permanently", "read its log"),
}
"""Why listeners could not connect (`lab.clients.attempts.KINDS`), and what helps."""


class NotConnected(LabError):
    """Some of a run's listeners could not connect."""

    code = "not_connected"

    def __init__(self, out: Mapping[str, int], clients: int) -> None:
        super().__init__(" ".join(sentence(kind, number, clients) for kind, number in out.items()))


def sentence(kind: str, number: int, clients: int) -> str:
    """How many could not connect, why, and what to do."""
    reason, helps = REASONS[kind]
    fewer = f", or use fewer clients (-c {clients - number})" if number < clients else ""
    advice = helps.format(files=enough(clients))
    return f"{number} of {clients} listeners could not connect: {reason}. To change that, {advice}{fewer}."


def enough(clients: int) -> int:
    """A sufficient limit of open files for so many clients: 4096, or a greater power of 2."""
    return max(4096, 1 << (2 * clients + LAB_SPARE).bit_length())


def allow_files(clients: int, relayed: bool, own: bool) -> None:
    """Raise the limit of open files for the processes of a run, which inherit it from this one.

    `relayed`: a relay has two connections for each listener. `own`: the lab is started for the run. Raises
    `CannotStart` when the system does not allow that many.
    """
    if sys.platform == "win32":  # it sets no such limit
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = needs(clients, relayed, own)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
    except (OSError, ValueError) as error:  # above the hard limit, or above that of the whole system
        raise CannotStart(_too_few(clients, relayed, own, soft if hard < 0 else hard)) from error


def needs(clients: int, relayed: bool, own: bool) -> int:
    """Files that the process with most of them has open."""
    connections = 2 * clients if relayed else clients
    return max(connections + SPARE_FILES, clients + LAB_SPARE if own else 0)


def _too_few(clients: int, relayed: bool, own: bool, limit: int) -> str:
    fit = next((fewer for fewer in range(clients, 0, -1) if needs(fewer, relayed, own) <= limit), 0)
    fewer = f", or use fewer clients (-c {fit})" if fit else ""
    return (
        f"{clients - fit} of {clients} listeners could not connect: a process may have {limit} open files "
        f"here, and {needs(clients, relayed, own)} are needed. To change that, "
        f"{FILES.format(files=enough(clients))}{fewer}."
    )
