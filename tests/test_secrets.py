"""What leaves the lab: no token, no file, no traceback, and the headers that protect a page."""

import logging
import re
import sys
from contextlib import suppress
from itertools import product

import pytest

from lab.server import logs
from lab.server.api.reports import HistoryReport
from lab.server.logs import OneLine
from tests.support.listeners import client, each_technique, handshake
from tests.support.routes import routes
from tests.support.run_lab import Serving
from tests.support.wire import HOST, JSON, Wire, fetch


async def test_the_token_stands_in_no_answer_and_no_log():
    """The token is in no error, no page, no export and not in the most detailed log."""
    with Serving("-v", "--port", "0") as serving:
        said = serving.read_until("Ctrl-C")
        port, token = int(re.search(r":(\d+)/\n", said)[1]), re.search(r"token=([\w-]+)", said)[1]
        key = {"Authorization": f"Bearer {token}"}
        answers = [
            *[await fetch(port, "GET", f"/{where}?token={token}") for where in ("teacher", "teacher", "x")],
            *[await fetch(port, "GET", f"/teacher/meters.{kind}", key) for kind in ("json", "csv")],
            *[await fetch(port, "GET", path, key) for path in ("/", "/room?mode=sse", "/meters", "/metrics")],
            await fetch(port, "POST", f"/teacher/assign?token={token}", key | JSON, b'{"to":"nowhere"}'),
        ]
        assert [answer.status for answer in answers[:5]] == [302, 403, 404, 200, 200]
        for answer in answers:
            assert token not in answer.body.decode() + str(answer.headers)
        serving.process.terminate()
        log = serving.process.communicate(timeout=20)[0]
    assert "403 GET /teacher" in log
    assert token not in log


async def test_no_log_line_can_be_forged():
    """Whatever a stranger sends, each line of the log is the lab's own, and steers no terminal."""
    evil = "\x1b[31mERROR\x9b2J\u202e forged\x7f"
    with Serving("-v", "--port", "0") as serving:
        port = int(re.search(r":(\d+)/\n", serving.read_until("Ctrl-C"))[1])
        for head in (
            f"GET /{evil} HTTP/1.1\r\nHost: {HOST}\r\n\r\n",
            f"GET /a%0d%0aERROR%1b[31m HTTP/1.1\r\nHost: {HOST}\r\nX: {evil}\r\n\r\n",
            f"{evil} / HTTP/1.1\r\n\r\n",
            f"GET / HTTP/1.1\r\nHost: {HOST}\r\n{evil}: x\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: \x1b[31m\r\n\r\n",
            "GET / HTTP/1.1\r\n" + "X: \x1b[31m" + "x" * 70_000 + "\r\n\r\n",
        ):
            wire = await Wire.open(port)
            with suppress(OSError):  # what is far too long is not read to its end
                await wire.send(head.encode())
                await wire.close()
        await client("sse", port).send("hello\r\nERROR forged", evil[:20])
        serving.process.terminate()
        log = serving.process.communicate(timeout=20)[0]
    lines = [line for line in log.splitlines() if line.strip()]
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", log)
    assert len(lines) > 3
    own = r"(DEBUG|INFO|WARNING|ERROR) |  The lab is closed|  Ctrl"
    assert all(re.match(own, line) for line in lines), log


def test_text_from_outside_is_logged_on_one_line():
    """Text from outside ends no log line, controls nothing and shows no token, also in a library's logs."""
    record = logging.LogRecord(
        "x", logging.ERROR, "", 0, "%s", ("a\r\nERROR \x1b[31m\u2028b?token=abc-_1&c",), None
    )
    assert OneLine("%(levelname)s %(message)s").format(record) == (
        "ERROR a\\x0d\\x0aERROR \\x1b[31m\\x2028b?token=…&c"
    )
    try:
        raise ValueError("a\x1bb\r Bearer abc")
    except ValueError:
        record.exc_info, record.args = sys.exc_info(), ("x",)
    assert OneLine().format(record).endswith("ValueError: a\\x1bb\\x0d Bearer …")


def test_the_same_warning_is_written_once_a_second(monkeypatch):
    """What strangers can cause as often as they like is written seldom, and counted; errors always are."""
    now = 1000.0
    monkeypatch.setattr(logs.time, "monotonic", lambda: now)
    sieve, written = logs.OnceASecond(), []
    for _ in range(6):
        for level, line in (("WARNING", 1), ("WARNING", 2), ("ERROR", 1)):
            record = logging.LogRecord("x", getattr(logging, level), "file", line, "%d", (line,), None)
            if sieve.filter(record):
                written.append(f"{level} {record.getMessage()}")
        now += 0.4
    again = [f"WARNING {line} (and 2 more like this)" for line in (1, 2)]
    assert [said for said in written if said != "ERROR 1"] == ["WARNING 1", "WARNING 2", *again]
    assert written.count("ERROR 1") == 6


HEADERS = {
    "content-security-policy": "default-src",
    "x-content-type-options": "nosniff",
    "referrer-policy": "",
    "cache-control": "",
}


async def test_every_answer_that_is_no_delivery_is_guarded(school, monkeypatch):
    """Pages, files, reports and errors have a policy without inline code, and no software version."""

    def broken(self):
        raise RuntimeError("a secret of the lab")

    monkeypatch.setattr(HistoryReport, "get", broken)
    for method, path, status in (
        *[("GET", path, 200) for path in ("/", "/room?mode=sse", "/compare", "/meters", "/palette.css")],
        ("GET", "/static/room.js", 200),
        ("GET", "/nowhere", 404),
        ("DELETE", "/sse", 405),
        ("GET", "/sse?after=x", 400),
        ("GET", "/teacher", 403),
        ("GET", "/history", 500),
    ):
        answer = await fetch(school.lab.port, method, path)
        assert answer.status == status, path
        for name, value in HEADERS.items():
            assert answer.headers[name].startswith(value), (path, name)
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert "frame-ancestors" in answer.headers["content-security-policy"]
        assert answer.headers["referrer-policy"] in ("no-referrer", "same-origin")
        assert "server" not in answer.headers
        assert "secret" not in answer.body.decode() and "Traceback" not in answer.body.decode()
        if not path.startswith("/static"):
            assert "no-store" in answer.headers["cache-control"]


@each_technique
async def test_a_delivery_is_not_kept_and_not_guessed(mode, lab):
    """The techniques' own answers carry what guards them, and no more: each of their bytes is measured."""
    wire = await Wire.open(lab.port)
    headers = handshake() if mode == "websocket" else {}
    await wire.request("GET", f"/{mode}?after=latest&hold=0&callback=f", headers)
    head = (await wire.read_head()).headers
    assert head["x-content-type-options"] == "nosniff"
    assert "no-store" in head["cache-control"]
    assert "server" not in head
    assert mode != "jsonp" or head["content-disposition"] == 'attachment; filename="f.txt"'


UPWARD = ["..", "%2e%2e", ".%2e", "%2e.", "..%00", "..;", "....", "%c0%ae%c0%ae", "..%c0%af", "%252e%252e"]
DELIMITERS = ["/", "%2f", "\\", "%5c", "//"]
TRAVERSALS = [f"{up}{between}" * 6 + "etc/passwd" for up, between in product(UPWARD, DELIMITERS)]


@pytest.mark.parametrize("base", ["/static/", "/static//", "/"])
async def test_no_path_leads_out_of_the_folder(base, lab):
    """Fifty ways to write "the folder above" are answered by an error in the lab's own words."""
    assert len(TRAVERSALS) == 50
    for path in TRAVERSALS:
        answer = await fetch(lab.port, "GET", base + path)
        assert answer.status in (400, 403, 404), path
        assert answer.json["error"].keys() == {"code", "message"}
        assert b"root:" not in answer.body


ELSEWHERE = ["//evil.example", "https://evil.example", "/\\evil.example", "%2f%2fevil.example", "/%09/evil"]


@pytest.mark.parametrize("elsewhere", ELSEWHERE)
async def test_nothing_leads_to_another_site(elsewhere, school):
    """Neither a path nor a parameter makes the lab send anybody away, not even with the teacher's link."""
    token = school.lab.key.ticket()
    for path in (
        f"/teacher?to={elsewhere}&token={token}",
        *(f"/?{name}={elsewhere}" for name in ("next", "to", "url", "lang")),
        f"/{elsewhere}",
        f"/static/{elsewhere}",
    ):
        answer = await fetch(school.lab.port, "GET", path)
        assert answer.headers.get("location", "teacher") == "teacher", path
        assert answer.status in (200, 302, 400, 403, 404)


async def test_no_path_answers_to_a_foreign_name(school):
    """Under a foreign host name no path shows or changes anything."""
    for path, handler in routes(school):
        for headers in ({}, handshake(), {"Authorization": f"Bearer {school.lab.key.token}"}):
            method = handler.SUPPORTED_METHODS[0]
            answer = await fetch(school.lab.port, method, path, {"Host": "evil.example"} | headers)
            assert (answer.status, answer.json["error"]["code"]) == (421, "unknown_host"), path
