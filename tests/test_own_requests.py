"""A page sees the bytes of its own receive requests on `/live`, and of no others."""

import uuid

import pytest

from tests.support.kept_bytes import passed_text
from tests.support.lab_here import LabHere
from tests.support.lab_state import publish
from tests.support.listeners import client, each_technique
from tests.support.live_page import LivePage


@pytest.fixture(scope="module")
def school():
    """A lab whose polls end soon."""
    with LabHere(hold=0.5) as school:
        yield school


async def followed(school, name):
    """A page that is followed under a name; it has its answer."""
    page = await LivePage.open(school)
    assert (await page.ask(type="follow", **{"as": name}))["type"] == "followed"
    return page


@each_technique
async def test_a_page_sees_its_own_request_while_another_has_the_lane(mode, school):
    """Of two listeners of one technique the second sees the message in its own response."""
    first = await client(mode, school.lab.port, username="first").connect("latest")
    name = str(uuid.uuid4())
    page = await followed(school, name)
    second = await client(mode, school.lab.port, username=name).connect("latest")
    ids = await publish(school.lab.port, 1, "for both")
    await second.receive_until(ids[-1])
    found = await page.ask(type="own", lane=mode)
    assert "for both" in passed_text(found, False)
    assert "first" not in passed_text(found, True)
    assert found["units"]
    page.wire.abort()
    await first.leave()
    await second.leave()


async def test_a_listener_with_a_client_id_is_never_followed(school):
    """Presence shows client ids and usernames to everybody, so they open nothing."""
    known = str(uuid.uuid4())
    page = await followed(school, known)
    victim = await client("sse", school.lab.port, client=known, username="Li Lei").connect("latest")
    ids = await publish(school.lab.port, 1, "not yours")
    await victim.receive_until(ids[-1])
    assert await page.ask(type="own", lane="sse") == {"type": "own", "lane": "sse"}
    page.wire.abort()
    await victim.leave()


@pytest.mark.parametrize("name", [None, 7, "Li Lei", "", [], {}, "a" * 5000])
async def test_a_name_that_is_no_uuid_is_not_followed(school, name):
    """A username can be guessed; a UUID that only the page knows cannot. Nothing is answered."""
    page = await LivePage.open(school)
    await page.tell(type="follow", **{"as": name})
    await page.tell(type="own", lane="sse")
    assert (await page.ask(type="clock", at=1))["type"] == "clock"
    page.wire.abort()


async def test_a_name_is_followed_for_one_page_only(school):
    """A second page cannot follow the same name, until the first is closed."""
    name = str(uuid.uuid4())
    page, other = await followed(school, name), await LivePage.open(school)
    await other.tell(type="follow", **{"as": name})
    assert (await other.ask(type="clock", at=1))["type"] == "clock"
    assert list(school.lab.context.recorder.followed).count(name) == 1
    page.wire.abort()
    other.wire.abort()
