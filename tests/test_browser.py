"""The pages in a real browser: what the room promises by each technique, seen as its users see it."""

import json
import subprocess
import sys
import threading
import time
import uuid
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import expect

from lab.catalogue import MODES, TECHNIQUES
from tests.support.browsing import NAME, PATIENCE_MS, meters, post
from tests.support.lab_here import LabHere, temporary
from tests.support.redis_server import free_port

pytestmark = pytest.mark.needs("chromium")

ROOT = Path(__file__).resolve().parent.parent
KEPT = 100
HOSTILE_BODY = """</script><img src=x onerror="hacked=1"><script>hacked=1</script>&lt;'"\u2028 {{7*7}}"""
HOSTILE_NAME = "<img src=x onerror=hacked=1>"

each = pytest.mark.parametrize("mode", MODES)


# Labs and users -----------------------------------------------------------------------------------


@contextmanager
def serving(**settings):
    """Run a lab of our own in another process; yields its address."""
    command = [sys.executable, "-m", "lab.server", json.dumps(temporary() | settings)]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        said = json.loads(process.stdout.readline())
        yield f"http://127.0.0.1:{said['port']}"
        process.stdin.close()  # this is how it is asked to stop
        process.wait(timeout=PATIENCE_MS / 1000)


class User:
    """A user of the room: a page with a browser context of its own."""

    def __init__(self, context, address, mode, clock=False):
        self.page = context.new_page()
        if clock:  # the page's own, so that a minute need not take one
            self.page.clock.install()
        self.complaints = []
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", self._note)
        self.status = self.page.locator("[data-status]")
        self.box = self.page.locator("form#say [name=body]")
        self.reason = self.page.locator("#reason")
        self.page.goto(f"{address}/room?mode={mode}")
        expect(self.status).to_have_attribute("data-status", "waiting")

    def _note(self, message):
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def say(self, text):
        """Type a message and press Enter."""
        self.box.fill(text)
        self.box.press("Enter")

    def switch(self, mode):
        """Choose another technique."""
        self.page.click(f"[data-mode={mode}]")

    def lines(self, text=""):
        """The messages in the list that hold this text."""
        return self.page.locator("#messages [data-id]", has_text=text)

    def line(self, id_):
        """The message with this cursor."""
        return self.page.locator(f"#messages [data-id='{id_}']")

    def ids(self):
        """The cursors of the messages in the list, from top to bottom."""
        return self.lines().evaluate_all("lines => lines.map(line => line.dataset.id)")


@pytest.fixture
def enter(browser):
    """Enter the room at an address by a technique; everyone leaves at the end of the test."""
    contexts = []

    def enter(address, mode, **how):
        contexts.append(browser.new_context())
        return User(contexts[-1], address, mode, **how)

    yield enter
    for context in contexts:
        context.close()


@pytest.fixture(scope="module")
def lab():
    """The address of a lab that the tests of this file share; what they say in it must be their own."""
    with serving(allow_hosts=[NAME]) as address:
        yield address


@pytest.fixture(scope="module")
def full_history():
    """The address of a lab in which more was sent than is kept, and all its ids."""
    with serving() as address:
        yield address, [post(address) for _ in range(KEPT + 47)]


@pytest.fixture
def lab_here():
    """A lab in this process."""
    with LabHere() as lab:
        yield lab


@contextmanager
def publishing(address, interval=0.02):
    """Send messages without a pause while the block runs; yields the growing list of their ids."""
    ids, over = [], threading.Event()

    def publish():
        while not over.wait(interval):
            ids.append(post(address))

    thread = threading.Thread(target=publish)
    thread.start()
    try:
        yield ids
    finally:
        over.set()
        thread.join()


# Chatting -----------------------------------------------------------------------------------------


@each
def test_two_pages_chat_both_ways(lab, enter, mode):
    """Two users both see each message once, and the sender's box is empty again."""
    anna, ben = enter(lab, mode), enter(lab, mode)
    for sender in (anna, ben):
        text = f"hello {uuid.uuid4()}"
        sender.say(text)
        for reader in (anna, ben):
            expect(reader.lines(text)).to_have_count(1)
        expect(sender.box).to_have_value("")


@each
def test_it_works_where_the_browser_trusts_nothing(lab, enter, mode):
    """By plain http under a host name, as on a phone in the classroom, the same page sends and receives."""
    user = enter(lab.replace("127.0.0.1", NAME), mode)
    assert user.page.evaluate("isSecureContext") is False
    text = f"from afar {uuid.uuid4()}"
    user.say(text)
    expect(user.lines(text)).to_have_count(1)
    assert user.complaints == []


@each
def test_hostile_text_stays_text(lab, enter, mode):
    """Markup in a message or in a name is shown as it was typed, and nothing of it runs, in no frame."""
    user = enter(lab, mode)
    user.page.fill("#name", HOSTILE_NAME)
    mark = str(uuid.uuid4())
    user.say(f"{HOSTILE_BODY} {mark}")
    line = user.lines(mark)
    expect(line.locator(".body")).to_have_text(f"{HOSTILE_BODY} {mark}")
    expect(line.locator(".name")).to_have_text(HOSTILE_NAME)
    for frame in user.page.frames:
        assert frame.evaluate("document.images.length") == 0
        assert frame.evaluate("typeof hacked") == "undefined"
    assert user.complaints == []


def test_the_name_survives_a_reload(lab, enter):
    """A new user gets a generated name; once changed, it stays, and messages carry it."""
    user = enter(lab, "websocket")
    assert user.page.input_value("#name").startswith("Guest ")
    user.page.fill("#name", "李华 Li Hua")
    user.page.press("#name", "Enter")
    user.page.reload()
    expect(user.page.locator("#name")).to_have_value("李华 Li Hua")
    text = f"it is me {uuid.uuid4()}"
    user.say(text)
    expect(user.lines(text)).to_contain_text("李华 Li Hua")


# Switching ----------------------------------------------------------------------------------------


def test_a_message_sent_before_the_technique_is_here_waits_for_it(lab, browser):
    """Enter is pressed on a page whose technique is still loading: the message is sent when it is there."""
    with closing(browser.new_context()) as context:
        page, waiting, text = context.new_page(), [], f"early {uuid.uuid4()}"
        page.route("**/techniques/websocket.js", lambda route: waiting.append(route))
        page.goto(f"{lab}/room?mode=websocket", wait_until="commit")
        expect(page.locator("form#say [name=send]")).to_be_enabled()
        page.fill("form#say [name=body]", text)
        page.press("form#say [name=body]", "Enter")
        expect(page.locator("form#say [name=send]")).to_be_disabled()
        waiting.pop().continue_()
        expect(page.locator("#messages [data-id]", has_text=text)).to_have_count(1)
        expect(page.locator("#reason")).to_have_text("")


def test_a_message_is_not_sent_before_the_page_can_send_it(lab, browser):
    """Enter is pressed while the page's program is still loading: the page and its text stay."""
    with closing(browser.new_context()) as context:
        page, waiting = context.new_page(), []
        page.route("**/room.js", lambda route: waiting.append(route))
        page.goto(f"{lab}/room?mode=websocket", wait_until="commit")
        page.fill("form#say [name=body]", "early")
        page.press("form#say [name=body]", "Enter")
        waiting.pop().continue_()
        expect(page.locator("[data-status]")).to_have_attribute("data-status", "waiting")
        expect(page.locator("form#say [name=body]")).to_have_value("early")


def test_switching_in_mid_stream_loses_and_doubles_nothing(enter):
    """Through all techniques and back while messages pour in: each is shown once, in order."""
    with serving() as address:
        user = enter(address, "shortpoll")
        with publishing(address) as published:
            for mode in MODES:  # not waiting for any of them to be ready
                user.switch(mode)
            for mode in reversed(MODES):  # each until it has brought some
                user.switch(mode)
                brought = user.lines().count()
                user.page.wait_for_url(f"{address}/room?mode={mode}")
                user.page.wait_for_function(
                    "most => document.querySelectorAll('#messages [data-id]').length > most", arg=brought + 5
                )
        expect(user.line(published[-1])).to_have_count(1)
        assert user.ids() == published
        assert user.complaints == []
        assert all(meter["receive"]["messages"] for meter in meters(address).values())


@each
def test_a_message_sent_while_switching_is_sent_once(lab, enter, mode):
    """Enter, and at once another technique: the message arrives once, and no page shows a failure."""
    user = enter(lab, mode)
    text = f"going {uuid.uuid4()}"
    user.box.fill(text)
    other = MODES[MODES.index(mode) - 1]
    user.page.evaluate(
        """async (other) => {
            await import(`/static/techniques/${other}.js`); // so that the switch waits for nothing
            document.getElementById('say').requestSubmit();
            document.querySelector(`[data-mode=${other}]`).click();
        }""",
        other,
    )
    expect(user.lines(text)).to_have_count(1)
    expect(user.box).to_have_value("")
    expect(user.reason).to_have_text("")


def test_the_switch_shows_which_technique_is_in_use(lab, enter):
    """After a switch the URL, the heading and the switch itself name the technique, and a reload keeps it."""
    user = enter(lab, "shortpoll")
    user.switch("websocket")
    for _ in ("before", "after a reload"):
        current = user.page.locator("[data-mode][aria-current=true]")
        expect(current).to_have_attribute("data-mode", "websocket")
        expect(user.page.locator("#title")).to_contain_text("WebSocket")
        assert user.page.url == f"{lab}/room?mode=websocket"
        user.page.reload()


# When something breaks ----------------------------------------------------------------------------


def test_pages_come_back_after_a_restart(enter):
    """The lab stops and starts again: pages of every technique say so, come back by themselves, and chat."""
    port = free_port()
    with serving(port=port) as address:
        users = {mode: enter(address, mode, clock=True) for mode in MODES}
        post(address, "before")
        for user in users.values():
            expect(user.lines("before")).to_have_count(1)
    for user in users.values():
        user.page.clock.fast_forward(6_000)  # later than any bye asks for: the first attempt fails
        expect(user.status).to_have_attribute("data-status", "retrying")
    with serving(port=port):
        for mode, user in users.items():
            user.page.clock.fast_forward(60_000)
            expect(user.status).to_have_attribute("data-status", "waiting")
            expect(user.page.locator("#messages .notice")).to_have_text("The room has a new history")
            user.say(f"{mode} is back")
        for user in users.values():
            for mode in MODES:
                expect(user.lines(f"{mode} is back")).to_have_count(1)


@pytest.mark.parametrize("mode", [mode for mode, technique in TECHNIQUES.items() if technique.verb != "ask"])
def test_a_page_comes_back_when_it_was_asked_to(lab_here, enter, mode):
    """A bye with a time: the page reconnects at that time, and then has what was sent meanwhile."""
    user = enter(lab_here.address, mode, clock=True)
    user.page.clock.pause_at(user.page.evaluate("Date.now()") / 1000 + 1)
    lab_here.loop.call_soon_threadsafe(lab_here.lab.context.room.send_bye, (5000, 5000))
    expect(user.status).to_have_attribute("data-status", "retrying")
    id_ = post(lab_here.address)
    requests = meters(lab_here.address)[mode]["receive"]["requests"]
    user.page.clock.run_for(4_900)
    assert meters(lab_here.address)[mode]["receive"]["requests"] == requests
    user.page.clock.run_for(100)
    expect(user.line(id_)).to_have_count(1)
    user.page.clock.resume()
    expect(user.status).to_have_attribute("data-status", "waiting")
    assert user.complaints == []


def test_a_cut_line_loses_and_doubles_nothing(lab_here, enter):
    """All connections break without a word, three times: in a minute every page has every message, once."""
    users = [enter(lab_here.address, mode, clock=True) for mode in MODES]
    said = []
    for _ in range(3):
        said.append(post(lab_here.address))
        for user in users:
            expect(user.line(said[-1])).to_have_count(1)
        assert lab_here.cut() >= len(MODES) - 1  # a short poll may just be pausing
        said += [post(lab_here.address) for _ in range(10)]
        for user in users:
            user.page.clock.fast_forward(60_000)
            expect(user.line(said[-1])).to_have_count(1)
            expect(user.status).to_have_attribute("data-status", "waiting")
            assert user.ids() == said


def test_a_clock_that_is_set_is_no_silence(lab_here, enter):
    """A frame is given up after 41 s of silence, and not because the clock of the phone was set."""
    user = enter(lab_here.address, "iframe", clock=True)
    before = meters(lab_here.address)["iframe"]["receive"]["requests"]
    for hours in (1, -1):
        user.page.clock.set_system_time(time.time() + hours * 3600)
        user.page.clock.run_for(1_000)
    assert meters(lab_here.address)["iframe"]["receive"]["requests"] == before
    user.page.clock.run_for(41_000)
    user.page.clock.fast_forward(60_000)
    expect(user.status).to_have_attribute("data-status", "waiting")
    assert meters(lab_here.address)["iframe"]["receive"]["requests"] > before


DUMB = """
export const on = (type, listener) => ((window.handlers ??= {})[type] = listener);
export const say = () => {};
export const watch = () => {};
"""
ANSWERED = """async (answers) => {
  const clock = (await import("/static/clock.js")).serverClock();
  for (const [took, ahead] of answers) {
    const now = performance.now();
    handlers.clock({ at: now - took, time: (now - took / 2 + ahead) / 1000 });
  }
  return clock.now() - performance.now();
}"""


def test_a_clock_that_was_set_is_noticed(lab, browser):
    """The quickest answer says how far the clocks are apart, until another contradicts it."""
    with closing(browser.new_context()) as context:
        page = context.new_page()
        page.route("**/live.js", lambda route: route.fulfill(content_type="text/javascript", body=DUMB))
        page.goto(f"{lab}/technique/sse")
        for answers, ahead in (([[2, 0], [50, 10]], 0), ([[2, 0], [50, 9000]], 9000)):
            assert page.evaluate(ANSWERED, answers) == pytest.approx(ahead, abs=1)


@each
def test_a_refused_message_stays_in_the_box(lab, enter, mode):
    """A message that the lab refuses is still there to be mended, and beside it the reason."""
    user = enter(lab, mode)
    user.box.evaluate("box => box.removeAttribute('maxlength')")
    text = str(uuid.uuid4())
    user.say(text + "!" * 500)
    expect(user.reason).to_contain_text("stored")
    expect(user.box).to_have_value(text + "!" * 500)
    user.say(text)
    expect(user.box).to_have_value("")
    expect(user.reason).to_have_text("")
    expect(user.lines(text).locator(".body")).to_have_text([text])


@each
def test_a_message_whose_answer_was_lost_is_stored_once(lab, enter, browser, mode):
    """A message whose arrival is unknown is sent again as the same message, and not as a second one."""
    lost = []

    def lose_answer(route):
        sends = route.request.method == "POST" or "/send?" in route.request.url
        if sends and not lost:
            lost.append(route.fetch().text())
            route.abort()
        else:
            route.continue_()

    def lose_ack(socket):
        def pass_on(frame):
            if '"ack"' in frame and not lost:
                lost.append(frame)
                socket.close(code=1011)
            else:
                socket.send(frame)

        server = socket.connect_to_server()
        server.on_message(pass_on)

    context = browser.new_context()
    context.route("**/*", lose_answer)
    context.route_web_socket("**/*", lose_ack)
    user = User(context, lab, mode)
    text = f"lost and found {uuid.uuid4()}"
    user.say(text)
    expect(user.reason).to_contain_text("may be stored")
    assert len(lost) == 1
    expect(user.status).to_have_attribute("data-status", "waiting")
    expect(user.lines(text)).to_have_count(1)  # it had arrived
    user.page.click("text=Send again")
    expect(user.box).to_have_value("")
    mark = post(lab)
    expect(user.line(mark)).to_have_count(1)
    expect(user.lines(text)).to_have_count(1)
    context.close()


@each
@pytest.mark.parametrize("first", ["gap", "reset"])
def test_a_page_shows_how_many_messages_are_missing(full_history, enter, mode, first):
    """Behind a cursor that is too old comes a gap, behind a foreign one a reset; then all that is kept."""
    address, ids = full_history
    after = {"gap": ids[9], "reset": "1-1"}[first]
    user = enter(address, mode)
    listen = """([word, after, count]) => import(`/static/techniques/${word}.js`).then(({ connect }) =>
        new Promise((resolve) => {
            const seen = [];
            const onEvents = (events) => seen.push(...events) >= count && (line.close(), resolve(seen));
            const line = connect({ after, onEvents, onStatus() {} });
        }))"""
    seen = user.page.evaluate(listen, [mode, after, KEPT + 1])
    assert seen[0] == {"gap": {"type": "gap", "missed": 37}, "reset": {"type": "reset", "id": ids[46]}}[first]
    assert [event["id"] for event in seen[1:]] == ids[-KEPT:]


def test_a_gap_is_a_line_in_the_list(enter):
    """A page that was away for longer than the history reaches shows how many messages are missing."""
    with serving() as address:
        user = enter(address, "shortpoll")
        post(address, "the last before the tunnel")
        expect(user.lines()).to_have_count(1)
        user.page.route("**/shortpoll?*", lambda route: route.abort())
        expect(user.status).to_have_attribute("data-status", "retrying")
        for _ in range(KEPT + 37):
            post(address)
        user.page.unroute("**/shortpoll?*")
        expect(user.lines()).to_have_count(KEPT + 1)
        expect(user.page.locator("#messages > :nth-child(2)")).to_have_text("37 messages are missing")


def test_a_message_that_moved_into_a_new_history_is_shown_once(lab, enter):
    """After a reset the same message may come under a new id: its old line goes, the other old ones stay."""
    page = enter(lab, "websocket").page
    page.evaluate(
        """async () => {
            const { messageList } = await import('/static/messages.js');
            const list = document.createElement('ol');
            list.id = 'other';
            document.body.append(list);
            const message = (id, mid) => ({ type: 'message', id, mid, username: 'a', body: mid, time: 0 });
            const { show } = messageList(list);
            show([message('1-1', 'kept'), message('1-2', 'lost'), message('1-2', 'lost')]);
            show([{ type: 'reset', id: '2-0' }, message('2-1', 'kept'), message('2-2', 'new')]);
        }"""
    )
    lines = page.locator("#other > li").evaluate_all(
        "lines => lines.map(line => line.dataset.id ?? 'notice')"
    )
    assert lines == ["1-2", "notice", "2-1", "2-2"]


def test_a_hidden_page_reports_that_it_is_hidden(lab, enter):
    """In the background the state is `hidden`, and in front again what it was."""
    user = enter(lab, "websocket")
    hide = """hidden => {
        Object.defineProperty(document, 'hidden', { configurable: true, get: () => hidden });
        document.dispatchEvent(new Event('visibilitychange'));
    }"""
    for hidden, state in ((True, "hidden"), (False, "waiting")):
        user.page.evaluate(hide, hidden)
        expect(user.status).to_have_attribute("data-status", state)


def test_the_pauses_grow_and_are_random(lab, enter):
    """After k failures a page waits a random part of min(8 s, 0.5 s * 2^k)."""
    page = enter(lab, "shortpoll").page
    drawn = page.evaluate(
        """async () => {
            const { backoff } = await import('/static/techniques/shared.js');
            return [...Array(20).keys()].map((k) => Array.from({ length: 500 }, () => backoff(k)));
        }"""
    )
    for failures, pauses in enumerate(drawn):
        most = min(8_000, 500 * 2**failures)
        assert 0 <= min(pauses) < 0.1 * most
        assert 0.9 * most < max(pauses) <= most


# All pages ----------------------------------------------------------------------------------------


def test_no_page_complains(lab, enter):
    """From the way in through every technique: no policy violated, nothing missing, no error."""
    user = enter(lab, "shortpoll")
    user.page.goto(f"{lab}/")
    assert user.page.locator(".card .button").count() == len(MODES)
    user.page.click(".card .button >> nth=0")
    for mode in MODES:
        user.switch(mode)
        user.page.wait_for_url(f"{lab}/room?mode={mode}")
        expect(user.status).to_have_attribute("data-status", "waiting")
        text = f"{mode} {uuid.uuid4()}"
        user.say(text)
        expect(user.lines(text)).to_have_count(1)
    assert user.complaints == []


def test_the_console_shows_live_meters(lab_here, enter):
    """The teacher sees which Redis is in use, the users, what it costs, and what was not measured."""
    user = enter(lab_here.address, "sse")
    user.page.fill("#name", "Li Hua")
    user.page.press("#name", "Enter")
    teacher = enter(lab_here.address, "websocket")
    teacher.page.goto(f"{lab_here.address}/teacher?token={lab_here.lab.key.token}")
    expect(teacher.page.locator("main")).to_contain_text(lab_here.lab.context.backend)
    row = teacher.page.locator("[data-meters=sse]")
    expect(row.locator("[data-figure='receive.delivery_s.p50']")).to_have_text("not measured yet")
    user.say("hello")
    expect(user.lines("hello")).to_have_count(1)
    expect(row.locator("[data-figure='receive.messages']")).to_have_text("1")
    expect(row.locator("[data-figure='open']")).to_have_text("1")
    expect(teacher.page.locator("#guests")).to_contain_text("Li Hua")
    assert teacher.complaints == []


@pytest.mark.parametrize("width", [360, 1280])
def test_every_page_fits_the_screen(lab_here, browser, width):
    """On a telephone and on a projector nothing sticks out sideways, and what is touched is 44 px high."""
    context = browser.new_context(viewport={"width": width, "height": 720})
    page = context.new_page()
    for path in ("/", "/room", f"/teacher?token={lab_here.lab.key.token}"):
        page.goto(lab_here.address + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        for target in page.locator("a, button, input, select, summary").locator("visible=true").all():
            assert target.bounding_box()["height"] >= 44
    context.close()
