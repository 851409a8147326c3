"""Starting and ending: what a lab leaves behind, how fast it goes, and what it says when it cannot start."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import tempfile
import time
from pathlib import Path

import pytest
import redis

from tests.support.drafts import draft
from tests.support.lab_process import LabProcess
from tests.support.lab_state import held, meters, publish, top
from tests.support.listeners import POLLING, STREAMING, WAITING, client, each_technique
from tests.support.redis_server import RedisServer, free_port
from tests.support.waiting import wait_until
from tests.support.wire import DEADLINE_S, HOST, Closed, Wire, eventually, fetch

STOP_S = 8.0
"""A drain may take ten seconds; on an idle machine it takes one."""
FOLDERS = "pushlab-redis-*"
private_only = pytest.mark.skipif(os.name == "nt", reason="Windows has no private Redis")
ENDS = {
    "end of input": lambda process: process.process.stdin.close(),
    "SIGINT": lambda process: process.signal(signal.SIGINT),
    "SIGTERM": lambda process: process.signal(signal.SIGTERM),
}
each_end = pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)


@pytest.fixture
def folder():
    """A short path for temporary files: the socket of a private Redis must fit into 108 characters."""
    with tempfile.TemporaryDirectory(prefix="lab-") as path:
        yield Path(path)


def private_redis(folder):
    """The process id of the one private Redis in this folder."""
    (home,) = folder.glob(FOLDERS)
    with redis.Redis(unix_socket_path=str(home / "redis.sock")) as connection:
        return connection.info("server")["process_id"]


def is_gone(pid):
    """Whether the process has ended, or is a zombie that was not yet waited for."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    state = Path(f"/proc/{pid}/stat")
    return state.exists() and state.read_text().rpartition(")")[2].split()[0] == "Z"


# What is left behind ------------------------------------------------------------------------------


@private_only
@each_end
def test_the_private_redis_ends_with_its_lab(end, folder, start_lab):
    """By every way of ending a lab, its private Redis and the folder of that are gone when it is."""
    process = start_lab(environment={"TMPDIR": str(folder)})
    pid = private_redis(folder)
    end(process)
    assert process.wait() == 0
    assert is_gone(pid)
    assert list(folder.iterdir()) == []


@private_only
def test_a_killed_labs_redis_is_ended_by_the_next_lab(folder, start_lab):
    """After kill -9 the private Redis lives on, until the next start finds it and ends it."""
    environment = {"TMPDIR": str(folder)}
    killed = start_lab(environment=environment)
    pid = private_redis(folder)
    killed.kill()
    assert not is_gone(pid)
    start_lab(environment=environment)
    wait_until(lambda: is_gone(pid), "the orphan is gone")
    assert private_redis(folder) != pid


@private_only
def test_a_start_spares_the_redis_of_a_living_lab(folder, start_lab):
    """A second lab on the same machine does not end the first one's Redis."""
    first = start_lab(environment={"TMPDIR": str(folder)})
    pid = private_redis(folder)
    start_lab(environment={"TMPDIR": str(folder)})
    assert len(list(folder.glob(FOLDERS))) == 2
    assert not is_gone(pid)
    assert len(asyncio.run(publish(first.port, 3))) == 3


@private_only
def test_a_start_survives_rubbish_in_the_folder(folder, start_lab):
    """Empty and half-made folders of dead labs are no obstacle."""
    for name in ("pushlab-redis-empty", "pushlab-redis-locked"):
        (folder / name).mkdir()
    (folder / "pushlab-redis-locked" / "lock").touch()
    (folder / "pushlab-redis-file").touch()
    process = start_lab(environment={"TMPDIR": str(folder)})
    assert len(asyncio.run(publish(process.port, 1))) == 1


@private_only
def test_a_lab_that_cannot_listen_leaves_no_redis(folder):
    """A lab that does not get its port takes its private Redis along."""
    with socket.create_server((HOST, 0)) as busy:
        refused = LabProcess(environment={"TMPDIR": str(folder)}, port=busy.getsockname()[1])
        assert refused.wait() == 3
        refused.stop()
    assert list(folder.iterdir()) == []


@pytest.mark.needs("redis-server")
@each_end
def test_a_measured_room_leaves_no_key(end, redis_server, start_lab):
    """A lab for a measured run leaves nothing of its room in a shared Redis, and nothing else is touched."""
    redis_server.client.flushall()
    redis_server.client.set("pushlab:room", "another program's")
    process = start_lab(redis=redis_server.url, room="run-1")
    asyncio.run(publish(process.port, 5))
    assert len(redis_server.client.keys("pushlab:run-1*")) > 1
    end(process)
    assert process.wait() == 0
    assert redis_server.client.keys("*") == [b"pushlab:room"]


# How it goes --------------------------------------------------------------------------------------


@each_end
def test_a_full_lab_is_empty_in_time(end, start_lab):
    """With open streams, held polls, idle connections and half requests a lab still ends in time."""
    process = start_lab()
    asyncio.run(fill(process.port))
    began = time.monotonic()
    end(process)
    assert process.wait() == 0
    assert time.monotonic() - began < STOP_S


async def fill(port):
    """Open ten of everything, and leave it open."""
    place = await top(port)
    for mode in (*WAITING, *STREAMING):
        listeners = [await client(mode, port).connect(place) for _ in range(10)]
        for listener in listeners if mode in WAITING else ():
            await listener.ask()
        await eventually(lambda mode=mode: is_held(port, mode, 10), f"ten {mode}")
    for beginning in (b"", b"GET /longp", b"POST /sse HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{"):
        await (await Wire.open(port)).send(beginning)
    await (await Wire.open(port)).ask("GET", "/shortpoll")


async def is_held(port, mode, count):
    """Whether so many receive requests are open."""
    return await held(port, mode) == count


def test_a_listener_that_does_not_read_does_not_hold_the_lab(start_lab):
    """A client whose connection is full of unread messages is left behind after a moment."""
    process = start_lab()
    asyncio.run(stuff(process.port))
    began = time.monotonic()
    process.signal(signal.SIGTERM)
    assert process.wait() == 0
    assert time.monotonic() - began < STOP_S


async def stuff(port):
    """Open a stream of each kind, read nothing of it, and fill it."""
    for mode in STREAMING:
        await client(mode, port, takes=4096).connect("latest")
    await publish(port, 300, "😀" * 490)


BEGINNINGS = {
    "nothing": b"",
    "half a line": b"GET /shortp",
    "half a head": b"GET /shortpoll HTTP/1.1\r\nHost: a\r\n",
    "half a body": b"POST /sse HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{",
    "half a second head": b"GET /shortpoll HTTP/1.1\r\nHost: localhost\r\n\r\nGET /shortp",
}


async def test_a_slow_request_is_not_waited_for(start_lab):
    """Heads and bodies that do not end in time end their connections, also when they come drop by drop."""
    process = start_lab(patience=1.0)
    idle, poll, stream = await bystanders(process.port)
    slow = {name: await Wire.open(process.port) for name in BEGINNINGS}
    for name, wire in slow.items():
        await wire.send(BEGINNINGS[name])
    dripping = await Wire.open(process.port)
    assert await hangs_up(dripping, drop=b"x")
    assert {name: await hangs_up(wire) for name, wire in slow.items()} == dict.fromkeys(slow, True)
    assert (await idle.ask("GET", "/shortpoll")).status == 200
    await all_hear(process.port, poll, stream)


async def test_an_idle_connection_is_not_kept(start_lab):
    """A connection that has been idle between requests for too long is ended; held polls and streams stay."""
    process = start_lab(idle=1.0)
    idle, poll, stream = await bystanders(process.port)
    assert await hangs_up(idle)
    await all_hear(process.port, poll, stream)


@pytest.mark.skipif(os.name == "nt", reason="Windows cannot pause a process")
async def test_what_comes_too_early_waits_outside(start_lab):
    """While a poll is held its client may send what it likes: the lab takes in little of it."""
    process = start_lab()
    poll = await client("longpoll", process.port).connect(await top(process.port))
    await poll.ask()
    await eventually(lambda: is_held(process.port, "longpoll", 1), "the poll is held")
    before = (await meters(process.port))["total"]["bytes_in"]
    process.signal(signal.SIGSTOP)  # so that there is much to be had at once
    flood = poll.receiving[-1].socket
    await eventually(lambda: is_full(flood), "the client's own socket takes no more")
    process.signal(signal.SIGCONT)
    (id_,) = await publish(process.port, 1)
    await poll.take_answer()
    assert poll.ids == [id_]
    assert (await meters(process.port))["total"]["bytes_in"] - before < 200_000


async def is_full(connection):
    """Whether a socket takes no more; until it does not, it gets more."""
    with contextlib.suppress(BlockingIOError):
        for _ in range(16):
            connection.send(b"x" * 65536)
        return False
    return True


async def bystanders(port):
    """A kept-alive connection that has had its answer, a held poll and a stream."""
    idle = await Wire.open(port)
    await idle.ask("GET", "/shortpoll")
    poll, stream = [await client(mode, port).connect(await top(port)) for mode in ("longpoll", "websocket")]
    await poll.ask()
    return idle, poll, stream


async def hangs_up(wire, drop=b""):
    """Whether the lab ends this connection, into which a byte falls now and then."""
    async with asyncio.timeout(DEADLINE_S):
        with contextlib.suppress(Closed, ConnectionError):
            while True:
                await wire.send(drop)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(wire.more(), 0.05)
    return True


async def all_hear(port, *listeners):
    """Every listener receives something new."""
    (id_,) = await publish(port, 1)
    for listener in listeners:
        await listener.receive_until(id_)


async def test_every_listener_gets_a_bye_before_the_lab_closes(start_lab):
    """A hundred held polls are all answered with a bye, none is cut off."""
    process = start_lab()
    place = await top(process.port)
    listeners = [await client("longpoll", process.port).connect(place) for _ in range(100)]
    for listener in listeners:
        await listener.ask()
    await eventually(lambda: is_held(process.port, "longpoll", 100), "a hundred held polls")
    process.signal(signal.SIGTERM)
    for listener in listeners:
        await listener.take_answer()
    assert [listener.kinds for listener in listeners] == [["bye"]] * 100
    assert len({listener.events[0]["retry_ms"] for listener in listeners}) > 10


@pytest.mark.needs("redis-server")
def test_a_send_in_flight_gets_its_answer(start_lab):
    """While Redis hangs a lab is asked to end: the sender that waits still gets the answer `unknown`."""
    server = RedisServer()
    process = start_lab(redis=server.url)
    try:
        answer = asyncio.run(send_and_end(process, server))
        assert (answer.status, answer.json["stored"]) == (503, "unknown")
        assert process.wait() == 0
    finally:
        server.stop()


async def send_and_end(process, server):
    """Begin to send while Redis hangs, and ask the lab to end; returns the answer."""
    wire = await Wire.open(process.port)
    await wire.ask("GET", "/shortpoll")  # from here on the lab has this connection
    server.freeze()
    body = json.dumps(draft()).encode()
    await wire.request("POST", "/sse", {"Content-Type": "application/json"}, body)
    process.signal(signal.SIGTERM)
    return await wire.read_answer()


# When it cannot start -----------------------------------------------------------------------------


def cannot_start(**settings):
    """Try to start a lab; returns the reason it gave."""
    refused = LabProcess(**settings)
    code = refused.wait()
    refused.stop()
    assert code == 3
    assert refused.stderr() == ""
    return refused.greeting["error"]


def test_a_busy_port_is_reported_and_exit_3():
    """A port that is in use is named, in one line of JSON, and the exit code is 3."""
    with socket.create_server((HOST, 0)) as busy:
        port = busy.getsockname()[1]
        assert str(port) in cannot_start(port=port)


def test_a_missing_redis_is_reported_and_exit_3():
    """A Redis that was asked for and does not answer is named, and nothing else is tried in its place."""
    url = f"redis://{HOST}:{free_port()}/0"
    assert url in cannot_start(redis=url)


def test_a_password_is_not_printed():
    """The message about a Redis that does not answer keeps its password."""
    said = cannot_start(redis=f"redis://teacher:secret@{HOST}:{free_port()}/0")
    assert "secret" not in said


@pytest.mark.parametrize("url", ["nonsense", "http://example.com", "redis://", "unix:///no/such/socket"])
def test_a_redis_url_that_is_none_is_exit_3(url):
    """What is no address of a Redis is refused like one that does not answer."""
    if url == "redis://" and somebody_has_the_usual_port():
        pytest.skip("there is a Redis at the usual place")
    assert cannot_start(redis=url)


def somebody_has_the_usual_port():
    """Whether something listens at the usual place of a Redis."""
    with socket.socket() as probe:
        return probe.connect_ex((HOST, 6379)) == 0


def test_an_address_of_another_machine_is_exit_3():
    """An address that this machine does not have is named."""
    assert "192.0.2.1" in cannot_start(host="192.0.2.1")


# Redis goes and comes -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def outage():
    """A lab whose Redis was killed and came back: what each technique's sender and listener met with."""
    server = RedisServer(log=True)
    process = LabProcess(redis=server.url)
    yield asyncio.run(go_through(process, server))
    process.stop()
    server.stop()


async def go_through(process, server):
    """Kill Redis, send by every technique, look at the health, start it again, send again."""
    port, words = process.port, (*POLLING, *STREAMING)
    await publish(port, 2)
    place = await top(port)
    listeners = {mode: await client(mode, port).connect(place) for mode in words}
    server.kill()
    await eventually(lambda: answers(port, "/readyz", 503), "the lab notices")
    met = {mode: {"refused": await client(mode, port).send(f"refused {mode}")} for mode in words}
    met["health"] = [(await fetch(port, "GET", path)) for path in ("/healthz", "/readyz", "/shortpoll")]
    server.start()
    await eventually(lambda: answers(port, "/readyz", 200), "the lab is ready again")
    ids = [(await client(mode, port).send(f"sent {mode}")).id for mode in words]
    for mode, listener in listeners.items():
        await listener.receive_until(ids[-1])
        met[mode] |= {"received": listener.events, "ids": listener.ids, "sent": ids}
    return met


async def answers(port, path, status):
    """Whether this path is answered with this status."""
    return (await fetch(port, "GET", path)).status == status


@pytest.mark.needs("redis-server")
@each_technique
def test_a_send_without_redis_is_refused_with_the_reason(mode, outage):
    """While Redis is gone a send is refused with 503, and says that the message is not stored."""
    receipt = outage[mode]["refused"]
    assert receipt.status == (None if mode == "websocket" else 503)
    assert receipt.answer["error"]["code"] == "history_unavailable"
    assert receipt.answer["stored"] is False


@pytest.mark.needs("redis-server")
@each_technique
def test_a_listener_sits_through_an_outage(mode, outage):
    """A listener receives everything sent after Redis came back, once, and nothing that was refused."""
    assert outage[mode]["ids"] == outage[mode]["sent"]
    assert {event["type"] for event in outage[mode]["received"]} == {"message"}
    assert all(event["body"].startswith("sent") for event in outage[mode]["received"])


@pytest.mark.needs("redis-server")
def test_health_distinguishes_alive_from_ready(outage):
    """Without Redis the lab is alive but not ready, says why, and still serves what it has kept."""
    alive, ready, kept = outage["health"]
    assert (alive.status, ready.status, kept.status) == (200, 503, 200)
    assert ready.json["reasons"] == ["history_unavailable"]
    assert len(kept.json["messages"]) == 2
