"""What one technique alone promises, by its standard; and the answers around the techniques."""

import json
from email.utils import parsedate_to_datetime
from uuid import uuid4

import pytest

from tests.support.drafts import draft, epoch
from tests.support.framings import PING, PONG, TEXT, client_frame
from tests.support.lab_state import KEPT, here, history, meters, publish
from tests.support.listeners import CALLBACK, POLLING, client, each_technique
from tests.support.wire import Wire, eventually, fetch

# Each technique's own form ------------------------------------------------------------------------


async def test_a_short_poll_that_knows_everything_is_304(lab):
    """With the ETag of the last answer, and nothing new, the answer is 304 and has no body."""
    place = await here(lab.port)
    first = await fetch(lab.port, "GET", f"/shortpoll?after={place}")
    again = await fetch(
        lab.port, "GET", f"/shortpoll?after={place}", {"If-None-Match": first.headers["etag"]}
    )
    assert (first.status, again.status, again.body) == (200, 304, b"")
    assert again.headers["etag"] == first.headers["etag"]


async def test_the_same_question_with_the_tag_of_its_answer_is_304(lab):
    """An unconditional answer with messages, asked for again with its own ETag, has not changed either."""
    await publish(lab.port, 1)
    first = await fetch(lab.port, "GET", "/shortpoll")
    again = await fetch(lab.port, "GET", "/shortpoll", {"If-None-Match": first.headers["etag"]})
    assert (again.status, again.body) == (304, b"")


async def test_news_make_a_new_tag(lab):
    """A short poll with the tag of an older answer gets the news, and a new tag."""
    place = await here(lab.port)
    first = await fetch(lab.port, "GET", f"/shortpoll?after={place}")
    ids = await publish(lab.port, 1)
    again = await fetch(
        lab.port, "GET", f"/shortpoll?after={place}", {"If-None-Match": first.headers["etag"]}
    )
    assert again.status == 200
    assert [message["id"] for message in again.json["messages"]] == ids
    assert again.headers["etag"] != first.headers["etag"]


@pytest.mark.parametrize("mode", POLLING)
async def test_a_poll_is_answered_alike_where_the_connection_ends(mode, lab):
    """Head and body are the same on a connection that goes on and on one that does not, but for saying so."""
    target = f"/{mode}?hold=0&callback=f&after={await here(lab.port)}"
    wishes = ({}, {"Connection": "keep-alive"}, {"Connection": "Keep-Alive"}, {"Connection": "close"})
    answers = [await fetch(lab.port, "GET", target, wish) for wish in wishes]
    dates = [answer.headers.pop("date") for answer in answers]
    assert all(parsedate_to_datetime(date) for date in dates)
    assert answers[-1].headers.pop("connection") == "close"
    assert [answer == answers[-1] for answer in answers] == [True] * len(wishes)


CALLBACKS = [
    *(
        "f",
        "_",
        "$",
        "lab.hear",
        "a.b.c1",
        "jQuery123_456",
        "this.f",
        "functional",
        "newer.f",
        "a.new",
        "$if",
        "in_",
    ),
    *(
        "dojo.io.script.jsonp_dojoIoScript1._jsonpCallback",
        "dojo_request_script_callbacks.dojo_request_script0",
    ),
    *("Ext.data.JsonP.callback1", "YUI.Env.JSONP.yui_3_18_1_1_1700000000000_4", "__gwt_jsonp__.P0.onSuccess"),
    *("angular.callbacks._0", "Request.JSONP.request_map.request_0", "f" * 256, ".".join("a" * 128)),
]


@pytest.mark.parametrize("callback", CALLBACKS)
async def test_jsonp_calls_the_function_that_was_named(callback, full_history):
    """A JSONP answer is a script that calls just this function, and says so: a type and nosniff."""
    poller = client("jsonp", full_history[0], callback=callback)
    answer = await poller.poll()
    assert poller.ids == full_history[1][-KEPT:]
    assert answer.headers["content-type"].startswith("application/javascript")
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_jsonp_may_be_received_by_any_site(full_history):
    """Another site's page may fetch the script: that is what JSONP is for."""
    foreign = {
        "Sec-Fetch-Site": "cross-site",
        "Referer": "https://other.example/",
        "User-Agent": "Mozilla/5.0",
    }
    answer = await fetch(full_history[0], "GET", f"/jsonp?callback={CALLBACK}", foreign)
    assert answer.status == 200


async def test_an_iframe_runs_only_scripts_of_this_answer(lab):
    """Every script of the page carries the one nonce of its policy, which is never the same twice."""
    pages = [await client("iframe", lab.port).connect("latest") for _ in range(2)]
    await publish(lab.port, 3)
    for page in pages:
        await page.receive(3)
        assert page.head.headers["content-type"].startswith("text/html")
        (nonce,) = page.page.nonces
        assert f"'nonce-{nonce}'" in page.head.headers["content-security-policy"]
        assert len(page.page.functions) == 1
    assert pages[0].page.nonces != pages[1].page.nonces


async def test_an_iframe_is_for_the_labs_own_pages(lab):
    """No foreign page may frame the endless page."""
    page = await client("iframe", lab.port).connect("latest")
    assert "frame-ancestors 'self'" in page.head.headers["content-security-policy"]


async def test_an_event_stream_is_one(lab):
    """The stream has its type, forbids proxies to buffer, and names when to reconnect."""
    listener = await client("sse", lab.port).connect("latest")
    await publish(lab.port, 1)
    await listener.receive()
    assert listener.head.headers["content-type"].startswith("text/event-stream")
    assert listener.head.headers["x-accel-buffering"] == "no"
    assert listener.stream.retry is not None


async def test_the_last_event_id_wins_over_the_query(full_history):
    """EventSource reconnects with its first URL, and sends its cursor in a header: the header counts."""
    port, ids = full_history
    listener = client("sse", port, headers={"Last-Event-ID": ids[-3]})
    await listener.connect(ids[-50])
    await listener.receive_until(ids[-1])
    assert listener.ids == ids[-2:]


@pytest.mark.parametrize(
    ("header", "query", "after", "left"),
    [("", -4, -50, 3), ("", -4, None, 3), (-3, -9, -50, 2), (-3, None, -50, 2), ("", None, -6, 5)],
)
async def test_a_polyfill_sends_its_cursor_in_the_query(header, query, after, left, full_history):
    """Without a header `lastEventId` says it: it wins over `after`, and the header wins over both."""
    port, ids = full_history
    said = {} if query is None else {"lastEventId": ids[query]}
    headers = {"Last-Event-ID": header and ids[header]}
    listener = client("sse", port, headers=headers, **said)
    await listener.connect(None if after is None else ids[after])
    await listener.receive_until(ids[-1])
    assert listener.ids == ids[-left:]


async def test_a_gap_and_a_reset_keep_the_last_event_id_right(full_history):
    """After a gap event the browser's last event id is still its own; after a reset it is the reset's."""
    port, ids = full_history
    gap = await client("sse", port).connect(ids[0])
    await gap.receive(1, "gap")
    assert gap.stream.last_id in ("", ids[-1])
    reset = await client("sse", port).connect("1000000000000-5")
    await reset.receive_until(ids[-1])
    assert reset.events[0]["id"].startswith(f"{epoch(ids[0])}-")


async def test_a_websocket_sends_one_text_frame_per_event(full_history):
    """Each event is a whole text frame of its own."""
    port, ids = full_history
    listener = await client("websocket", port).connect(ids[-6])
    await listener.receive_until(ids[-1])
    assert [(frame.opcode, frame.final) for frame in listener.frames] == [(1, True)] * 5


async def test_a_websocket_answers_a_ping(lab):
    """A client's ping is answered by a pong with the same bytes."""
    listener = await client("websocket", lab.port).connect("latest")
    await listener.wire.send(client_frame(PING, b"are you there?"))
    await listener.step()
    assert (listener.frames[0].opcode, listener.frames[0].payload) == (PONG, b"are you there?")


async def test_a_fragmented_send_is_one_send(lab):
    """A send in two frames, with a ping between them, is one message (RFC 6455 section 5.4)."""
    listener = await client("websocket", lab.port).connect("latest")
    whole = json.dumps(draft("in two parts")).encode()
    await listener.wire.send(client_frame(TEXT, whole[:20], 0) + client_frame(PING, b""))
    await listener.wire.send(client_frame(0, whole[20:]))
    (message,) = await listener.receive()
    assert message["body"] == "in two parts"


# Around -------------------------------------------------------------------------------------------


async def test_history_is_what_is_kept(full_history):
    """`/history` has the kept messages and the cursor behind them."""
    port, ids = full_history
    kept = await history(port)
    assert [message["id"] for message in kept["messages"]] == ids[-KEPT:]
    assert kept["cursor"] == ids[-1]


async def test_a_healthy_lab_reports_it(lab):
    """`/healthz` and `/readyz` are 200 while the loop is alive and Redis was seen lately."""
    for path in ("/healthz", "/readyz"):
        answer = await fetch(lab.port, "GET", path)
        assert answer.status == 200
        assert isinstance(answer.json, dict)


@each_technique
async def test_a_receive_request_is_presence_and_nothing_else(mode, lab):
    """`client=` and `username=` change nothing in what a listener receives."""
    listener = client(mode, lab.port, client=str(uuid4()), username="a" * 200)
    await listener.connect("latest")
    ids = await publish(lab.port, 2)
    await listener.receive_until(ids[-1])
    assert listener.ids == ids


async def test_json_on_the_wire_is_compact_utf_8(lab):
    """No spaces between tokens, and characters as they are, not as escapes."""
    await client("sse", lab.port).send("你好", "ann")
    body = (await fetch(lab.port, "GET", "/history")).body
    assert json.dumps(json.loads(body), ensure_ascii=False, separators=(",", ":")).encode() == body


async def test_a_socket_that_only_sends_receives_nothing_else(lab):
    """A socket with `receive=0` receives no message of the room, however far its answers lag."""
    before = (await meters(lab.port))["techniques"]["websocket"]["send"]["frames_in"]
    sender = await client("websocket", lab.port, receive="0", takes=4096).connect()
    await sender.wire.send(client_frame(TEXT, b"{}") * 4000)

    async def all_have_come():
        return (await meters(lab.port))["techniques"]["websocket"]["send"]["frames_in"] - before >= 4000

    await eventually(all_have_come, "the lab has taken all")
    await publish(lab.port, 3)
    while len(sender.answers) < 4000:
        await sender.step()
    await sender.send_frame(TEXT, b"{}")
    assert sender.events == []
    sender.abort()


async def test_one_connection_serves_all_polls_one_after_the_other(lab):
    """A kept-alive connection carries polls and sends of several techniques, each answered in turn."""
    wire = await Wire.open(lab.port)
    for path in ("/shortpoll", "/longpoll", "/history", f"/jsonp?callback={CALLBACK}", "/shortpoll"):
        assert (await wire.ask("GET", path)).status == 200
    await wire.close()
