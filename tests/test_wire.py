"""The bytes behind a bar: exactly those that crossed the socket, for whom they concern, without secrets."""

import socket
import urllib.error
import urllib.parse
import uuid

import pytest
from playwright.sync_api import expect

from lab.lanes.capture import RecordingSocket
from tests.support.browsing import LISTENING, PROJECTOR, RESTING, barriers, post
from tests.support.kept_bytes import STREAMS, bars, kept, passed, refusal
from tests.support.lab_here import LabHere
from tests.support.waiting import soon

PATIENCE_S = 20.0


def converse(school, mode, query, **headers):
    """Ask as a program does, and be shown: the bytes sent, the bytes received, when the bar began."""
    lane, before = school.lab.context.recorder.lanes[mode], bars(school, mode)
    lane.left = float("-inf")  # the listener that was shown there is gone
    lines = [f"GET /{mode}?{query} HTTP/1.1", f"Host: 127.0.0.1:{school.lab.port}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    sent = "\r\n".join([*lines, "", ""]).encode()
    with socket.create_connection(("127.0.0.1", school.lab.port), PATIENCE_S) as line:
        line.sendall(sent)
        received = b"".join(iter(lambda: line.recv(65536), b""))
    assert soon(lambda: len(bars(school, mode)) > len(before))
    return sent, received, bars(school, mode)[-1]


@pytest.mark.parametrize("mode", ["shortpoll", "longpoll", "jsonp"])
def test_it_is_what_crossed_the_socket(school, mode):
    """To the byte, both ways, as the client itself saw it."""
    post(school.address, "to the byte: 中文")
    name = str(uuid.uuid4())
    sent, received, began = converse(school, mode, f"username={name}&callback=f&hold=0")
    wire = kept(school, mode, began, name)
    assert (passed(wire, True), passed(wire, False)) == (sent, received)
    assert wire["left_out"] == 0


def test_a_bar_is_for_its_own_page_and_the_teacher(school):
    """Every other client gets the error in the usual form."""
    name = str(uuid.uuid4())
    *_, began = converse(school, "shortpoll", f"username={name}")
    for foreign in ("", "stranger", str(uuid.uuid4())):
        assert refusal(kept, school, "shortpoll", began, foreign) == (403, "forbidden")
    assert passed(kept(school, "shortpoll", began, name), True) == passed(
        kept(school, "shortpoll", began, teacher=True), True
    )


def test_a_client_with_an_id_is_shown_to_the_teacher_only(school):
    """Ids are on the list of users that all receive, so an id opens nothing, even with its name."""
    *_, began = converse(school, "shortpoll", "client=a-known-id&username=Anna")
    for name in ("a-known-id", "Anna", ""):
        assert refusal(kept, school, "shortpoll", began, name) == (403, "forbidden")
    assert b"a-known-id" in passed(kept(school, "shortpoll", began, teacher=True), True)


def test_secrets_are_blanked(school):
    """Cookies and keys are sent as so many stars, and everything else as it was."""
    name = str(uuid.uuid4())
    secret = {"Cookie": "a=secret", "Authorization": "Bearer secret"}
    sent, _, began = converse(school, "shortpoll", f"username={name}&token=tooopen", **secret)
    sent_back = passed(kept(school, "shortpoll", began, name), True)
    assert b"secret" not in sent_back
    assert b"tooopen" not in sent_back
    assert sent_back.count(b"*") == len("a=secret" + "Bearer secret" + "tooopen")
    assert len(sent_back) == len(sent)


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("lane=shortpoll&from=0.01", 404), ("lane=shortpoll", 404), ("lane=nowhere&from=1", 400), ("", 404),
        ("lane=sse&from=nan", 400), ("lane=sse&from=-1", 400), ("lane=sse&from=1e9", 400),
        ("lane=sse&from=٣", 400),
    ],
)  # fmt: skip
def test_a_request_for_a_missing_bar_is_refused(school, query, status):
    """No query gives a 500."""
    assert refusal(school.look, "/wire?" + urllib.parse.quote(query, safe="=&"))[0] == status


def test_a_socket_is_left_as_it_was(school):
    """When a request is over its connection has no owner; the meters still add up."""
    import http.client

    school.lab.context.recorder.lanes["shortpoll"].left = float("-inf")
    line = http.client.HTTPConnection("127.0.0.1", school.lab.port, timeout=PATIENCE_S)
    for _ in range(3):
        line.request("GET", "/shortpoll?username=kept-alive")
        line.getresponse().read()
    mine = line.sock.getsockname()
    (stream,) = [stream for stream in school.lab.server.open if stream.socket.getpeername() == mine]
    assert soon(lambda: not isinstance(stream.socket, RecordingSocket))
    wires = list(school.lab.context.recorder.lanes["shortpoll"].wires)[-3:]
    assert [passed(wire.shown().as_json(), True).count(b"GET ") for wire in wires] == [1, 1, 1]
    line.close()


# On the page --------------------------------------------------------------------------------------


@pytest.fixture
def page(school, visit):
    """The compare page, listening, after a message that all lanes have had."""
    page = visit(school.address, size=PROJECTOR).open("/compare?view=projector")
    names = set()
    page.on("request", lambda request: names.add(request.url.partition("username=")[2].partition("&")[0]))
    page.click("#listen")
    lanes = [school.lab.context.recorder.lanes[mode] for mode in LISTENING]
    for _ in range(200):
        page.wait_for_timeout(100)
        if (
            all(lane.listener in names for lane in lanes)
            and sum(bool(lane.request) for lane in lanes) >= len(lanes) - 1
        ):
            break
    id_ = post(school.address, "look at me")
    row = page.locator("#latencies tr", has_text=f"#{id_.split('-')[1]}")
    expect(row).to_have_count(1)
    expect(row.locator("td", has_text="–")).to_have_count(len(RESTING))
    return page


@pytest.mark.needs("chromium")
def test_enter_on_a_lane_opens_its_bytes(page):
    """The keyboard alone is enough; Escape closes, and the focus is where it was."""
    for mode in LISTENING:
        page.focus(f"[data-lane={mode}] .ways")
        page.keyboard.press("Enter")
        dialog = page.locator("#wire")
        expect(dialog.locator(".units li").first).to_contain_text(f"GET /{mode}")
        if mode in STREAMS:
            expect(dialog.locator(".units li").nth(1)).to_contain_text(
                "101" if mode == "websocket" else "200"
            )
        page.keyboard.press("Escape")
        expect(dialog).to_be_hidden()
        expect(page.locator(f"[data-lane={mode}] .ways")).to_be_focused()


@pytest.mark.needs("chromium")
@pytest.mark.parametrize("mode", ["sse", "websocket"])
def test_its_units_are_shown_and_nothing_runs(page, school, mode):
    """Each unit with its fields; a message is text, markup too. A link opens the bytes in the anatomy. axe is
    content."""
    post(school.address, "<img src=x onerror=hacked=1>")
    value = page.locator("#wire .field-list", has_text="<img src=x onerror=hacked=1>")
    for _ in range(50):
        page.focus(f"[data-lane={mode}] .ways")
        page.keyboard.press("Enter")
        expect(page.locator("#wire .units li").first).to_be_visible()
        page.locator("#wire .units li").last.click()
        if value.count():
            break
        page.keyboard.press("Escape")
        page.wait_for_timeout(200)
    expect(value).to_be_visible()
    assert page.evaluate("typeof hacked") == "undefined"
    assert barriers(page) == []
    with page.expect_popup() as opened:
        page.click("#wire a")
    anatomy = opened.value
    units = anatomy.locator("#exchange .units li")
    expect(units.first).to_contain_text({"sse": "200", "websocket": "message"}[mode])
    anatomy.close()


@pytest.mark.needs("chromium")
def test_masked_frames_are_seen_in_the_lane(page):
    """A page that listens sends on its own WebSocket: the frame and its ack are among the lane's units."""
    page.fill("#say [name=body]", "masked")
    page.press("#say [name=body]", "Enter")
    expect(page.locator("#say [name=body]")).to_have_value("")
    page.press("[data-lane=websocket] .ways", "Enter")
    expect(page.locator("#wire .units li.came", has_text="masked").first).to_be_visible()
    expect(page.locator("#wire .units li", has_text="ack").first).to_be_visible()


@pytest.mark.needs("chromium")
def test_a_click_or_the_arrows_choose_a_request(page):
    """A click takes the bar under the pointer; left goes to an older one, right to a younger."""
    page.keyboard.press("Space")
    expect(page.locator("#mode")).to_contain_text("paused")
    lane = page.locator("[data-lane=shortpoll] .ways")

    def opened(do):
        with page.expect_request("**/wire?*") as asked:
            do()
        expect(page.locator("#wire")).to_be_visible()
        page.keyboard.press("Escape")
        return float(asked.value.url.partition("from=")[2].partition("&")[0])

    newest = opened(lambda: lane.press("Enter"))
    lane.press("ArrowLeft")
    older = opened(lambda: page.keyboard.press("Enter"))
    assert older < newest
    lane.press("ArrowRight")
    assert opened(lambda: page.keyboard.press("Enter")) == newest
    box = lane.bounding_box()
    at = {"x": box["width"] - 2, "y": box["height"] / 2}
    assert opened(lambda: lane.click(position=at)) == newest


@pytest.mark.needs("chromium")
def test_a_student_sees_whose_bytes_they_are(page, school, visit):
    """On a page that does not listen the lanes are those of other clients."""
    other = visit(school.address)
    student = other.open("/compare")
    dialog = student.locator("#wire")
    for _ in range(200):  # until the lanes have been received and drawn there is nothing to open
        student.press("[data-lane=sse] .ways", "Enter")
        student.wait_for_timeout(100)
        if dialog.is_visible():
            break
    expect(dialog.locator("[role=status]")).to_contain_text("another user")
    expect(dialog.locator("[data-exchange]")).to_be_hidden()
    assert all("403" in other.complaints.pop() for _ in other.complaints[:])  # the browser's own line


@pytest.mark.needs("chromium")
@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_the_scale_can_be_linear(school, visit, language):
    """The axis of the delivery chart begins at 0 then; the switch says which one it is."""
    page = visit(school.address, language=language).open("/compare")
    scale, ticks = page.locator("#scale"), page.locator("#chart-delivery .tick")
    for pressed, first in (("true", "1 ms"), ("false", "0 ms"), ("true", "1 ms")):
        expect(scale).to_have_attribute("aria-pressed", pressed)
        expect(ticks.first).to_have_text(first)
        scale.press("Enter")


@pytest.fixture
def empty():
    """A lab without users; it still runs when the browsers close."""
    with LabHere() as empty:
        yield empty


@pytest.mark.needs("chromium")
def test_an_empty_room_is_one_button_away_from_a_full_one(empty, visit):
    """The teacher starts simulated students where the lanes are empty; students may listen."""
    student = visit(empty.address).open("/compare")
    expect(student.locator("#hint-listen")).to_be_visible()
    expect(student.locator("#hint-crew")).to_have_count(0)
    teacher = visit(empty.address).open(f"/teacher?token={empty.lab.key.ticket()}")
    teacher.goto(f"{empty.address}/compare")
    teacher.click("#hint-crew")
    expect(teacher.locator("#hint")).to_be_hidden(timeout=30_000)
    expect(teacher.locator("#simulated")).to_be_visible()
