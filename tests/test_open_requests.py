"""Requests that wait or stream: how they end, what a closing server sends, and signs of life."""

import asyncio
import signal
import time
from email.utils import parsedate_to_datetime

import pytest

from tests.support.lab_process import LabProcess
from tests.support.lab_state import here, is_held, publish
from tests.support.listeners import POLLING, STREAMING, WAITING, client, each_technique
from tests.support.wire import HOST, Closed, Wire, fetch, request_head

# Leaving ------------------------------------------------------------------------------------------


@each_technique
async def test_leaving_frees_the_place(mode, lab):
    """An open receive request is counted as open, and no longer once its client has left."""
    listener = await client(mode, lab.port).connect("latest")
    await (listener.ask() if mode in WAITING else asyncio.sleep(0))
    await is_held(lab.port, mode, 0 if mode == "shortpoll" else 1)
    listener.abort()
    await is_held(lab.port, mode, 0)


@pytest.mark.parametrize("mode", POLLING)
async def test_a_thousand_aborted_polls_leave_nothing_open(mode, lab):
    """A thousand clients that ask and vanish leave no request open, and the lab answers as before."""
    place = await here(lab.port)
    for _ in range(10):
        await asyncio.gather(*(ask_and_vanish(mode, lab.port, place) for _ in range(100)))
    await is_held(lab.port, mode, 0)
    assert (await client(mode, lab.port).send("still here")).answer["duplicate"] is False


async def ask_and_vanish(mode, port, after):
    """Ask, and drop the connection without waiting for the answer."""
    poller = client(mode, port)
    poller.cursor = after
    await poller.ask()
    poller.abort()


@pytest.mark.parametrize("mode", STREAMING)
async def test_a_hundred_aborted_streams_leave_nothing_open(mode, lab):
    """A hundred listeners that vanish in the middle of a stream leave nothing open."""
    listeners = [await client(mode, lab.port).connect("latest") for _ in range(100)]
    await is_held(lab.port, mode, 100)
    for listener in listeners:
        listener.abort()
    await is_held(lab.port, mode, 0)


@pytest.fixture(scope="module")
def farewell():
    """Listeners of all techniques at a lab that is ended: what each received, and the lab's exit code."""
    process = LabProcess()
    listeners = asyncio.run(read_to_the_end(process))
    yield listeners, process.wait()
    process.stop()


async def read_to_the_end(process):
    """Listen by all techniques while the lab gets SIGTERM; returns what each received."""
    await publish(process.port, 1)
    place = await here(process.port)
    listeners = {mode: await client(mode, process.port).connect(place) for mode in (*WAITING, *STREAMING)}
    for mode in WAITING:
        await listeners[mode].ask()
        await is_held(process.port, mode)
    client_id = listeners["shortpoll"] = await client("shortpoll", process.port).connect(place)
    await client_id.poll()
    process.signal(signal.SIGTERM)
    await asyncio.gather(*(to_the_end(listener) for listener in listeners.values()))
    return listeners


async def to_the_end(listener):
    """Take everything until the lab has closed the connection."""
    try:
        await (listener.take_answer() if listener.mode in WAITING else listener.step())
        while True:
            await listener.step()
    except (Closed, ConnectionError):
        return


@pytest.mark.parametrize("mode", [*WAITING, *STREAMING])
def test_a_closing_server_sends_a_bye(mode, farewell):
    """On SIGTERM every held request receives one bye event, with the time to reconnect, and ends."""
    listeners, _ = farewell
    (event,) = listeners[mode].events
    assert event.keys() == {"type", "retry_ms"}
    assert event["type"] == "bye"
    assert isinstance(event["retry_ms"], int)
    assert 0 < event["retry_ms"] <= 10_000


def test_a_leaving_server_closes_a_websocket_with_1012(farewell):
    """The WebSocket close code is 1012, service restart: come back."""
    listeners, _ = farewell
    assert listeners["websocket"].close_code == 1012


def test_a_leaving_server_ends_its_answers_properly(farewell):
    """The endless answers end with their last chunk: nothing is cut off."""
    listeners, _ = farewell
    assert all(bytes(listeners[mode].receiving[0].received).endswith(b"\r\n0\r\n\r\n") for mode in ENDLESS)


def test_a_leaving_server_is_gone_with_exit_code_0(farewell):
    """A lab that was asked to end exits with 0."""
    _, code = farewell
    assert code == 0


ENDLESS = [mode for mode in STREAMING if mode != "websocket"]
"""Streams whose end is the end of an answer."""


@pytest.fixture(scope="module")
def leaving():
    """Pollers that ask while the lab closes, on open connections, and what /readyz answers then."""
    process = LabProcess()
    yield asyncio.run(ask_while_leaving(process))
    process.stop()


async def ask_while_leaving(process):
    """Make the lab wait for a client that does not read, ask it to end, and poll once more by each poll."""
    port, place = process.port, await here(process.port)
    await client("sse", port, takes=4096).connect("latest")
    ids = await publish(port, 300, "😀" * 490)
    pollers = {mode: await client(mode, port).connect(place) for mode in POLLING}
    for poller in pollers.values():
        await poller.receive_until(ids[-1])
    health = await Wire.open(port)
    streams = [await Wire.open(port) for _ in ENDLESS]
    process.signal(signal.SIGTERM)
    while (ready := await health.ask("GET", "/readyz")).status == 200:
        pass
    for mode, stream in zip(ENDLESS, streams, strict=True):
        await stream.send(request_head("GET", f"/{mode}?after=latest", {"Host": HOST}, 0))
    await asyncio.gather(*(poller.poll() for poller in pollers.values()), return_exceptions=True)
    await asyncio.gather(*(stream.close() for stream in streams))
    return pollers, ready.json, dict(zip(ENDLESS, streams, strict=True))


@pytest.mark.parametrize("mode", POLLING)
def test_a_request_to_a_closing_server_gets_a_bye(mode, leaving):
    """A poll that reaches the server while it is leaving is answered at once, with a bye."""
    pollers, _, _ = leaving
    assert pollers[mode].kinds[-2:] == ["message", "bye"]


@pytest.mark.parametrize("mode", ENDLESS)
def test_a_stream_request_to_a_closing_server_ends_at_once(mode, leaving):
    """A stream that begins while the server is leaving has a bye, and a proper end."""
    _, _, streams = leaving
    received = bytes(streams[mode].received)
    assert b"retry_ms" in received and received.endswith(b"\r\n0\r\n\r\n")


def test_a_leaving_server_is_not_ready(leaving):
    """While it closes the server reports that it accepts no more work."""
    _, ready, _ = leaving
    assert (ready["ready"], ready["reasons"]) == (False, ["draining"])


# Silence ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def silence(hasty_lab):
    """Listeners of all streaming techniques who listened until something came, although nothing was sent."""
    return asyncio.run(listen_to_nothing(hasty_lab.port))


async def listen_to_nothing(port):
    """Connect by each streaming technique and wait for one sign of life on each."""
    listeners = {mode: await client(mode, port).connect("latest") for mode in STREAMING}
    await asyncio.gather(*(first_sign(listener) for listener in listeners.values()))
    return listeners


async def first_sign(listener):
    """Take what comes until it is a sign of life."""
    while not listener.heartbeats:
        await listener.step()


@pytest.mark.parametrize("mode", STREAMING)
def test_a_silent_stream_shows_signs_of_life(mode, silence):
    """A stream on which nothing is sent gets heartbeats, which are no events."""
    listener = silence[mode]
    assert listener.events == []
    assert listener.heartbeats >= 1
    assert len(listener.receiving[0].received) < 1000


@pytest.mark.parametrize("mode", WAITING)
async def test_a_held_question_times_out_with_an_empty_answer(mode, hasty_lab):
    """When nothing happens up to the server's limit, the answer is empty, with the cursor asked with."""
    place = await here(hasty_lab.port)
    poller = await client(mode, hasty_lab.port).connect(place)
    began = time.monotonic()
    await poller.poll()
    assert 0.45 < time.monotonic() - began < 5
    assert (poller.events, poller.cursor) == ([], place)


@pytest.mark.parametrize("mode", WAITING)
async def test_hold_shortens_the_wait(mode, lab):
    """`hold=0.2` is answered empty after 0.2 seconds, although the server would wait 25."""
    poller = await client(mode, lab.port).connect(await here(lab.port))
    began = time.monotonic()
    await poller.poll(hold="0.2")
    assert 0.15 < time.monotonic() - began < 5
    assert poller.events == []


@pytest.mark.parametrize("mode", WAITING)
async def test_hold_is_never_above_the_servers_own_limit(mode, hasty_lab):
    """However long a client would wait, it is answered when the server's limit is reached."""
    place = await here(hasty_lab.port)
    pollers = [await client(mode, hasty_lab.port).connect(place) for _ in range(3)]
    holds = ("60", "1e300", "inf")
    await asyncio.gather(*(poller.poll(hold=hold) for poller, hold in zip(pollers, holds, strict=True)))
    assert [poller.events for poller in pollers] == [[], [], []]


@pytest.mark.parametrize("mode", WAITING)
async def test_hold_0_is_a_short_poll(mode, lab):
    """`hold=0` is answered at once, with what there is."""
    poller = await client(mode, lab.port).connect(await here(lab.port))
    await poller.poll(hold="0")
    assert poller.events == []
    ids = await publish(lab.port, 2)
    await poller.poll(hold="0")
    assert poller.ids == ids


@pytest.mark.parametrize("mode", WAITING)
async def test_a_held_answer_bears_the_date_of_its_own_moment(mode, lab):
    """The Date of an answer is when it was given, not when it was asked for (RFC 9110 section 6.6.1)."""
    asked = time.time()
    target = f"/{mode}?hold=1.1&callback=f&after={await here(lab.port)}"
    date = (await fetch(lab.port, "GET", target)).headers["date"]
    assert parsedate_to_datetime(date).timestamp() > asked


@pytest.mark.parametrize("mode", WAITING)
async def test_a_held_question_in_http_1_0_may_keep_its_connection(mode, lab):
    """HTTP/1.0 with `keep-alive` gets `keep-alive` in the answer, however long the wait was."""
    target = f"/{mode}?hold=0.2&callback=f&after={await here(lab.port)}"
    wire = await Wire.open(lab.port)
    for _ in range(2):
        await wire.send(f"GET {target} HTTP/1.0\r\nHost: {HOST}\r\nConnection: Keep-Alive\r\n\r\n".encode())
        answer = await wire.read_answer()
        assert (answer.status, answer.headers["connection"].lower()) == (200, "keep-alive")
    await wire.close()


@pytest.mark.parametrize("mode", WAITING)
async def test_one_message_answers_every_held_request(mode, lab):
    """Fifty held questions are all answered by one message."""
    place = await here(lab.port)
    pollers = [await client(mode, lab.port).connect(place) for _ in range(50)]
    for poller in pollers:
        await poller.ask()
    await is_held(lab.port, mode, 50)
    ids = await publish(lab.port, 1)
    await asyncio.gather(*(poller.take_answer() for poller in pollers))
    assert all(poller.ids == ids for poller in pollers)
