"""Below a path: the lab behind nginx and behind jupyter-server-proxy, and by its own `--base`."""

import json
import re
import subprocess
import sys
import urllib.request
import uuid
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

import lab as pushlab
from lab.catalogue import DEFAULT, MODES
from lab.errors import BadParameter
from lab.server.connections import base_path
from lab.server.lesson.lan import qr_code
from lab.settings import parse_base
from tests.support.browsing import NAME, meters, post
from tests.support.engines import until
from tests.support.lab_here import LabHere
from tests.support.lab_process import ROOT
from tests.support.nginx import Nginx
from tests.support.redis_server import free_port

LAB, USER = "/lab/", "/user/ann/"
START_S = 150.0
"""Jupyter takes some seconds to start, and many on a busy machine."""
BUFFERED = {"iframe", "fetch"}
"""Techniques for which jupyter-server-proxy 4.6 collects the whole response, which never ends.

It passes a response on as it arrives only to a request with `Accept: text/event-stream` and nothing else.
"""
SERVER_README = (ROOT / "lab" / "server" / "README.md").read_text(encoding="utf-8")
LOCATION = re.search(r"```\n(location /lab/ .*?)```", SERVER_README, re.DOTALL)[1]
"""The directives of nginx in the README."""
KEEPS, REMOVES = (
    LOCATION.replace("http://127.0.0.1:8000;", f"{lab};") for lab in ("http://lab", "http://lab/")
)
NAMES = REMOVES.replace("{", "{ proxy_set_header X-Forwarded-Prefix /lab;", 1)
PAGES = ("", "room", "compare", f"technique/{DEFAULT}")
ALL_PAGES = (*PAGES, *(f"technique/{mode}" for mode in MODES if mode != DEFAULT))
"""With the others from the template of the last: no way to the lab treats these in another manner."""
PATHS = """links => links.map((link) => new URL(link.href))
    .filter(({ origin }) => origin === location.origin).map(({ pathname }) => pathname)"""


class Way:
    """One way to a lab: the URL at which a browser finds it, its base path, and the lab."""

    def __init__(self, port, base, here, pages=PAGES):
        self.base, self.here, self.pages = base, here, pages
        self.url = f"http://localhost:{port}{base}"


@contextmanager
def direct():
    """No proxy: the lab itself is told its path."""
    with LabHere(base=LAB) as here:
        yield Way(here.lab.port, LAB, here, ALL_PAGES)


@contextmanager
def nginx(base, location):
    """Nginx offers the lab at a path, and passes the path on or removes it."""
    with LabHere(base=base) as here:
        proxy = Nginx([here.lab.port], location)
        try:
            until((proxy.folder / "pid").exists, lambda: "nginx listens")
            yield Way(proxy.port, LAB, here)
        finally:
            proxy.close()


@contextmanager
def jupyter():
    """jupyter-server-proxy, for a user of a JupyterHub."""
    port = free_port()
    own = {
        "port": port,
        "token": "",
        "password": "",
        "base_url": USER,
        "allow_root": True,
        "open_browser": False,
    }
    own["jpserver_extensions"] = {"jupyter_server_proxy": True}  # also where its configuration is not found
    command = [sys.executable, "-m", "jupyter_server", *(f"--ServerApp.{name}={own[name]}" for name in own)]
    with LabHere(base="auto") as here:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            way = Way(port, f"{USER}proxy/{here.lab.port}/", here)
            until(lambda: answers(f"{way.url}readyz"), lambda: "Jupyter answers", START_S)
            yield way
        finally:
            process.terminate()
            process.wait()


def answers(url):
    """Whether something answers there."""
    try:
        return urllib.request.urlopen(url).status == 200
    except OSError:
        return False


WAYS = {
    "direct": direct,
    "nginx keeps the path": lambda: nginx(LAB, KEEPS),
    "nginx removes the path": lambda: nginx(LAB, REMOVES),
    "nginx names the path": lambda: nginx("auto", NAMES),
    "jupyter-server-proxy": jupyter,
}


@pytest.fixture(
    scope="module",
    params=[pytest.param(way, marks=pytest.mark.needs("nginx") if "nginx" in way else ()) for way in WAYS],
)
def way(request):
    """Each way to a lab below a path."""
    with WAYS[request.param]() as way:
        yield way


# Pages --------------------------------------------------------------------------------------------


@pytest.mark.needs("chromium")
def test_every_page_and_all_that_it_loads_and_links_to_is_below_the_path(way, visit):
    """No response is an error, nothing else of the server is asked for, and no link leads out."""
    visitor, responses = visit(way.url.removesuffix("/")), []
    visitor.context.on("response", lambda response: responses.append((response.status, response.url)))
    shown = visitor.open("/")
    for page in way.pages:
        shown.goto(f"{way.url}{page}")
        paths = shown.locator("a[href]").evaluate_all(PATHS)
        assert paths and [path for path in paths if not path.startswith(way.base)] == []
    assert len(responses) > len(way.pages)
    assert [(status, url) for status, url in responses if status >= 400 or not url.startswith(way.url)] == []


@pytest.mark.needs("chromium")
def test_each_technique_sends_and_receives(way, visit):
    """A page of the room gets connected by each, receives what others send, and sends."""
    page = visit(way.url.removesuffix("/")).open("/room")
    collected = BUFFERED if "proxy/" in way.base else set()
    for mode in MODES:
        page.click(f"[data-mode={mode}]")
        page.wait_for_url(f"{way.url}room?mode={mode}")
        if mode in collected:
            is_collected(page, way.here.address, mode)
        else:
            chats(page, way.here.address)
    expect(page.locator("#here")).not_to_be_empty()  # by /live


def chats(page, address):
    """The page is connected, and both ways work."""
    expect(page.locator("[data-status]")).to_have_attribute("data-status", "waiting")
    id_, text = post(address), f"typed {uuid.uuid4()}"
    expect(page.locator(f"#messages [data-id='{id_}']")).to_have_count(1)
    page.fill("form#say [name=body]", text)
    page.press("form#say [name=body]", "Enter")
    expect(page.locator("#messages [data-id]", has_text=text)).to_have_count(1)


def is_collected(page, address, mode):
    """The lab has sent a head, but the page has not received it and does not claim to be connected."""
    until(lambda: meters(address)[mode]["receive"]["bytes_out"] > 0, lambda: "the lab responds")
    expect(page.locator("[data-status]")).to_have_attribute("data-status", "connecting")


@pytest.mark.needs("chromium")
def test_the_teacher_comes_in_and_acts(way, visit):
    """The teacher's link sets a cookie for this path only, and the console's actions work."""
    visitor = visit(way.url.removesuffix("/"))
    page = visitor.open(f"/teacher?token={way.here.lab.key.ticket()}&lang=zh-CN")
    assert urlsplit(page.url).path == f"{way.base}teacher"
    cookies = {cookie["name"]: cookie["path"] for cookie in visitor.context.cookies()}
    assert cookies[way.here.lab.lesson.cookie] == way.base
    page.click("[data-action=reset] button")
    expect(page.locator("[data-action=reset] [role=alert]")).to_have_text("")
    with page.expect_response(lambda response: "/teacher/" in response.url) as answer:
        page.click("[data-action=reset] button")
    assert answer.value.status == 200


# Programs -----------------------------------------------------------------------------------------


def test_a_run_is_measured_below_the_path(way):
    """`--url` takes the whole address, also behind a simulated link."""
    run = pushlab.measure("longpoll", url=way.url, clients=2, rate=5, duration=1, rtt=0.01)
    assert run.delivered == run.expected > 0


def test_the_description_names_the_path(way):
    """The paths in /openapi.json are below its server's URL."""
    with urllib.request.urlopen(f"{way.url}openapi.json") as answer:
        assert json.load(answer)["servers"] == [{"url": way.base.rstrip("/")}]


# What the lab takes for a path --------------------------------------------------------------------


@pytest.fixture(scope="module")
def automatic():
    """A lab that asks the proxy for the path of each request."""
    with LabHere(base="auto", allow_hosts=[NAME]) as here:
        yield here


@pytest.mark.parametrize(
    ("prefix", "base"),
    [
        (None, "/"),
        ("", "/"),
        ("/", "/"),
        ("/lab", "/lab/"),
        ("/lab/", "/lab/"),
        ("/user/ann@example.org/proxy/8000", "/user/ann@example.org/proxy/8000/"),
        ("/user/%E5%BC%A0/proxy/8000", "/user/%E5%BC%A0/proxy/8000/"),
        ("lab", "/"),
        ("//evil.example", "/"),
        ("https://evil.example", "/"),
        ('/"><script>alert(1)</script>', "/"),
        ("/lab; Domain=evil.example", "/"),
        ("/lab, /other", "/"),
    ],
)
def test_a_prefix_that_is_no_path_is_not_used(automatic, prefix, base):
    """Only a path gets into the links of a page, and only with `auto`."""
    headers = {} if prefix is None else {"X-Forwarded-Prefix": prefix}
    page = automatic.look("/room", **headers).read().decode()
    assert f'<a class="home" href="{base}">' in page


def test_the_prefix_is_not_used_unasked(lab):
    """Without `auto` anyone's header changes nothing."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{lab.port}/room", headers={"X-Forwarded-Prefix": "/lab"}
    )
    with urllib.request.urlopen(request) as answer:
        assert '<a class="home" href="/">' in answer.read().decode()


@pytest.mark.parametrize(
    ("host", "headers", "url"),
    [
        (NAME, {"X-Forwarded-Prefix": "/lab"}, f"http://{NAME}/lab/"),
        (NAME, {"X-Forwarded-Prefix": "/lab", "X-Forwarded-Proto": "https"}, f"https://{NAME}/lab/"),
        (NAME, {}, None),
        ("localhost:8888", {"X-Forwarded-Prefix": "/lab"}, None),
    ],
)
def test_phones_come_by_the_proxy_too(automatic, host, headers, url):
    """The first page shows the proxy's address as text and as QR code, but not one that leads nowhere."""
    page = automatic.look("/", Host=host, **headers).read().decode()
    shown = re.search(r'id="address" (?:data-proxied="([^"]+)")?>([^<]*)<', page)
    assert shown.groups() == (url, url or "")
    if url:
        assert automatic.look("/qr.svg", Host=host, **headers).read() == qr_code(f"{url}room")


@pytest.mark.parametrize(
    ("text", "base"),
    [("/lab/", "/lab/"), ("lab", "/lab/"), ("/a/b", "/a/b/"), ("/", "/"), ("", "/"), ("auto", "auto")],
)
def test_the_outer_slashes_may_be_left_out(text, base):
    """Some shells change an argument that begins with a slash."""
    assert parse_base(text) == base


@pytest.mark.parametrize("text", ["/a b/", "https://example.org/lab/", "/lab//x/", "/lab?x", '/"/', "/课/"])
def test_what_is_no_path_is_refused(text):
    """The error says what a base path looks like."""
    with pytest.raises(BadParameter, match="such as /lab/"):
        parse_base(text)


@pytest.mark.parametrize(
    ("base", "path", "found"),
    [
        ("/", "/room", "/room"),
        ("/lab/", "/lab/room", "/room"),
        ("/lab/", "/room", "/room"),
        ("/lab/", "/lab", "/"),
        ("/lab/", "/lab/", "/"),
        ("/lab/", "/labs/room", "/labs/room"),
        ("/a/b/", "/a/room", "/a/room"),
    ],
)
def test_the_base_is_removed_once_and_only_whole(base, path, found):
    """A path that a proxy has shortened already stays as it is."""
    assert base_path.without(base, path) == found
