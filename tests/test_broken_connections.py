"""The room in a real browser when something breaks: pages come back, and nothing is lost or doubled."""

import time
import uuid
from contextlib import closing

import pytest
from playwright.sync_api import expect

from lab.catalogue import DEFAULT, MODES, TECHNIQUES
from tests.support.browsing import meters, post
from tests.support.lab_state import KEPT
from tests.support.listeners import each_technique
from tests.support.redis_server import free_port
from tests.support.room_user import User, serving

pytestmark = pytest.mark.needs("chromium")


@pytest.fixture(scope="module")
def full_history():
    """The address of a lab in which more was sent than is kept, and all its ids."""
    with serving() as address:
        yield address, [post(address) for _ in range(KEPT + 47)]


@pytest.fixture(scope="module")
def page_of_full_history(full_history, browser):
    """One page of that lab, in which every technique can be asked for the history."""
    with closing(browser.new_context()) as context:
        yield User(context, full_history[0], DEFAULT).page


@pytest.fixture(scope="module")
def user(address, browser):
    """A user of the shared lab, who switches from one technique to the next."""
    with closing(browser.new_context()) as context:
        yield User(context, address, DEFAULT)


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
export const send = () => {};
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


def test_a_clock_that_was_set_is_noticed(address, browser):
    """The quickest answer says how far the clocks are apart, until another contradicts it."""
    with closing(browser.new_context()) as context:
        page = context.new_page()
        page.route("**/live.js", lambda route: route.fulfill(content_type="text/javascript", body=DUMB))
        page.goto(f"{address}/technique/sse")
        for answers, ahead in (([[2, 0], [50, 10]], 0), ([[2, 0], [50, 9000]], 9000)):
            assert page.evaluate(ANSWERED, answers) == pytest.approx(ahead, abs=1)


@each_technique
def test_a_refused_message_stays_in_the_box(user, mode):
    """A message that the lab refuses is still there to be mended, and beside it the reason."""
    user.change_to(mode)
    user.box.evaluate("box => box.removeAttribute('maxlength')")
    text = str(uuid.uuid4())
    user.say(text + "!" * 500)
    expect(user.reason).to_contain_text("stored")
    expect(user.box).to_have_value(text + "!" * 500)
    user.say(text)
    expect(user.box).to_have_value("")
    expect(user.reason).to_have_text("")
    expect(user.lines(text).locator(".body")).to_have_text([text])


@each_technique
def test_a_message_whose_answer_was_lost_is_stored_once(address, enter, browser, mode):
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
    user = User(context, address, mode)
    text = f"lost and found {uuid.uuid4()}"
    user.say(text)
    expect(user.reason).to_contain_text("may be stored")
    assert len(lost) == 1
    expect(user.status).to_have_attribute("data-status", "waiting")
    expect(user.lines(text)).to_have_count(1)  # it had arrived
    user.page.click("text=Send again")
    expect(user.box).to_have_value("")
    mark = post(address)
    expect(user.line(mark)).to_have_count(1)
    expect(user.lines(text)).to_have_count(1)
    context.close()


@each_technique
@pytest.mark.parametrize("first", ["gap", "reset"])
def test_a_page_shows_how_many_messages_are_missing(full_history, page_of_full_history, mode, first):
    """Behind a cursor that is too old comes a gap, behind a foreign one a reset; then all that is kept."""
    _, ids = full_history
    after = {"gap": ids[9], "reset": "1-1"}[first]
    listen = """([word, after, count]) => import(`/static/techniques/${word}.js`).then(({ connect }) =>
        new Promise((resolve) => {
            const seen = [];
            const onEvents = (events) => seen.push(...events) >= count && (line.close(), resolve(seen));
            const line = connect({ after, onEvents, onStatus() {} });
        }))"""
    seen = page_of_full_history.evaluate(listen, [mode, after, KEPT + 1])
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


def test_a_message_that_moved_into_a_new_history_is_shown_once(address, enter):
    """After a reset the same message may come under a new id: its old line goes, the other old ones stay."""
    page = enter(address, "websocket").page
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


def test_a_hidden_page_reports_that_it_is_hidden(address, enter):
    """In the background the state is `hidden`, and in front again what it was."""
    user = enter(address, "websocket")
    hide = """hidden => {
        Object.defineProperty(document, 'hidden', { configurable: true, get: () => hidden });
        document.dispatchEvent(new Event('visibilitychange'));
    }"""
    for hidden, state in ((True, "hidden"), (False, "waiting")):
        user.page.evaluate(hide, hidden)
        expect(user.status).to_have_attribute("data-status", state)


def test_the_pauses_grow_and_are_random(address, enter):
    """After k failures a page waits a random part of min(8 s, 0.5 s * 2^k)."""
    page = enter(address, "shortpoll").page
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
