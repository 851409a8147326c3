"""What is claimed of a technique against its meters: no number contradicts the sentence next to it."""

import asyncio
import json
import re
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from decimal import Decimal

import aiohttp
import pytest
from playwright.sync_api import TimeoutError, expect

from lab.catalogue import MODES, TECHNIQUES, client_side
from lab.clients.link import Link, Refused
from lab.languages import catalogue
from lab.server.pages import i18n
from lab.server.pages.technique import limits
from tests.support.browsing import meters
from tests.support.lab_here import LabHere
from tests.support.wire import eventually

LANGUAGES = ["en", "zh-CN"]
MESSAGES = 15


def per(amount, whole):
    """A cost for each piece; None when there is nothing to divide by."""
    return amount / whole if whole else None


def all_bytes(meter):
    """Both ways."""
    return meter["bytes_in"] + meter["bytes_out"]


MEASURED = {
    "open": lambda m: m["open"] if m["receive"]["requests"] or m["open"] else None,
    "p50": lambda m: m["receive"]["delivery_s"]["p50"],
    "empty_share": lambda m: per(m["receive"]["empty"], m["receive"]["requests"]),
    "head_share": lambda m: per(m["receive"]["head_bytes"], all_bytes(m["receive"])),
    "requests_per_message": lambda m: per(m["receive"]["requests"], m["receive"]["messages"]),
    "framing_per_message": lambda m: per(m["receive"]["framing_bytes"], m["receive"]["messages"]),
    "framing_per_frame": lambda m: per(
        m["receive"]["framing_bytes"], m["receive"]["frames_in"] + m["receive"]["frames_out"]
    ),
    "send_bytes": lambda m: per(all_bytes(m["send"]), m["send"]["messages"]),
    "send_requests_per_message": lambda m: per(m["send"]["requests"], m["send"]["messages"]),
}
"""Each figure of a claim, computed from the contract's meters a second time."""
SOON_S = 0.1
HOLDS = {
    "shortpoll.pro.open": lambda value: value == 0,
    **dict.fromkeys(("longpoll.pro.p50", "jsonp.pro.p50"), lambda value: value <= SOON_S),
    **dict.fromkeys(("iframe.pro.p50", "websocket.pro.p50"), lambda value: value <= SOON_S),
    **dict.fromkeys(
        (f"{mode}.pro.requests_per_message" for mode in ("iframe", "sse", "fetch")), lambda value: value <= 1
    ),
    "sse.pro.framing_per_frame": lambda value: value <= 64,
    "fetch.pro.framing_per_frame": lambda value: value <= 16,
    "websocket.pro.framing_per_frame": lambda value: value <= 14,
    "websocket.pro.send_requests_per_message": lambda value: value <= 0.5,
}
"""When a claim with an amount in it is true, by the words that it has."""
ALWAYS = {
    *("shortpoll.con.empty_share", "shortpoll.con.p50", "shortpoll.con.head_share"),
    *("longpoll.pro.empty_share", "longpoll.con.requests_per_message", "longpoll.con.head_share"),
    *("longpoll.con.open", "jsonp.con.requests_per_message", "jsonp.con.framing_per_message"),
    *("jsonp.con.send_bytes", "iframe.con.framing_per_message", "iframe.con.open", "sse.con.send_bytes"),
    *("sse.con.open", "fetch.con.send_bytes", "fetch.con.open", "websocket.con.open"),
}
"""Claims that say how a technique works, whatever was measured: none of them has an amount in it."""
AMOUNTS = re.compile(
    r"\b(few|many|most|always|never|immediately|nothing)\b|很少|许多|大部分|总是|从不|立刻", re.I
)


def claims():
    """The name of every claim with a figure: `<mode>.<pro or con>.<figure>`."""
    keys = [key.removeprefix("technique.") for key in catalogue("en") if ".pro." in key or ".con." in key]
    return [key for key in keys if not key.endswith(".design")]


def test_every_claim_has_been_judged():
    """A new claim is either true whatever is measured, or has a rule; and each rule is the one meant here."""
    assert set(claims()) == ALWAYS | HOLDS.keys()
    assert limits().keys() == HOLDS.keys()
    for claim, at_most in limits().items():
        assert HOLDS[claim](at_most)
        assert not HOLDS[claim](at_most + 0.01)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_claim_that_is_always_true_speaks_of_no_amount(language):
    """Words such as few, most or never can be wrong, and then they need a rule."""
    for claim in ALWAYS:
        said = catalogue(language)[f"technique.{claim}"]
        assert not AMOUNTS.search(said), said


# Sessions -----------------------------------------------------------------------------------------


async def until(probe, what):
    """Wait until something is so; it is looked up and not asked for."""

    async def answer():
        return probe()

    await eventually(answer, what)


@asynccontextmanager
async def listening(school, mode):
    """One client that receives by a technique, at the end of the history."""
    events, top = [], str(school.lab.context.room.top)
    async with Link(school.address, events.extend, top, interval=0.05, hold=0.1, compress=True) as link:
        task = asyncio.create_task(client_side(mode).listen(link))
        meter = school.lab.context.meters.techniques[mode]
        known = meter.receive.requests
        yield events
        await until(lambda: meter.receive.requests > known or events, "its request is counted")
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await until(lambda: meter.open == 0, "the client is gone")


async def said(school, mode, count=1):
    """So many messages are sent by a technique, on one connection."""
    async with Link(school.address, compress=True) as link:
        for n in range(count):
            message = {"mid": str(uuid.uuid4()), "username": "ann", "body": f"message {n} 你好"}
            await client_side(mode).send(link, message)


async def no_message(school, mode):
    """A client receives, and gets empty answers or heartbeats."""
    meter = school.lab.context.meters.techniques[mode].receive
    count = "frames_out" if TECHNIQUES[mode].verb == "stream" else "empty"
    async with listening(school, mode):
        await until(lambda: getattr(meter, count) >= 2, "it received empty answers")


async def reconnects(school, mode):
    """Clients come and go, say little, and are refused."""
    for _ in range(4):
        async with listening(school, mode):
            pass
    async with listening(school, mode) as events:
        await said(school, mode)
        await until(lambda: events, "it has come")
    for _ in range(3):
        await refused(school, mode)


async def refused(school, mode):
    """A send without a body."""
    async with Link(school.address) as link:
        with suppress(Refused, aiohttp.ClientError):
            await client_side(mode).send(link, {"mid": str(uuid.uuid4()), "username": "ann", "body": ""})


async def many_messages(school, mode):
    """A client stays, and many messages are sent."""
    async with listening(school, mode) as events:
        await said(school, mode, MESSAGES)
        await until(lambda: len(events) >= MESSAGES, "all have come")


async def at_once(school, part):
    """The same for every technique; each client receives what is sent by any of them."""
    await asyncio.gather(*(part(school, mode) for mode in MODES))


async def in_turn(school, part):
    """The same for every technique, and each client receives its own messages only."""
    for mode in MODES:
        await part(school, mode)


SESSIONS = {
    "nothing": ([], {}),
    "no message": ([(at_once, no_message)], {}),
    "reconnects": ([(in_turn, reconnects)], {}),
    "many messages": ([(at_once, many_messages)], {}),
    "compressed": ([(at_once, many_messages), (in_turn, reconnects)], {"compress": True}),
}


@pytest.fixture(scope="module")
def sessions():
    """What the meters say after each session, and after two that would take too long."""
    found = {}
    for name, (parts, settings) in SESSIONS.items():
        # In a thread of its own: the browser may have a loop in this one already.
        with LabHere(heartbeat=0.1, hold=0.1, **settings) as school, ThreadPoolExecutor(1) as other:
            for order, part in parts:
                other.submit(asyncio.run, order(school, part)).result()
            found[name] = meters(school.address)
    found["slow"] = json.loads(json.dumps(found["many messages"]))
    found["in progress"] = json.loads(json.dumps(found["no message"]))
    for mode in MODES:
        found["slow"][mode]["receive"]["delivery_s"]["p50"] = 0.4
        found["in progress"][mode]["open"] = 3
    return found


def test_the_sessions_are_what_they_are_called(sessions):
    """Each of them contradicts some claim, or none: so that the tests below compare something."""
    wrong = {
        name: {claim for claim in HOLDS if judged(claim, found) is False} for name, found in sessions.items()
    }
    slow = {claim for claim in HOLDS if claim.endswith("p50")}  # on a busy machine elsewhere too
    assert wrong["nothing"] == wrong["no message"] == wrong["many messages"] - slow == set()
    assert {"sse.pro.requests_per_message", "websocket.pro.framing_per_frame"} <= wrong["reconnects"]
    assert "websocket.pro.send_requests_per_message" in wrong["reconnects"]
    assert wrong["slow"] == slow
    assert wrong["in progress"] == {"shortpoll.pro.open"}


def judged(claim, found):
    """Whether a claim holds; None when there is nothing to judge by."""
    mode, _, figure = claim.split(".")
    value = MEASURED[figure](found[mode])
    return None if value is None or claim not in HOLDS else HOLDS[claim](value)


# On the pages -------------------------------------------------------------------------------------


def shown(visitor, path):
    """A page of the lab, and a function that gives it other meters than the lab has."""
    page, sockets = visitor.context.new_page(), []
    page.route_web_socket("**/live*", lambda socket: sockets.append(socket))
    page.on("pageerror", lambda error: visitor.complaints.append(str(error)))
    page.goto(visitor.address + path)
    expect(page.locator("#status")).to_have_attribute("data-status", "waiting")
    calm = {"crew": {"ever": False}, "strain": {"bottleneck": False}}
    calm |= {"bet": {"state": "closed"}, "demonstration": {"running": False}}

    def give(found):
        sockets[-1].send(json.dumps({"type": "news", "meters": {"techniques": found}, **calm}))

    return page, give


READ = """() => Object.fromEntries(
    [...document.querySelectorAll(".claims li:has([data-figure])")].map((line) => {
        const figure = line.querySelector("[data-figure]");
        const said = [...line.querySelectorAll("p:not(.measured)")].filter((part) => part.checkVisibility());
        const kind = line.matches(".pro") ? "pro" : "con";
        const words = said.map((part) => part.textContent).join();
        return [`${kind}.${figure.dataset.figure}`, [words, figure.getAttribute("value")]];
    }).sort())"""


@pytest.mark.needs("chromium")
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("mode", MODES)
def test_no_claim_contradicts_its_figure(school, visit, sessions, mode, language):
    """After each session every figure is what its words say, and a claim that it contradicts is not shown."""
    page, give = shown(visit(school.address, language=language), f"/technique/{mode}")
    names = sorted(claim for claim in claims() if claim.startswith(f"{mode}."))
    for name, found in sessions.items():
        give(found)
        lines = {claim.partition(".")[2]: line_of(claim, found, language) for claim in names}
        same = f"(lines) => JSON.stringify(({READ})()) === JSON.stringify(lines)"
        with suppress(TimeoutError):
            page.wait_for_function(same, arg=lines)
        assert page.evaluate(READ) == lines, name


def line_of(claim, found, language):
    """What stands on the page of one claim: the sentence that is true, and the figure as it was measured."""
    figure = claim.rpartition(".")[2]
    value = MEASURED[figure](found[claim.partition(".")[0]])
    key = f"technique.not.{figure}" if judged(claim, found) is False else f"technique.{claim}"
    limit_ms = f"{1000 * limits().get(claim, 0):g}"
    return [i18n.text(language, key, limit_ms=limit_ms), None if value is None else as_script(value)]


def as_script(value):
    """A number as JavaScript writes it."""
    return str(int(value)) if value == int(value) else format(Decimal(repr(value)), "f")


@pytest.mark.needs("chromium")
@pytest.mark.parametrize("name", ["nothing", "no message", "reconnects", "compressed"])
def test_the_comparison_shows_what_the_meters_count(school, visit, sessions, name):
    """The sentence below the lanes is of the kind that the meters are, and no share is more than all."""
    page, give = shown(visit(school.address), "/compare")
    give(sessions[name])
    for mode in MODES:
        page.locator(f"[data-lane={mode}] .sign").click()
        receive = sessions[name][mode]["receive"]
        kind = "silent" if not receive["messages"] else "empty" if receive["empty"] else "framed"
        pattern = catalogue("en")[f"compare.words.{kind if receive['requests'] else 'unused'}"]
        expect(page.locator("#words")).to_contain_text(pattern.rpartition("}")[2])
        useful = page.locator(f"[data-lane={mode}] [data-figure=useful]").get_attribute("value")
        assert (useful is None) == (receive["requests"] == 0)
        assert 0 <= float(useful or 0) <= 1


@pytest.mark.needs("chromium")
def test_an_open_stream_is_in_use_after_a_reset(school, visit, sessions):
    """A reset sets the counts to zero while a stream is open: the page does not call it unused."""
    found = json.loads(json.dumps(sessions["many messages"]))
    found["sse"]["receive"] |= {"requests": 0, "messages": 3}
    found["sse"]["open"] = 1
    page, give = shown(visit(school.address), "/compare")
    give(found)
    page.locator("[data-lane=sse] .sign").click()
    expect(page.locator("#words")).to_contain_text("Server-sent events made 0 requests for 3 messages")
