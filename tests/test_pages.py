"""The pages without a browser: every text in both languages, a policy on each, and the teacher's actions."""

import json
import re
import string

import pytest
from websockets.sync.client import connect

from lab.catalogue import MODES, POLLS, TECHNIQUES
from lab.languages import CHINESE, ENGLISH, catalogue
from lab.server.lesson import lan
from lab.server.lesson.lan import qr_code
from lab.server.lesson.simulated_students import Plan
from lab.server.lesson.teacher_key import TeacherKey, cookie_name
from lab.server.pages import alone, i18n
from tests.support.lab_process import ROOT
from tests.support.wire import HOST

PAGES = ROOT / "pages"
TEMPLATES = sorted((PAGES / "templates").glob("*.html"))
SCRIPTS = sorted(path for folder in ("static", "static/lanes") for path in (PAGES / folder).glob("*.js"))
HAN = re.compile(r"[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]")
SENTENCE = re.compile(r"[A-Za-z]{2,} [a-z]{2,} [a-z]+")
"""Three words in a row are a sentence: names of techniques and of classes are shorter."""
PUBLIC = (
    "/",
    "/room",
    "/compare",
    "/exercises",
    "/doctor",
    "/connections",
    "/lesson/sheet",
    *(f"{page}{mode}" for page in ("/room?mode=", "/technique/") for mode in MODES),
)
ACTIONS = {
    "network": [{}, {"address": "127.0.0.1"}],
    "crew": [{"do": "start", "each": 1}, {"do": "stop"}, {"do": "pace"}],
    "bet": [{"do": "open"}, {"do": "count"}, {"do": "close"}],
    "assign": [{"to": "rotation"}, {"to": "choice"}, *({"to": mode} for mode in MODES)],
    "proxy": [{"do": "stop"}],
    "exercises": [{"open": True}, {"open": False}],
    "lesson": [{"do": "next"}, {"do": "again"}, {"do": "skip"}, {"do": "back"}, {"do": "end"}],
    "reset": [{}],
}
REQUESTS = [(action, wanted) for action, all_wanted in ACTIONS.items() for wanted in all_wanted]


def short(path):
    """A file's name, for the name of a test."""
    return path.name


# Texts --------------------------------------------------------------------------------------------


def test_both_languages_have_the_same_texts():
    """No key is missing on either side, no text is empty, and both have the same places to fill."""
    english, chinese = catalogue(ENGLISH), catalogue(CHINESE)
    assert english.keys() == chinese.keys()
    for key, text in english.items():
        assert text.strip(), key
        assert chinese[key].strip(), key
        assert places(text) == places(chinese[key]), key


def places(text):
    """The names in braces."""
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_no_key_is_written_twice():
    """Two catalogues of one language must not contradict each other."""
    for language in i18n.LANGUAGES:
        files = [p for p in (PAGES / "i18n").glob("*.json") if p.stem.split(".")[-1] == language]
        pairs = [pair for p in files for pair in json.loads(p.read_text("utf-8"), object_pairs_hook=list)]
        keys = [key for key, _ in pairs]
        assert sorted(set(keys)) == sorted(keys)


@pytest.mark.parametrize("path", [*TEMPLATES, *SCRIPTS], ids=short)
def test_every_text_that_is_asked_for_exists(path):
    """A key that stands in a template or script is in the catalogues; of a composed one, its start."""
    source, keys = path.read_text(encoding="utf-8"), catalogue(ENGLISH)
    for key in re.findall(r"""\b_\("([\w.]+)"[,)]""", source):
        assert key in keys, key
    for start in re.findall(r"""\b_\(["`]([\w.]+?)(?:\$\{|" ~)""", source):
        assert start == "title." or any(key.startswith(start) for key in keys), start


@pytest.mark.parametrize("path", TEMPLATES, ids=short)
def test_templates_hold_no_text(path):
    """Every text of a template comes from the catalogues."""
    source = re.sub(r"\{% block class %\}.*?\{% endblock %\}", "", path.read_text(encoding="utf-8"))
    source = re.sub(r"\{%.*?%\}|\{\{.*?\}\}|\{#.*?#\}", " ", source, flags=re.S)
    shown = re.sub(r"<[^>]*>", "\n", source)
    attributes = re.findall(r"""(?:alt|title|placeholder|aria-label)="([^"]*)\"""", source)
    for text in [*shown.splitlines(), *attributes]:
        assert not HAN.search(text), text
        assert not re.search(r"[A-Za-z]{3,}", text.replace("JSON", "").replace("CSV", "")), text


@pytest.mark.parametrize("path", SCRIPTS, ids=short)
def test_scripts_hold_no_text(path):
    """Every text that a script shows comes from the catalogues; comments are free."""
    source = re.sub(r"/\*.*?\*/|(?<!:)//[^\n]*", "", path.read_text(encoding="utf-8"), flags=re.S)
    assert not HAN.search(source)
    for quoted in re.findall(r'"([^"\n]*)"|`([^`]*)`', source):
        assert not SENTENCE.search(" ".join(quoted)), quoted


@pytest.mark.parametrize("path", sorted((ROOT / "lab" / "server").rglob("*.py")), ids=short)
def test_the_server_holds_no_chinese(path):
    """Nor does the server, but for the names of the languages and what it says on the terminal."""
    if path.stem not in ("i18n", "classroom", "confirm_exit", "several_labs"):
        assert not HAN.search(path.read_text(encoding="utf-8"))


# Which language -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "remembered", "accepted", "language"),
    [
        ("", "", "", "en"),
        ("", "", "zh-Hans", "zh-CN"),
        ("", "", "zh-TW,zh;q=0.9,en;q=0.8", "zh-CN"),
        ("", "", "zh", "zh-CN"),
        ("", "", "en-GB,en;q=0.9,zh-CN;q=0.8", "en"),
        ("", "", "en;q=0.3,zh-CN;q=0.8", "zh-CN"),
        ("", "", "de-DE,de;q=0.9", "en"),
        ("", "", "de,zh-CN;q=0.5", "zh-CN"),
        ("", "", "zh;q=nonsense,en", "en"),
        ("", "zh-CN", "en", "zh-CN"),
        ("en", "zh-CN", "zh-CN", "en"),
        ("zh", "en", "en", "zh-CN"),
        ("tlh", "", "zh", "zh-CN"),
    ],
)
def test_each_request_gets_its_language(asked, remembered, accepted, language):
    """What is asked for in the URL, else what was chosen before, else what the browser says."""
    assert i18n.chosen(asked, remembered, accepted) == language


def test_a_choice_is_remembered(visit):
    """`?lang=` sets a cookie, and only for a language that there is; `<html lang>` says which it is."""
    status, headers, page = visit("/?lang=zh")
    assert (status, 'lang="zh-CN"' in page) == (200, True)
    assert headers["Set-Cookie"].startswith("lang=zh-CN;")
    _, headers, page = visit("/room", Cookie="lang=zh-CN")
    assert '<html lang="zh-CN">' in page
    _, headers, _ = visit("/?lang=<script>")
    assert "Set-Cookie" not in headers


# Every page ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PUBLIC)
@pytest.mark.parametrize("language", i18n.LANGUAGES)
def test_a_page_lets_nothing_in(visit, path, language):
    """A strict policy, no inline style or script, nothing from elsewhere."""
    status, headers, page = visit(path, **{"Accept-Language": language})
    assert status == 200
    assert headers["Content-Security-Policy"].startswith("default-src 'self';")
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert not re.search(r"\sstyle=|\son\w+=|<style|javascript:", page)
    assert re.findall(r"<script(?![^>]*(?:src=\"/|application/json))", page) == []
    assert re.findall(r"(?:src|href)=\"(?:https?:)?//", page) == []
    assert f'<html lang="{language}">' in page
    files = re.findall(r"<(?:link|script)[^>]*(?:href|src)=\"([^\"]*)\"", page)
    assert files
    assert sorted(set(files)) == sorted(files)  # each is asked for once


def test_the_palette_is_the_catalogue(visit):
    """The colours of the techniques are those of the catalogue, for light and for dark."""
    _, headers, sheet = visit("/palette.css")
    assert headers["Content-Type"].startswith("text/css")
    for mode, technique in TECHNIQUES.items():
        assert f".{mode} {{ --technique: {technique.light}; }}" in sheet
        assert f"@media screen {{ [data-theme=dark] .{mode} {{ --technique: {technique.dark}; }} }}" in sheet


def test_a_room_without_a_technique_is_assigned_one(lab_here):
    """New users who did not choose begin by a poll, or the teacher lets the techniques take turns."""
    visit = visitor(lab_here.lab)
    assert f'class="room {POLLS[0]}"' in visit("/room")[2]
    lab_here.teacher_post("assign", to="rotation")
    given = [re.search(r"<body class=\"room (\w+)\"", visit("/room")[2])[1] for _ in range(2 * len(MODES))]
    assert given == [*MODES, *MODES]


# The teacher --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("action", "wanted"), REQUESTS)
def test_no_action_works_without_the_key(lab, visit, action, wanted):
    """Without the cookie, with a wrong one or with a wrong token, every action is 403."""
    for given in ({}, {"Cookie": f"{cookie_name(lab.port)}=guess"}, {"Authorization": "Bearer guess"}):
        status, _, answer = visit(f"/teacher/{action}", wanted, **given)
        assert (status, json.loads(answer)["error"]["code"]) == (403, "forbidden")


@pytest.mark.parametrize(
    "path",
    [
        "/teacher",
        "/teacher?token=guess",
        "/teacher/exercises.csv",
        "/teacher/lesson.csv",
        "/lesson/sheet?answers=1",
        *(f"/teacher/meters.{kind}" for kind in ("json", "csv", "svg", "png")),
    ],
)
def test_a_student_does_not_see_the_console(visit, path):
    """Nor its files."""
    assert visit(path)[0] == 403


@pytest.mark.parametrize("action", ACTIONS)
def test_no_action_is_a_link(visit, action):
    """What changes something is never done by GET."""
    status, headers, _ = visit(f"/teacher/{action}")
    assert status in (403, 405)
    assert "Set-Cookie" not in headers


@pytest.mark.parametrize(("action", "wanted"), REQUESTS)
def test_a_foreign_page_cannot_use_the_teachers_cookie(visit, action, wanted):
    """A request from another site is refused whatever it carries."""
    foreign = {"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"}
    assert visit(f"/teacher/{action}", wanted, **foreign)[0] == 403


@pytest.mark.parametrize("kind", [*ACTIONS, "network", "nonsense"])
def test_a_student_is_refused_on_the_live_socket_too(lab, kind):
    """The WebSocket performs no action: it sends the code of a 403, and goes on."""
    with connect(f"ws://127.0.0.1:{lab.port}/live?light=1") as socket:
        socket.send(json.dumps({"type": kind, "do": "start"}))
        while (said := json.loads(socket.recv(10)))["type"] == "news":
            pass
        assert (said["type"], said["error"]["code"]) == ("error", "forbidden")


@pytest.mark.parametrize("noise", ["", "[]", "7", "null", "{}", '{"type":{}}', '{"type":"vote"}', "{" * 2000])
def test_noise_on_the_live_socket_is_harmless(lab, noise):
    """Whatever a page sends, the socket stays and the clock still answers."""
    with connect(f"ws://127.0.0.1:{lab.port}/live?light=1") as socket:
        socket.send(noise)
        socket.send(json.dumps({"type": "clock", "at": 12.5}))
        while (said := json.loads(socket.recv(10)))["type"] in ("news", "error"):
            pass
        assert said["at"] == 12.5


def test_a_ticket_works_once():
    """The printed link and the browser's own each give the cookie once; the header token lasts."""
    key = TeacherKey()
    ticket = key.ticket()
    cookie = key.exchange(key.token, HOST)
    assert key.exchange(ticket, HOST) == cookie
    assert key.exchange(key.token, HOST) is key.exchange(ticket, HOST) is key.exchange("", HOST) is None
    assert key.fits(cookie)
    assert not key.fits("")
    assert key.fits_script(key.token, HOST)
    assert not key.fits_script(ticket, HOST)


@pytest.mark.parametrize(
    "wanted",
    [
        {"each": 0}, {"each": 31}, {"each": "5"}, {"each": True}, {"rate": -1}, {"rate": 21}, {"interval": 0},
        {"hold": 61}, {"payload": 401}, {"words": []}, {"words": ["nonsense"]}, {"words": "sse"},
        {"rate": None}, {"rtt_ms": 2001},
    ],
)  # fmt: skip
def test_a_plan_has_bounds(wanted):
    """A slip of the hand cannot bring the laptop down."""
    from lab.errors import BadParameter

    with pytest.raises(BadParameter):
        Plan.read(wanted)


# What went wrong ----------------------------------------------------------------------------------

WRONG = {
    "/nowhere": (404, "not_found"),
    "/technique/telepathy": (404, "not_found"),
    "/teacher": (403, "forbidden"),
    "/teacher?token=wrong": (403, "forbidden"),
    "/room?mode=telepathy": (400, "bad_parameter"),
}
BROWSER = "text/html,application/xhtml+xml,*/*;q=0.8"


@pytest.mark.parametrize("path", WRONG)
@pytest.mark.parametrize("language", i18n.LANGUAGES)
def test_a_browser_gets_the_error_as_a_page(visit, path, language):
    """What went wrong in the reader's language, what to do now, and the error as programs get it."""
    status, code = WRONG[path]
    found, headers, page = visit(path, Accept=BROWSER, **{"Accept-Language": language})
    assert (found, headers["Content-Type"]) == (status, "text/html; charset=utf-8")
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "default-src 'self'" in headers["Content-Security-Policy"]
    assert f'<html lang="{language}">' in page
    assert i18n.text(language, f"error.{code}") in page
    assert i18n.text(language, "error.first_page") in page
    assert f"{status} {code}" in page
    assert "token=" not in page


@pytest.mark.parametrize("path", WRONG)
def test_a_program_gets_the_error_as_json(visit, path):
    """The same at the same path, for a client that does not ask for a page."""
    found, _, body = visit(path)
    assert (found, json.loads(body)["error"]["code"]) == WRONG[path]


def test_an_error_that_no_page_can_show_is_json(visit):
    """A query that is no UTF-8 would fail on the error page, too."""
    found, headers, body = visit("/room?mode=%ff", Accept=BROWSER)
    assert (found, json.loads(body)["error"]["code"]) == (400, "bad_request")
    assert headers["Content-Type"] == "application/json"
    assert "default-src 'none'" in headers["Content-Security-Policy"]


def test_a_request_for_a_foreign_name_gets_the_right_one(visit):
    """A user who types an unknown host name reads where to look for the address."""
    found, headers, page = visit("/", Accept=BROWSER, Host="evil.example")
    assert found == 421
    assert i18n.text(ENGLISH, "error.unknown_host") in page
    style = re.search("<style>(.*)</style>", page, re.DOTALL)[1]  # every file would be refused as well
    assert f"style-src {alone.source(style)}" in headers["Content-Security-Policy"]
    assert "prefers-color-scheme: dark" in style and "stylesheet" not in page and "<script" not in page


# Phones -------------------------------------------------------------------------------------------


def test_the_code_is_black_on_white_with_a_margin():
    """Scanners need a white plate and four empty modules around, whatever the theme."""
    picture = qr_code("http://192.168.1.23:8000/").decode()
    assert 'fill="#fff" d="M0 0h33v33h-33z"' in picture
    assert 'stroke="#000"' in picture
    assert "style" not in picture


def test_there_is_no_code_before_phones_may_join(visit):
    """An address that does not answer is not shown."""
    assert visit("/qr.svg")[0] == 404


def test_no_adapter_is_the_machines_own(monkeypatch):
    """What is offered to the teacher leads out of this machine."""
    found = [lan.Adapter("lo", "127.0.0.1"), lan.Adapter("eth0", "192.0.2.7")]
    monkeypatch.setattr(lan, "named_adapters", lambda: found)
    monkeypatch.setattr(lan, "outward_address", lambda: None)
    assert lan.adapters() == found[1:]


# Visiting -----------------------------------------------------------------------------------------


@pytest.fixture
def visit(lab):
    """Ask the shared lab."""
    return visitor(lab)


def visitor(lab):
    """A function that asks a lab: GET, or POST when there is something to say."""
    import urllib.error
    import urllib.request

    def visit(path, wanted=None, **headers):
        data = None if wanted is None else json.dumps(wanted).encode()
        if data is not None:
            headers = {"Content-Type": "application/json"} | headers
        request = urllib.request.Request(f"http://127.0.0.1:{lab.port}{path}", data, headers)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, answer.headers, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers, error.read().decode()

    return visit
