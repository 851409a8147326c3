"""The compare page in a real browser: lanes of real traffic, the meters' figures, and its keys."""

import json
import re
import time
from itertools import pairwise

import pytest
from playwright.sync_api import expect

from lab.catalogue import MODES, TECHNIQUES
from lab.server.pages import i18n
from tests.support.browsing import (
    LISTENING,
    LOOKS,
    MOST_HELD,
    PATIENCE_MS,
    PHONE,
    PROJECTOR,
    RESTING,
    barriers,
    held_by,
    meters,
    picture,
    post,
)
from tests.support.lab_process import LabProcess

pytestmark = pytest.mark.needs("chromium")

PATH = "/compare"
LANGUAGES = ["en", "zh-CN"]


HOLDING = [mode for mode in MODES if held_by(mode)]
HELD = [mode for mode in LISTENING if held_by(mode)]
EXACT = {
    "requests": lambda m: m["requests"],
    "empty": lambda m: m["empty"],
    "bytes": lambda m: m["bytes_in"] + m["bytes_out"],
    "useful": lambda m: m["payload_bytes"] / (m["bytes_in"] + m["bytes_out"]),
    "p50": lambda m: m["delivery_s"]["p50"],
}


@pytest.fixture(scope="module")
def address():
    """The lab that the tests of this file share."""
    process = LabProcess()
    yield f"http://127.0.0.1:{process.port}"
    process.stop()


@pytest.fixture
def quiet_address(start_lab):
    """A lab in which nothing has happened yet."""
    return f"http://127.0.0.1:{start_lab().port}"


@pytest.fixture
def listening(visit, address):
    """The page, with this browser's clients listening."""
    page = visit(address).open(PATH)
    listen(page)
    return page


def listen(page):
    """Let the clients of this browser listen, and wait until each is the one in its lane."""
    page.click("#listen")
    expect(page.locator("#listen")).to_have_attribute("aria-pressed", "true")
    address = page.url.partition(PATH)[0]
    for _ in range(PATIENCE_MS // 500):
        facts, opened = lanes_of(address, 0.5)
        if {*opened, *(fact["lane"] for fact in facts[-10:])} == set(LISTENING):
            return
    raise AssertionError(f"Only {sorted(opened)} are in their lanes.")


def value(page, mode, name):
    """The place of a figure beside a lane."""
    return page.locator(f"[data-lane={mode}] [data-figure={name}]")


def latencies(page, id_):
    """What the table says of a message: a text per lane that listens."""
    page.evaluate("document.querySelector('details').open = true")
    row = page.locator("#latencies tr", has=page.get_by_text(f"#{id_.split('-')[1]}", exact=True))
    expect(row).to_have_count(1)
    expect(row.locator("td", has_text="–")).to_have_count(len(RESTING))
    return [text for text in row.locator("td").all_inner_texts() if text != "–"]


def lanes_of(address, seconds):
    """What `/live` sends to a page that asks for lanes, read by an independent WebSocket client."""
    from websockets.sync.client import connect

    facts, opened = [], {}
    with connect(f"{address.replace('http', 'ws')}/live") as socket:
        socket.send('{"type":"lanes"}')
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            said = json.loads(socket.recv())
            if said["type"] == "lanes":
                facts += said["facts"]
                opened = said["open"]
    return facts, opened


# What is drawn ------------------------------------------------------------------------------------


def test_every_lane_shows_the_real_way_of_a_message(listening, address):
    """A message reaches all lanes, and each latency on the page is the one that the server saw."""
    id_ = post(address)
    shown = latencies(listening, id_)
    facts, _ = lanes_of(address, 0.5)
    marks = [fact for fact in facts if "at" in fact for name, _ in fact["messages"] if name == id_]
    said = {taken for fact in marks for name, taken in fact["messages"] if name == id_}
    assert {fact["lane"] for fact in marks} == set(LISTENING)
    assert len(said) == 1  # one line across all lanes
    seen = {fact["lane"]: fact["at"] - min(said) for fact in marks}
    for mode, text in zip(LISTENING, shown, strict=True):
        assert float(re.sub(r"[^\d.]", "", text)) == pytest.approx(seen[mode], abs=0.6)


def test_held_requests_and_empty_answers_are_counted(listening, address):
    """The lanes of those who wait and stream are open now; short polling brings empty answers."""
    until = time.monotonic() + PATIENCE_MS / 1000
    bars, opened = [], {}
    while not (any(bar["empty"] for bar in bars) and set(HELD) | {"websocket"} <= set(opened)):
        assert time.monotonic() < until, (bars, opened)
        facts, opened = lanes_of(address, 0.5)
        bars += [fact for fact in facts if "from" in fact and fact["lane"] == "shortpoll"]
    assert all(0 <= bar["to"] - bar["from"] < 1000 for bar in bars)


def test_the_picture_moves_and_holds_still_when_paused(listening):
    """While it is paused not a pixel changes, whatever happens in the room."""
    drawn = "document.getElementById('canvas').toDataURL()"
    before = listening.evaluate(drawn)
    listening.wait_for_function(f"before => {drawn} !== before", arg=before)
    listening.keyboard.press("Space")
    expect(listening.locator("#mode")).to_contain_text("paused")
    held, later = listening.evaluate(
        f"""async () => {{
          const pause = (ms) => new Promise((done) => setTimeout(done, ms));
          let held = {drawn};
          for (let tries = 0; tries < 20; tries++) {{ // the last step may still be drawn
            const before = held;
            await pause(200);
            held = {drawn};
            if (held === before) break;
          }}
          await pause(700);
          return [held, {drawn}];
        }}"""
    )
    assert later == held
    listening.keyboard.press("Space")
    expect(listening.locator("#mode")).to_have_text("live")


def test_reduced_motion_gives_one_picture_a_second(visit, address):
    """With `prefers-reduced-motion` the picture steps instead of gliding."""
    page = visit(address, motion="reduce").open(PATH)
    listen(page)
    seen = page.evaluate(
        """async () => {
          const seen = new Set(), end = performance.now() + 3000;
          while (performance.now() < end) {
            seen.add(document.getElementById("canvas").toDataURL());
            await new Promise((done) => setTimeout(done, 50));
          }
          return seen.size;
        }"""
    )
    assert 2 <= seen <= 12  # of sixty looks; what arrives between two steps is drawn when it arrives


def test_the_replay_shows_the_last_ten_seconds_ten_times_slower(listening):
    """Key S goes back ten seconds; from then on the picture falls behind by 0.9 seconds in each second."""
    listening.keyboard.press("s")
    expect(listening.locator("#mode")).to_contain_text("slow motion")
    first, fallen, passed = listening.evaluate(
        """async () => {
          const behind = () => parseFloat(document.getElementById("mode").textContent.match(/[0-9.]+ s ago/));
          const look = () => new Promise((seen) => {
            const was = behind();
            const frame = (now) => behind() === was ? requestAnimationFrame(frame) : seen([behind(), now]);
            requestAnimationFrame(frame);
          });
          const [first, began] = await look();
          await new Promise((done) => setTimeout(done, 2000));
          const [last, ended] = await look();
          return [first, last - first, (ended - began) / 1000];
        }"""
    )
    assert 10 <= first < 14
    assert fallen == pytest.approx(0.9 * passed, abs=0.4)
    listening.keyboard.press("r")
    expect(listening.locator("#mode")).to_have_text("live")


def test_a_replay_ends_in_the_present(visit, address):
    """A hundred seconds later it has caught up with the moment at which it began, and the picture is live."""
    page = visit(address).open(PATH)
    modes = page.evaluate(
        """async () => {
          const { Clock } = await import("/static/lanes/clock.js");
          const clock = new Clock();
          clock.receive(5000, 0);
          clock.slow(20_000);
          return [0, 50_000, 99_000, 101_000].map((ms) => [clock.moment(20_000 + ms), clock.mode]);
        }"""
    )
    start = 5000 + 20_000 - 300 - 10_000
    assert modes[:3] == [[start, "slow"], [start + 5000, "slow"], [start + 9900, "slow"]]
    assert modes[3][1] == "live"


# Numbers and texts --------------------------------------------------------------------------------


def settled(page, address):
    """The meters, once no client listens and the page shows them as they stand."""
    page.click("#listen")
    expect(page.locator("#listen")).to_have_attribute("aria-pressed", "false")
    for _ in range(20):
        final = meters(address)
        page.wait_for_timeout(500)
        if meters(address) == final:
            break
    for mode in LISTENING:
        exact = str(EXACT["bytes"](final[mode]["receive"]))
        expect(value(page, mode, "bytes")).to_have_attribute("value", exact)
    assert meters(address) == final
    return final


def test_the_figures_are_the_meters(listening, address):
    """Next to each lane stand exactly the figures of `/meters`."""
    latencies(listening, post(address))
    final = settled(listening, address)
    for mode in LISTENING:
        for name, exact in EXACT.items():
            shown = value(listening, mode, name).get_attribute("value")
            assert float(shown) == pytest.approx(exact(final[mode]["receive"]), rel=1e-9), (mode, name)


def test_what_was_not_measured_is_a_dash(quiet_address, visit):
    """In a lab without requests no figure is 0."""
    page = visit(quiet_address).open(PATH)
    expect(page.locator("#words")).to_have_text("No client has sent a request yet.")
    assert set(page.locator("[data-lane] [data-figure]").all_inner_texts()) == {"–"}


def test_the_sentence_is_computed_from_the_meters(listening, address):
    """It counts what the meters count, of the lane that is chosen or of the dearest."""
    latencies(listening, post(address))
    listening.keyboard.press("1")
    final = settled(listening, address)
    receive = final["shortpoll"]["receive"]
    requests, messages, empty = (f"{receive[name]:,}" for name in ("requests", "messages", "empty"))
    nouns = f"{requests} requests for {messages} message{'s' * (receive['messages'] != 1)}"
    expect(listening.locator("#words")).to_have_text(
        f"Short polling made {nouns}; {empty} had an empty response."
    )
    listening.keyboard.press("1")
    receives = {mode: final[mode]["receive"] for mode in LISTENING}
    each = {mode: EXACT["bytes"](receive) / receive["messages"] for mode, receive in receives.items()}
    dearest = max(each, key=each.get)
    expect(listening.locator("#words")).to_have_class(f"words {dearest}")


# What the teacher does ----------------------------------------------------------------------------


def test_empty_lanes_explain_how_to_fill_them(quiet_address, visit):
    """While the lanes are empty the page explains how to fill them; then the text disappears."""
    page = visit(quiet_address).open(PATH)
    expect(page.locator("#hint")).to_contain_text("Listen here")
    listen(page)
    page.fill("form#say [name=body]", "hello")
    page.keyboard.press("Enter")
    expect(page.locator("form#say [name=body]")).to_have_value("")
    expect(page.locator("#latencies tr")).to_have_count(1)


def test_the_keys_do_what_the_buttons_do(listening):
    """Digits choose lanes, a clicker's keys go through them, R empties, ? helps."""
    chosen, (first, second, third, *_) = listening.locator("[data-chosen]"), MODES
    listening.keyboard.press("3")
    expect(chosen).to_have_attribute("data-lane", third)
    listening.keyboard.press("3")
    expect(chosen).to_have_count(0)
    listening.evaluate("document.querySelector('details').open = false")
    listening.keyboard.press("p")  # the projector's view fits the screen, so these keys need not scroll
    for key, mode in [("PageDown", first), ("PageDown", second), ("PageUp", first)]:
        listening.keyboard.press(key)
        expect(chosen).to_have_attribute("data-lane", mode)
    listening.keyboard.press("l")
    expect(listening.locator("#listen")).to_have_attribute("aria-pressed", "false")
    listening.keyboard.press("r")
    expect(chosen).to_have_count(0)
    expect(listening.locator("#latencies tr")).to_have_count(0)
    listening.keyboard.press("?")
    expect(listening.locator("dialog#help")).to_contain_text("ten times slower")


def test_keys_do_nothing_while_a_user_writes(listening):
    """In the box a letter is a letter, and the space bar presses the button that has the focus."""
    box = listening.locator("form#say [name=body]")
    box.press_sequentially("r s l 1 2")
    expect(box).to_have_value("r s l 1 2")
    expect(listening.locator("#mode")).to_have_text("live")
    expect(listening.locator("[data-chosen]")).to_have_count(0)
    listening.focus("[data-lane=sse] button")
    listening.keyboard.press("Space")
    expect(listening.locator("[data-chosen]")).to_have_attribute("data-lane", "sse")
    expect(listening.locator("#mode")).to_have_text("live")


def test_a_failed_send_stays_with_the_reason(visit, address):
    """The text remains in the box, with the reason."""
    visitor = visit(address)
    listening = visitor.open(PATH)
    listening.route("**/longpoll", lambda route: route.fulfill(status=503, json=REFUSED))
    listening.click("[data-lane=longpoll] .sign")  # whose technique sends
    listening.fill("form#say [name=body]", "lost?")
    listening.keyboard.press("Enter")
    expect(listening.locator("#notice")).to_contain_text("The history is away.")
    expect(listening.locator("form#say [name=body]")).to_have_value("lost?")
    assert all("503" in visitor.complaints.pop() for _ in visitor.complaints[:])  # the browser's own line


REFUSED = {"error": {"code": "history_unavailable", "message": "The history is away."}, "stored": False}


# What the browser can bear ------------------------------------------------------------------------


def test_a_second_tab_shows_where_the_lanes_run(visit, address):
    """Only one tab listens; the other says so, and may take over."""
    visitor = visit(address)
    first = visitor.open(PATH)
    listen(first)
    second = visitor.open(PATH)
    expect(second.locator("#notice")).to_contain_text("another tab")
    second.click("#listen")
    expect(second.locator("#listen")).to_have_attribute("aria-pressed", "true")
    expect(first.locator("#notice")).to_contain_text("another tab")
    expect(first.locator("#listen")).to_have_attribute("aria-pressed", "false")
    second.close()
    expect(first.locator("#notice")).to_be_hidden()


def test_the_clients_of_the_page_are_not_users(quiet_address, visit):
    """They are not among the users whom the first page counts."""
    page = visit(quiet_address).open(PATH)
    listen(page)
    from websockets.sync.client import connect

    with connect(f"{quiet_address.replace('http', 'ws')}/live") as socket:
        assert json.loads(socket.recv())["presence"] == []


def test_a_hidden_tab_does_not_listen(listening, address):
    """A browser slows a hidden tab down, and its techniques would look better than they are."""
    hide = "hidden => { Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });"
    hide += " document.dispatchEvent(new Event('visibilitychange')); }"
    listening.evaluate(hide, True)
    for _ in range(PATIENCE_MS // 100):
        if not any(meters(address)[mode]["open"] for mode in MODES if mode != "jsonp"):
            break  # a script that is on its way cannot be called back
        listening.wait_for_timeout(100)
    else:
        raise AssertionError("The hidden page still listens.")
    listening.evaluate(hide, False)
    latencies(listening, post_when_open(listening, address))


def post_when_open(page, address):
    """Send a message once all that hold a connection hold it again; returns its id."""
    while sum(meters(address)[mode]["open"] for mode in [*HELD, "websocket"]) < len(HELD) + 1:
        page.wait_for_timeout(100)
    page.wait_for_timeout(2500)  # short polling and the lanes find each other within two intervals
    return post(address)


def test_simulated_students_and_a_tired_laptop_are_marked(quiet_address, visit):
    """Both are shown next to the title as soon as the news have them, and neither before."""
    page = visit(quiet_address).open(f"{PATH}?view=projector")
    expect(page.locator("#status")).to_have_attribute("data-status", "waiting")
    expect(page.locator("#simulated")).to_be_hidden()
    shown = page.evaluate(
        """async () => {
          const { showNotes } = await import("/static/lanes/notes.js");
          const [simulated, strained] = ["simulated", "strained"].map((id) => document.getElementById(id));
          showNotes({ crew: { ever: true }, strain: { bottleneck: true } }, { simulated, strained });
          const title = document.querySelector("h1");
          const found = [simulated.hidden, strained.hidden, document.body.classList.contains("strained")];
          return [...found, title.scrollWidth > title.clientWidth];
        }"""
    )
    assert shown == [False, False, True, False]  # and the title is not cut


STEP = """async ([places, width, last]) => {
  const { stepOf } = await import("/static/lanes/numbers.js");
  return stepOf(places, width, last);
}"""


@pytest.mark.parametrize(
    ("distance", "last", "step"),
    [(50, 1, 1), (30, 1, 2), (4, 1, 10), (0.01, 1, 2000), (30, 10, 2), (21, 5, 5), (0, 1, 2000)],
    ids=["wide", "near", "dense", "one number", "room again", "not quite", "one place"],
)
def test_the_numbers_of_messages_never_overlap(listening, distance, last, step):
    """Each n-th message has its number; more come back only when there is more room than they need."""
    places = [[n, n * distance] for n in range(1, 2500)]
    found = listening.evaluate(STEP, [places, 40, last])
    assert found == step
    numbered = [x for n, x in places if n % found == 0]
    assert all(right - left >= 40 for left, right in pairwise(numbered))


def test_the_page_holds_at_most_four_http_connections(listening, address):
    """Two of the browser's six stay free, so that a message can still be sent."""
    most = 0
    for _ in range(20):
        now = meters(address)
        most = max(most, sum(now[mode]["open"] for mode in MODES if mode != "websocket"))
        listening.wait_for_timeout(100)
    assert len(HELD) <= most <= MOST_HELD + 1  # and a short poll that is being answered just then
    assert sum(meters(address)[mode]["open"] for mode in HOLDING) <= MOST_HELD


@pytest.mark.parametrize(("mode", "technique"), TECHNIQUES.items())
def test_a_module_states_how_many_connections_it_holds(mode, technique):
    """Short polling holds none, the others one; only a WebSocket is not among the six."""
    assert held_by(mode) == (technique.verb != "ask" and mode != "websocket")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_names_the_techniques_that_rest(visit, address, language):
    """One sentence names those that do not fit, and their lanes are marked while it listens."""
    page = visit(address, language=language).open(PATH)
    expect(page.locator("#notice")).to_be_hidden()
    listen(page)
    titles = [page.locator(f"[data-lane={mode}] a").inner_text() for mode in RESTING]
    sentence = i18n.text(language, "compare.rests", titles=i18n.text(language, "lab.and").join(titles))
    expect(page.locator("#notice")).to_have_text(sentence)
    assert page.locator("[data-rests]").evaluate_all("all => all.map(row => row.dataset.lane)") == RESTING
    page.click("#listen")
    expect(page.locator("#notice")).to_be_hidden()
    assert page.locator("[data-rests]").count() == 0


def test_techniques_listen_in_order_while_their_connections_fit(visit, address):
    """One that does not fit rests, also when a later one, which holds fewer, still fits."""
    resting = """async (holds) => (await import("/static/lanes/audience.js")).resting(holds)"""
    page = visit(address).open(PATH)
    assert page.evaluate(resting, {"a": 1, "b": 0, "c": 2, "d": 2, "e": 1, "f": 0, "g": 1}) == ["d", "g"]
    assert page.evaluate(resting, {}) == []


# Who can use it -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("language", "theme"), LOOKS)
def test_axe_finds_no_barrier(visit, address, language, theme):
    """axe finds no barrier, in either language and theme, with traffic on the page."""
    page = visit(address, language=language, theme=theme).open(PATH)
    listen(page)
    latencies(page, post(address))
    page.keyboard.press("2")
    assert barriers(page) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_fits_a_projector(visit, address, language):
    """At 1280 by 720 nothing scrolls, figures have at least 32 px and no text less than 16."""
    page = visit(address, language=language, size=PROJECTOR).open(f"{PATH}?view=projector")
    listen(page)
    for _ in range(6):
        page.wait_for_timeout(600)
        post(address)
    picture(page, f"compare-projector-{language}")
    assert page.evaluate("document.documentElement.scrollHeight <= innerHeight")
    sizes = "places => places.map(place => parseFloat(getComputedStyle(place).fontSize))"
    assert min(page.locator("[data-figure]").evaluate_all(sizes)) >= 32
    assert min(page.locator("main *:visible").evaluate_all(sizes)) >= 16
    page.keyboard.press("?")
    assert page.locator("#help").evaluate("help => help.scrollHeight <= help.clientHeight")


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_works_on_a_phone(visit, address, language):
    """At 360 px nothing sticks out to the side, and a finger hits every button."""
    page = visit(address, language=language, size=PHONE).open(PATH)
    listen(page)
    latencies(page, post(address))
    page.evaluate("document.querySelector('details').open = false")
    picture(page, f"compare-phone-{language}", whole=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    heights = "buttons => buttons.map(button => button.getBoundingClientRect().height)"
    assert min(page.locator("main button:visible, main input, summary").evaluate_all(heights)) >= 44


def test_the_lanes_come_back_after_a_restart_of_the_line(listening, address):
    """When `/live` breaks, the page asks for its lanes again by itself."""
    listening.context.set_offline(True)
    listening.context.set_offline(False)
    expect(listening.locator("#status")).to_have_attribute("data-status", "waiting", timeout=PATIENCE_MS)
    latencies(listening, post(address))
