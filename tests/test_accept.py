"""What clients accept, by weight: one reading of q for every Accept header (RFC 9110 12.4.2)."""

import pytest

from lab.server.pages.gzipped import takes_gzip
from lab.server.pages.i18n import by_browser
from lab.techniques.accept import takes, weights
from tests.support.wire import fetch

WEIGHTS = {
    "": {},
    "zh": {"zh": 1},
    "zh;q=0": {"zh": 0},
    "ZH ; Q=0.5 , en": {"zh": 0.5, "en": 1},
    "zh;q=0.123, en;q=1.000": {"zh": 0.123, "en": 1},
    "zh;q=.5": {"zh": 0.5},
    "zh;q=x, en;q=, fr;q=2, de;q=-1, it;q=nan, es;q=1e-1, pt;q=0.5": {"pt": 0.5},
    ",, zh ,": {"zh": 1},
    "text/html;level=1;q=0.5": {"text/html": 0.5},
    'text/html;x="a,b;q=0";q=0.7': {"text/html": 0.7},
    "zh;q=0.2, zh;q=0.6": {"zh": 0.6},
}


@pytest.mark.parametrize("header", WEIGHTS)
def test_weights_are_read(header):
    """Spaces, case, decimals and other parameters do not matter; what cannot be read is left out."""
    assert weights(header) == WEIGHTS[header]


LANGUAGES = {
    "": "en",
    "zh": "zh-CN",
    "zh-TW": "zh-CN",
    "zh;q=0": "en",
    "zh;q=0.0": "en",
    "zh; q=0.000": "en",
    "ZH;Q=0": "en",
    "zh-CN;q=0, zh;q=0": "en",
    "zh-CN;q=0, zh;q=0.5": "en",
    "zh;q=0, *": "en",
    "zh;q=0, zh-TW;q=0.8": "zh-CN",
    "en;q=0, zh": "zh-CN",
    "en;q=0, *": "zh-CN",
    "en;q=0": "zh-CN",
    "en;q=0, zh;q=0": "en",
    "*": "en",
    "*;q=0": "en",
    "fr, de": "en",
    "fr, zh;q=0.1": "zh-CN",
    "en;q=0.8, zh;q=0.9": "zh-CN",
    "zh;q=0.8, en;q=0.9": "en",
    "zh, en": "zh-CN",
    "en, zh": "en",
    "en-US,en;q=0.9,zh-CN;q=0.8": "en",
    "zh-CN,zh;q=0.9,en;q=0.8": "zh-CN",
    "zh;q=0.5, *;q=0.9": "en",
    "zh;q=none": "en",
}


@pytest.mark.parametrize("header", LANGUAGES)
def test_the_language_is_the_one_wanted_most(header):
    """The highest weight wins, the first of equals, and what is not acceptable is not sent."""
    assert by_browser(header) == LANGUAGES[header]


@pytest.mark.parametrize("header", [header for header in LANGUAGES if header])
async def test_the_page_is_in_that_language(header, lab):
    """So it is on the wire."""
    page = await fetch(lab.port, "GET", "/", {"Accept-Language": header})
    assert f'<html lang="{LANGUAGES[header]}"' in page.body.decode()


ENCODINGS = {
    "": False,
    "gzip": True,
    "GZIP": True,
    "x-gzip": False,
    "gzip, deflate, br": True,
    "gzip;q=0": False,
    "gzip;q=0.0": False,
    "gzip ; Q=0.000, br": False,
    "gzip;q=0.001": True,
    "*": True,
    "*;q=0": False,
    "gzip, *;q=0": True,
    "gzip;q=0, *": False,
    "identity": False,
    "identity, gzip;q=0.5": False,
    "identity;q=0.5, gzip": True,
    "identity;q=0": False,
    "identity;q=0, gzip;q=0.1": True,
    "identity;q=0, *": True,
    "gzip;q=much": False,
    "deflate": False,
}


@pytest.mark.parametrize("path", ["/", "/static/room.js"])
@pytest.mark.parametrize("header", ENCODINGS)
async def test_pages_are_compressed_for_clients_that_accept_it(header, path, lab):
    """gzip by name or by star, unless it is refused or the plain form is wanted more."""
    assert takes_gzip(header) is ENCODINGS[header]
    answer = await fetch(lab.port, "GET", path, {"Accept-Encoding": header})
    assert (answer.headers.get("content-encoding") == "gzip") is ENCODINGS[header]


PERSONS = {
    "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8": True,
    "text/html": True,
    "TEXT/HTML ; q=1": True,
    "text/*": True,
    "*/*": False,
    "": False,
    "application/json": False,
    "text/html;q=0": False,
    "text/html;q=0, */*": False,
    "application/json, text/html;q=0.5": False,
    "text/html, application/json;q=0.5": True,
    "text/html;q=0.5, */*": False,
}


@pytest.mark.parametrize("header", PERSONS)
async def test_an_error_is_a_page_for_clients_that_accept_html(header, lab):
    """A browser gets a page, another program gets JSON."""
    assert takes(header, "text/html") is PERSONS[header]
    answer = await fetch(lab.port, "GET", "/nowhere", {"Accept": header})
    assert answer.headers["content-type"].startswith("text/html") is PERSONS[header]


def test_an_event_source_is_one_that_takes_event_streams():
    """The `Accept` header of an EventSource is recognized, and similar ones."""
    assert takes("text/event-stream", "text/event-stream")
    assert takes("application/json, text/event-stream", "text/event-stream")
    for header in ("text/event-stream;q=0", "text/event-stream; q=0.0, */*", "*/*", ""):
        assert not takes(header, "text/event-stream")
