"""Too many sends and too many connections: refused in the technique's own way, and the lab goes on."""

import asyncio
import json
import sys
import time
import zlib
from collections import Counter
from contextlib import asynccontextmanager

import pytest

from tests.support.drafts import draft
from tests.support.framings import CLOSE, TEXT, ServerSentEvents, client_frame, read_frame
from tests.support.lab_process import LabProcess
from tests.support.lab_state import history
from tests.support.listeners import client, each_technique, handshake
from tests.support.routes import watch
from tests.support.wire import JSON, Closed, Wire, eventually, fetch

# Sends --------------------------------------------------------------------------------------------


@each_technique
async def test_a_mid_reveals_nothing_about_its_message(mode, lab):
    """A client that repeats another client's mid gets the id but not the message, and changes nothing."""
    first = await client("shortpoll", lab.port).send("a secret", "ann")
    mid = next(m["mid"] for m in (await history(lab.port))["messages"] if m["id"] == first.id)
    answer = (await client(mode, lab.port).send("nosy", "eve", mid=mid)).answer
    assert {name: value for name, value in answer.items() if name not in ("type", "mid")} == {
        "id": first.id,
        "duplicate": True,
    }
    assert "nosy" not in str(await history(lab.port))


@pytest.fixture(scope="module")
def strict():
    """The port of a lab with the usual limits."""
    process = LabProcess(limits={})
    yield process.port
    process.stop()


async def test_a_flood_over_http_is_refused(strict):
    """Of hundreds of sends at once the burst is taken, and the rest refused with a time to come back."""
    wire, body = await Wire.open(strict), json.dumps(draft()).encode()
    for _ in range(300):
        await wire.request("POST", "/sse", JSON, json.dumps(draft("flood", "flooder")).encode())
    answers = [await wire.read_answer() for _ in range(300)]
    taken = sum(answer.status == 201 for answer in answers)
    assert 10 <= taken < 100
    assert {answer.status for answer in answers} == {201, 429}
    assert all(int(a.headers["retry-after"]) >= 1 for a in answers if a.status == 429)
    assert (await fetch(strict, "POST", "/sse", JSON, body)).status == 201


async def test_a_flood_over_a_socket_ends_it(strict):
    """A WebSocket that exceeds its send rate too often is closed with 4029; the others stay open."""
    calm = await client("websocket", strict).connect("latest")
    listener = await client("websocket", strict).connect("latest")
    flood = [client_frame(TEXT, json.dumps(draft("flood", "eve")).encode()) for _ in range(1000)]
    await listener.wire.send(b"".join(flood))
    frames = [await read_frame(listener.wire)]
    while frames[-1].opcode != CLOSE:
        frames.append(await read_frame(listener.wire))
    refused = [frame for frame in frames if b'"rate_limited"' in frame.payload]
    assert frames[-1].close_code == 4029
    assert 50 <= len(refused) <= 100
    assert (await calm.send("still here", "ann")).answer["type"] == "ack"


async def test_a_flood_over_the_socket_of_the_pages_ends_it(strict):
    """A page that sends too much on `/live` is refused, and then closed with 4029; other pages are not."""
    calm, listener = await watch(strict), await watch(strict)
    question = client_frame(TEXT, b'{"type":"clock","at":1}')
    await listener.send(question * 1000)
    replies = Counter()
    while (frame := await read_frame(listener)).opcode != CLOSE:
        said = json.loads(frame.payload)
        replies[said.get("error", said).get("code", said["type"])] += 1
    assert frame.close_code == 4029
    assert 40 <= replies["clock"] < 500 and replies["rate_limited"] == 50
    await calm.send(question)
    while json.loads((await read_frame(calm)).payload)["type"] != "clock":
        pass


async def test_a_compression_bomb_is_closed_and_costs_nothing(start_lab):
    """A small frame that unpacks to 60 MB closes its socket with 1009, and the memory stays as it was."""
    process = start_lab(compress=True)
    squeeze = zlib.compressobj(wbits=-15)
    bomb = (squeeze.compress(b"0" * 16) + squeeze.compress(bytes(60_000_000)) + squeeze.flush())[:-4]
    before = (await fetch(process.port, "GET", "/healthz")).json["process"]["rss_bytes"]
    for _ in range(5):
        wire = await Wire.open(process.port)
        offer = {"Sec-WebSocket-Extensions": "permessage-deflate"}
        await wire.request("GET", "/websocket?after=latest", handshake() | offer)
        assert "permessage-deflate" in (await wire.read_head()).headers["sec-websocket-extensions"]
        await wire.send(client_frame(TEXT, bomb[:16_000], 0xC0))
        frame = await read_frame(wire)
        assert (frame.opcode, frame.close_code) == (CLOSE, 1009)
    after = (await fetch(process.port, "GET", "/healthz")).json["process"]["rss_bytes"]
    assert after - before < 20_000_000


async def test_what_a_client_claims_of_its_address_is_not_believed(strict):
    """With a new X-Forwarded-For for each send one is still one client."""
    wire, answers = await Wire.open(strict), []
    for n in range(30):
        headers = JSON | {"X-Forwarded-For": f"10.0.0.{n}", "X-Real-IP": f"10.0.1.{n}"}
        body = json.dumps(draft("many", "claimant")).encode()
        answers.append(await wire.ask("POST", "/longpoll", headers, body))
    assert 429 in {answer.status for answer in answers}


# Too many connections -----------------------------------------------------------------------------


@pytest.fixture
def small():
    """A lab that takes three connections."""
    process = LabProcess(limits={"connections": 3})
    yield process.port
    process.stop()


async def test_an_eventsource_that_finds_no_place_comes_back(small):
    """EventSource is refused inside a stream, with a time to return: any other status ends it for ever."""
    listeners = [await Wire.open(small) for _ in range(3)]
    for listener in listeners:
        assert (await listener.ask("GET", "/healthz")).status == 200
    answer = await fetch(small, "GET", "/sse", {"Accept": "text/event-stream"})
    assert (answer.status, answer.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    stream = ServerSentEvents()
    [(kind, data, _)] = stream.feed(answer.body)
    assert (kind, json.loads(data)) == ("bye", {"type": "bye", "retry_ms": stream.retry})
    assert 1000 <= stream.retry <= 5000
    assert (await fetch(small, "GET", "/sse")).status == 503


DESCRIPTORS = 160


@pytest.fixture
def cramped():
    """A lab that the system allows few files."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, hard))
    try:
        process = LabProcess()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    yield process
    process.stop()


async def test_many_clients_do_not_use_up_the_descriptors(cramped):
    """With more clients than files some are served, some get 503, and the rest are closed.

    Earlier listeners go on, the log stays short, and when the clients have gone new ones are accepted.
    """
    listener = await client("websocket", cramped.port).connect("latest")
    clients = [await Wire.open(cramped.port) for _ in range(3 * DESCRIPTORS)]
    met = Counter([await status_of(wire) for wire in clients])
    assert met[200] == DESCRIPTORS // 2 - 1
    assert met[503] >= 1
    assert met[None] >= DESCRIPTORS
    receipt = await listener.send("still here")
    await listener.receive_until(receipt.id)
    for wire in clients:
        wire.abort()
    await eventually(lambda: has_place(cramped.port), "there is place again")
    assert len(cramped.stderr().splitlines()) <= 1


@asynccontextmanager
async def without_files(start_lab):
    """A lab that has no free file for the length of the block, and a client that was connected before."""
    process = start_lab()
    listener = await Wire.open(process.port)
    assert await status_of(listener, "/healthz") == 200
    with process.no_file_left():
        yield process, listener


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere no process can take another's files away")
async def test_without_a_free_file_new_connections_wait(start_lab):
    """When other code has the last file, new connections wait for one; meanwhile the lab does not spin."""
    from tests.benchmarks.machine import cpu_s  # not on Windows

    async with without_files(start_lab) as (process, listener):
        new = asyncio.create_task(status_of(await Wire.open(process.port), "/healthz"))
        await eventually(lambda: complains_of_files(process), "the lab logs that new connections wait")
        began, used = time.monotonic(), cpu_s(process.pid)
        await asyncio.sleep(0.7)  # at rest it takes a hundredth of this, spinning all that it can get
        assert cpu_s(process.pid) - used < 0.15 * (time.monotonic() - began)
        assert await status_of(listener, "/healthz") == 200
        assert not new.done()
    assert await new == 200


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere no process can take another's files away")
async def test_a_page_that_cannot_be_opened_is_503(start_lab):
    """Without a file to read it from, a page is refused for now, and the log holds no traceback."""
    async with without_files(start_lab) as (process, listener):
        for path in ("/", "/technique/sse", "/static/live.js"):
            answer = await listener.ask("GET", path)
            assert (answer.status, answer.json["error"]["code"]) == (503, "out_of_files")
            assert answer.headers["retry-after"] == "1"
        assert (await listener.ask("GET", "/", {"Accept": "text/html"})).status == 503
    assert await status_of(listener, "/") == 200
    assert process.complaint() == ""


async def complains_of_files(process):
    """Whether the log says that there are no files."""
    return "accepts no new connection for 1 s: Too many open files" in process.stderr()


async def status_of(wire, path="/readyz"):
    """The status that a new connection gets; None when it is closed."""
    try:
        return (await wire.ask("GET", path)).status
    except (Closed, ConnectionError):
        return None


async def has_place(port):
    """Whether a new connection is accepted."""
    return await status_of(await Wire.open(port)) == 200
