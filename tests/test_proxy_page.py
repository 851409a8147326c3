"""The page of the faulty proxy: real trials behind a real nginx, and recorded ones where there is none."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest
from playwright.sync_api import expect

from lab.catalogue import MODES
from lab.errors import CannotStart
from lab.experiment import trials
from lab.experiment.trial import silence_of
from lab.languages import catalogue
from lab.proxy import private
from lab.proxy.lessons import LESSONS, Setup, setups
from lab.proxy.switches import NAMES, parse
from lab.server.lesson import proxy_trials
from lab.server.pages import i18n
from lab.server.pages.proxy import CHOICES, order
from tests.support.again import TRIES
from tests.support.browsing import (
    PHONE,
    PROJECTOR,
    barriers,
    meters,
    picture,
    sheets,
    too_much,
    too_small,
    unfold,
)
from tests.support.lab_here import LabHere
from tests.support.lab_process import ROOT
from tests.support.leftovers import Mark
from tests.support.redis_server import free_port

pytestmark = pytest.mark.timeout(180)
PATIENCE_S = 60.0
DONE_MS = 60_000
TRIED = ("timeout", "buffering", "retry")
"""Lessons that are tried here, each with its cure; test_proxy_faults.py has the symptoms of all faults."""


UNCHANGED = ("always", "balance")
"""Faults that no lamp shows: one costs nothing here, the other shows in the requests of each lab."""


def state(school, **wanted):
    """Ask for something, or look; returns the state."""
    if wanted:
        return school.teacher_post("proxy", **wanted)
    return school.lab.lesson.proxy_trials.as_json()


def tried(school, setup):
    """Run a trial to its end; returns the state."""
    before = state(school, do="try", **order(setup))["revision"]
    limit = time.monotonic() + PATIENCE_S
    while (found := state(school))["running"] or found["revision"] < before:
        assert time.monotonic() < limit, found
        time.sleep(0.05)
    return found


def tried_as_recorded(school, setup):
    """The same, three times at most: the proxy rightly cuts a lab that stood still for two seconds."""
    recorded = lamps({"results": proxy_trials.recorded()["results"][setup.key]})
    for _ in range(TRIES):
        if lamps(found := tried(school, setup)) == recorded:
            break
    return found


def lamps(found):
    """The lamp of each technique."""
    return {result["mode"]: result["lamp"] for result in found["results"]}


@pytest.fixture(scope="module")
def running(school):
    """The trials of some lessons, in one lab: the states at their end, by name and kind."""
    before = meters(school.address)
    found = {
        (name, kind): tried_as_recorded(school, getattr(LESSONS[name], kind))
        for name in TRIED
        for kind in ("fault", "cure")
    }
    assert meters(school.address) == before
    return found


@pytest.mark.needs("nginx")
@pytest.mark.parametrize("name", TRIED)
@pytest.mark.parametrize("kind", ["fault", "cure"])
def test_a_trial_shows_what_happens(running, name, kind):
    """The lamps are those of the recorded trial, with evidence; no meter of the class has moved."""
    found, setup = running[name, kind], getattr(LESSONS[name], kind)
    recorded = proxy_trials.recorded()["results"][setup.key]
    assert lamps(found) == lamps({"results": recorded})
    assert found["error"] is None and found["version"].startswith("nginx/")
    for result in found["results"]:
        assert result["requests"] >= 1
        assert (result["lamp"] == "cut") == (result["failed_s"] is not None and not refused(result))
        assert result["lamp"] in ("ok", "late") or result["log"]
    changed = {line[1] for line in found["lines"]} - {None}
    assert changed == {part.partition("=")[0] for part in str(setup.switches).split(",") if "=" in part}


def refused(result):
    """Whether the client was refused for good."""
    return result["lamp"] == "refused"


@pytest.mark.needs("nginx")
def test_a_poll_that_is_cut_has_its_line_in_the_log(running):
    """504 after the timeout, and nginx' own reason; streams end with their 200."""
    results = {result["mode"]: result for result in running["timeout", "fault"]["results"]}
    assert results["longpoll"]["status"] == 504 and results["longpoll"]["failed_s"] >= 2.9
    assert "upstream timed out" in results["longpoll"]["log"]
    assert results["websocket"]["close_code"] == 1006
    assert results["sse"]["status"] is None


@pytest.mark.needs("nginx")
def test_a_poll_that_is_sent_to_both_labs_disables_them(running):
    """504 after twice the timeout; then nginx answers with 502, and the requests of each lab are counted."""
    results = {result["mode"]: result for result in running["retry", "fault"]["results"]}
    failed = results["longpoll"]["status"], results["longpoll"]["failed_s"]
    # 502 after one timeout, if streams that were cut at the same moment have disabled the other lab already
    assert (failed[0] == 504 and failed[1] >= 3.9) or (failed[0] == 502 and failed[1] >= 1.9)
    assert 502 in (results["shortpoll"]["status"], results["shortpoll"]["then"])
    for result in results.values():
        assert sum(result["labs"]) == result["requests"]


@pytest.mark.needs("nginx")
def test_ip_hash_gives_all_clients_of_a_network_to_one_lab(school):
    """Fault 9: no lamp changes, and one of the two labs has received nothing."""
    found = tried(school, LESSONS["balance"].fault)
    assert set(lamps(found).values()) == {"ok"}
    assert 0 in [sum(counts) for counts in zip(*(one["labs"] for one in found["results"]), strict=True)]


def test_a_cured_lab_has_only_ok_lamps():
    """Every cure was recorded without a symptom, every fault with one, but two of them."""
    results = proxy_trials.recorded()["results"]
    assert set(results) == {setup.key for setup in setups()}
    for name, lesson in LESSONS.items():
        assert set(lamps({"results": results[lesson.cure.key]}).values()) == {"ok"}
        assert list(lamps({"results": results[lesson.fault.key]})) == list(MODES)
        assert (set(lamps({"results": results[lesson.fault.key]}).values()) == {"ok"}) == (name in UNCHANGED)


@pytest.mark.needs("nginx")
def test_one_trial_at_a_time(school):
    """While one runs another is refused; a wrong switch is refused with its name."""
    quick = order(Setup(parse("upgrade=off")))
    state(school, do="try", **quick)
    wrong = {"gzip=3": "gzip must be on or off", "balance=hash": "needs several labs"}
    refused = [(quick, "A trial is running"), *((quick | {"switches": s}, hint) for s, hint in wrong.items())]
    for wanted, hint in refused:
        with pytest.raises(urllib.error.HTTPError) as refusal:
            state(school, do="try", **wanted)
        with refusal.value as answer:
            assert hint in json.load(answer)["error"]["message"]
    state(school, do="stop")
    assert state(school)["running"] is False and state(school)["url"] is None


@pytest.mark.needs("nginx")
async def test_a_refused_configuration_changes_nothing(monkeypatch):
    """nginx's complaint is one sentence, and the nginx and the lab before it go on."""
    reports, under_test = [], trials.Trials(lambda line: reports.append(line))
    try:
        await under_test.set_up(Setup(parse("good")), None)
        before = under_test.nginx, under_test.behind
        monkeypatch.setattr(private, "free_port", lambda: 99999)
        await trials.tried(under_test.run(Setup(parse("gzip=on")), None), reports.append)
        (report,) = reports
        assert report["error"].startswith("nginx does not accept its configuration: invalid port")
        assert (under_test.nginx, under_test.behind) == before
        assert before[0].process.poll() is None
    finally:
        await under_test.close()


@pytest.mark.needs("nginx")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["SIGTERM", "SIGKILL"])
def test_nothing_is_left_running(number, redis_server):
    """When the lab ends, or is killed, nginx and the lab behind it end too, in the middle of a trial."""
    mark = Mark()
    command = [
        sys.executable,
        "run_lab.py",
        "--no-browser",
        "--redis",
        redis_server.url,
        "--port",
        str(free_port()),
    ]
    surroundings = os.environ | mark.environment
    with subprocess.Popen(command, cwd=ROOT, env=surroundings, stdout=subprocess.PIPE, text=True) as process:
        link = next(line for line in process.stdout if "Teacher" in line).split()[-1]
        ask(link, {"do": "try", **order(LESSONS["timeout"].fault)})
        eventually_has(mark, b"nginx.conf", True)
        process.send_signal(number)
        process.wait(30)
    eventually_has(mark, b"", False)


def ask(link, wanted):
    """What a script does with the printed link of the teacher."""
    address, _, token = link.partition("teacher?token=")
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    request = urllib.request.Request(f"{address}teacher/proxy", json.dumps(wanted).encode(), headers)
    urllib.request.urlopen(request, timeout=20).close()


def eventually_has(mark, part, there):
    """Wait until a process with this in its command line is there, or none is."""
    limit = time.monotonic() + PATIENCE_S
    while any(part in line for line in mark.alive()) != there:
        assert time.monotonic() < limit, mark.alive()
        time.sleep(0.05)


@pytest.fixture
def without_nginx(monkeypatch):
    """A machine that has none."""

    def find(name):
        raise CannotStart(f"{name} is not installed. To install it: apt-get install {name}")

    monkeypatch.setattr(private, "find", find)


def test_without_nginx_a_recorded_trial_is_shown(without_nginx):
    """With its version and date; other switches have their configuration, and no results."""
    with LabHere() as school:
        found = tried(school, LESSONS["buffering"].fault)
        assert lamps(found)["sse"] == "late" and found["date"] and found["version"].startswith("nginx/")
        assert "apt-get install nginx" in found["install"] and found["url"] is None
        other = tried(school, Setup(parse("keepalive=7")))
        assert other["results"] == []
        assert any(line[1] == "keepalive" for line in other["lines"])


def test_a_silence_is_longer_than_a_short_timeout_only():
    """A trial does not wait for a timeout of a minute."""
    assert [silence_of(parse(text)) for text in ("good", "timeout=3s", "idle=5s", "idle=30s")] == [1, 4, 6, 1]


def test_each_switch_can_be_chosen():
    """The page offers every switch but the one for the terminal, and what it offers can be read."""
    assert [name for name in CHOICES if name in NAMES] == [name for name in NAMES if name != "shared"]
    for name, values in CHOICES.items():
        for value in values if name in NAMES else ():
            assert value == "" or str(parse(f"{name}={value}")) in ("good", f"{name}={value}")


# The page -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def played():
    """A lab on a machine without nginx: its trials are recorded ones, which cost no time."""
    with LabHere() as school:
        school.lab.lesson.proxy_trials.missing = lambda: "nginx is not installed."
        yield school


@pytest.mark.needs("chromium")
@pytest.mark.parametrize(("language", "theme"), [("en", "light"), ("zh-CN", "dark")])
def test_everyone_can_read_it(played, open_page, language, theme):
    """axe finds no barrier; it fits a phone and a projector, with the longest evidence."""
    page = open_page(played, "/proxy", teacher=True, language=language, color_scheme=theme, viewport=PHONE)
    page.click("[data-lesson=timeout] [value=fault]")
    expect(page.locator("[data-lamp=cut]")).to_have_count(6)
    assert barriers(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    picture(page, f"proxy-phone-{language}", whole=True)
    page.set_viewport_size(PROJECTOR)
    page.locator("h1").click()
    page.keyboard.press("p")
    for name in sheets(page):
        assert (too_much(page), too_small(page)) == ([], []), name
        picture(page, f"proxy-projector-{language}-{name}")
    page.keyboard.press("p")
    page.click("[data-lesson=balance] [value=fault]")
    expect(page.locator("[data-lamp=ok] .costs[data-labs]")).to_have_count(len(MODES))
    page.keyboard.press("p")
    assert too_much(page) == []


@pytest.mark.needs("chromium")
def test_a_fault_and_its_cure(played, open_page):
    """A click on a fault marks its lines and shows its lamps; the cure, and a single switch, do so too."""
    page = open_page(played, "/proxy", teacher=True)
    marked = page.locator("#conf [data-switch]")
    expect(page.locator("#missing")).to_contain_text("nginx is not installed.")
    for name, lesson in LESSONS.items():
        page.click(f"[data-lesson={name}] [value=fault]")
        found = lamps({"results": proxy_trials.recorded()["results"][lesson.fault.key]})
        expect(page.locator("#about")).to_have_text(i18n.text("en", f"proxy.about.{name}"))
        for mode, lamp in found.items():
            expect(page.locator(f"[data-technique={mode}]")).to_have_attribute("data-lamp", lamp)
        assert marked.count() >= 1
        page.click(f"[data-lesson={name}] [value=cure]")
        expect(page.locator("[data-lamp=ok]")).to_have_count(len(MODES))
    expect(page.locator("#step")).to_contain_text("Recorded with nginx/")
    for name, value in {"host": "off", "labs": "1", "balance": "round_robin"}.items():
        page.select_option(f"[name={name}]", value)
    page.click("#try")
    expect(page.locator("[data-lamp=refused]")).to_have_count(len(MODES))
    expect(page.locator("[data-technique=sse] .evidence")).to_contain_text("status 421 after")
    assert marked.all_text_contents() == ["      # proxy_set_header Host $http_host;changed by host"]


@pytest.mark.needs("chromium", "nginx")
def test_a_real_trial_in_the_browser(school, open_page):
    """The steps and the lamps come as they happen; the room behind nginx opens from the page."""
    page = open_page(school, "/proxy", teacher=True)
    page.click("[data-lesson=upgrade] [value=fault]")
    expect(page.locator("#try")).to_be_disabled()
    expect(page.locator("#step")).to_contain_text("Measured with nginx/", timeout=DONE_MS)
    expect(page.locator("[data-technique=websocket]")).to_have_attribute("data-lamp", "refused")
    expect(page.locator("[data-technique=websocket] .evidence")).to_contain_text("status 426")
    with urllib.request.urlopen(page.get_attribute("#own a", "href"), timeout=20) as answer:
        assert 'id="messages"' in answer.read().decode()


@pytest.mark.needs("chromium")
def test_it_is_the_teachers(played, open_page):
    """Linked from the console and from the teacher's help; a student gets neither the page nor the state."""
    page = open_page(played, "/teacher", teacher=True)
    unfold(page, "#settings")
    page.click("main a[href$='/proxy']:visible")
    page.wait_for_url("**/proxy")
    assert page.locator("#help a[href$='/proxy']").count() == 1
    with pytest.raises(urllib.error.HTTPError) as refusal:
        played.ask("/proxy", teacher=False)
    assert refusal.value.code == 403
    refusal.value.close()


# The vote ------------------------------------------------------------------------------------------


def vote(school):
    """The vote by hand, as the pages receive it."""
    return school.lab.lesson.by_hand.for_pages()


@pytest.mark.parametrize("name", ["timeout", "always"])
def test_a_trial_answers_the_vote_about_it(played, name):
    """The sentence names exactly the techniques whose lamp is not ok; the next trial changes nothing."""
    played.teacher_post("bet", do="open", about="proxy")
    assert (vote(played)["state"], vote(played)["question"]["name"]) == ("open", "fails")
    found = state(played, do="try", **order(LESSONS[name].fault))
    bad = [mode for mode, lamp in lamps(found).items() if lamp != "ok"]
    ended = vote(played)
    assert (ended["state"], ended["truth"]) == ("measured", None)
    if bad:
        assert ended["why"] == [{"key": "lesson.why.fails", "values": {"failed_titles": bad}}]
    else:
        assert ended["why"] == [{"key": "lesson.why.fails.none", "values": {}}]
    state(played, do="try", **order(LESSONS["host"].fault))
    assert vote(played) == ended


def test_a_vote_about_bytes_is_not_answered_by_a_trial(played):
    """It goes on; and what a vote is about is one of two words."""
    played.teacher_post("bet", do="open")
    state(played, do="try", **order(LESSONS["timeout"].fault))
    assert (vote(played)["state"], vote(played)["question"]["name"]) == ("open", "most_bytes")
    with pytest.raises(urllib.error.HTTPError, match="400"):
        played.teacher_post("bet", do="open", about="weather")
    assert vote(played)["state"] == "open"
    played.teacher_post("bet", do="close")


@pytest.mark.needs("chromium")
@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_phones_vote_before_a_trial(played, open_page, language):
    """A click asks; a phone answers; the trial shows there what did not work."""
    phone = open_page(played, "/room?mode=sse", language=language, viewport=PHONE)
    page = open_page(played, "/proxy", teacher=True, language=language)
    page.click("#to-phones")
    phone.locator("[data-bet=longpoll] .guess").click()
    expect(page.locator("#votes")).to_contain_text("1")
    page.locator("[data-lesson=timeout] [value=fault]").click()
    titles = {mode: catalogue(language)[f"title.{mode}"] for mode in ("longpoll", "shortpoll")}
    expect(phone.locator("#bet-why")).to_contain_text(titles["longpoll"])
    expect(phone.locator("#bet-why")).not_to_contain_text(titles["shortpoll"])
    expect(page.locator("#votes")).to_have_text("")
    picture(phone, f"proxy-vote-phone-{language}")
    played.teacher_post("bet", do="close")
