"""The first load of every page on a phone: how many bytes cross the wire, and that it breaks nothing."""

import gzip
import http.client
import json
import os

import pytest
from playwright.sync_api import expect

from lab.catalogue import MODES
from lab.server.pages.gzipped import takes_gzip
from tests.support.browsing import PHONE
from tests.support.lab_process import ROOT
from tests.support.listeners import POLLING
from tests.support.wire import HOST

MOST_BYTES = 60_000
PAGES = [
    "/",
    "/anatomy",
    "/room?mode=shortpoll",
    "/compare",
    "/connections",
    "/doctor",
    "/exercises",
    "/proxy",
    "/teacher",
    *(f"/technique/{mode}" for mode in MODES),
]
SCRIPT = "/static/compare.js"
PLAIN = (ROOT / "pages" / SCRIPT[1:]).read_bytes()
PUSHED = [f"/{mode}" for mode in POLLING]


def get(school, path, **headers):
    """An answer as it crosses the wire: status, headers, body."""
    connection = http.client.HTTPConnection("127.0.0.1", school.lab.port, timeout=20)
    connection.request(
        "GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()}
    )
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, answer.headers, body


@pytest.mark.needs("chromium")
@pytest.mark.parametrize("path", PAGES)
def test_the_first_load_is_small(school, visit, path):
    """With an empty cache everything that a page loads, heads included, is under 60 kB."""
    visitor = visit(school.address, language="zh-CN", size=PHONE)
    page = visitor.context.new_page()
    if path in ("/proxy", "/teacher"):
        visitor.context.add_cookies([teachers_cookie(school)])
    loaded = []
    devtools = visitor.context.new_cdp_session(page)
    devtools.send("Network.enable")
    devtools.on("Network.loadingFinished", lambda said: loaded.append(said["encodedDataLength"]))
    page.goto(school.address + path, wait_until="load")
    begun = page.locator(
        "#count, [data-status=waiting], #conf li, .units li, [data-result], #streams button:enabled"
    )
    expect(begun.first).not_to_have_text("–")
    assert len(loaded) > 5
    assert sum(loaded) <= MOST_BYTES


def teachers_cookie(school):
    """The cookie that the printed link is exchanged for."""
    lesson = school.lab.lesson
    return {
        "name": lesson.cookie,
        "value": lesson.key.exchange(lesson.key.ticket(), HOST),
        "url": school.address,
    }


# What is sent -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accepted", "taken"),
    [
        ("", False), ("gzip", True), ("gzip, deflate, br", True), ("br;q=1.0, GZIP;q=0.2", True),
        ("gzip;q=0", False), ("deflate", False), ("x-gzip", False), ("gzip;q=nonsense", False),
    ],
)  # fmt: skip
def test_gzip_only_for_clients_that_accept_it(accepted, taken):
    """As the header says; a weight of 0 refuses."""
    assert takes_gzip(accepted) is taken


@pytest.mark.parametrize("path", [SCRIPT, "/compare"])
def test_packed_or_plain_it_is_the_same(school, path):
    """A client without gzip gets the page itself, and `Vary` names both forms to caches."""
    _, plain_head, plain = get(school, path)
    _, packed_head, packed = get(school, path, Accept_Encoding="gzip")
    assert gzip.decompress(packed) == plain
    assert len(packed) < len(plain) / 2
    assert (plain_head["Content-Encoding"], packed_head["Content-Encoding"]) == (None, "gzip")
    assert "Accept-Encoding" in plain_head["Vary"]
    assert int(packed_head["Content-Length"]) == len(packed)


def test_an_unchanged_file_is_not_sent_again(school):
    """Each form has a tag of its own, and only its own tag fits."""
    tags = [get(school, SCRIPT, **how)[1]["Etag"] for how in ({}, {"Accept_Encoding": "gzip"})]
    assert len(set(tags)) == 2
    for how, mine, other in (({}, *tags), ({"Accept_Encoding": "gzip"}, *reversed(tags))):
        assert get(school, SCRIPT, If_None_Match=mine, **how)[::2] == (304, b"")
        assert get(school, SCRIPT, If_None_Match=other, **how)[0] == 200


def test_an_edited_file_is_sent_again(school, tmp_path, monkeypatch):
    """A lab is edited while it runs: neither tag nor packed form outlives the file that it was made of."""
    rule = next(
        r
        for r in school.lab.server.request_callback.wildcard_router.rules
        if "static" in r.matcher.regex.pattern
    )
    monkeypatch.setitem(rule.target_kwargs, "path", str(tmp_path))
    for moment, text in enumerate(("one", "another")):
        (tmp_path / "a.js").write_text(text)
        os.utime(tmp_path / "a.js", ns=(moment, moment))
        _, head, body = get(school, "/static/a.js", Accept_Encoding="gzip")
        assert gzip.decompress(body).decode() == text
        assert get(school, "/static/a.js", Accept_Encoding="gzip", If_None_Match=head["Etag"])[0] == 304


def test_a_part_of_a_file_is_a_part_of_the_file(school):
    """A range counts the bytes of the file itself, not of its packed form."""
    status, head, body = get(school, SCRIPT, Accept_Encoding="gzip", Range="bytes=3-9")
    assert (status, head["Content-Encoding"], body) == (206, None, PLAIN[3:10])


@pytest.mark.parametrize("path", [*PUSHED, "/history", "/meters"])
def test_what_is_measured_is_never_packed(school, path):
    """The techniques send what their files say, whatever the listener would take."""
    school.ask(
        "/longpoll", {"mid": "00000000-0000-4000-8000-000000000001", "username": "a", "body": "b" * 400}
    ).read()
    query = "?callback=f" if path == "/jsonp" else ""
    _, head, body = get(school, path + query, Accept_Encoding="gzip")
    assert head["Content-Encoding"] is None
    assert b"{" in body


def test_packed_bytes_are_metered_as_they_cross(school):
    """All bytes of packed answers are in the total, and the parts still add up to it."""
    before = json.loads(get(school, "/meters")[2])
    size = sum(len(get(school, path, Accept_Encoding="gzip")[2]) for path in (SCRIPT, "/compare"))
    after = json.loads(get(school, "/meters")[2])
    for way in ("bytes_in", "bytes_out"):
        parts = sum(both[side][way] for both in after["techniques"].values() for side in ("receive", "send"))
        assert parts + after["other"][way] == after["total"][way]
    assert size < after["other"]["bytes_out"] - before["other"]["bytes_out"] < size + 20_000
