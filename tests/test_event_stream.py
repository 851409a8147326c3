"""The Python client's parser of event streams, held to the HTML standard (9.2.6), whole and in pieces."""

import pytest

from lab.clients import iframe, jsonp, longpoll, shortpoll, sse

BOM = "\ufeff"
STREAMS = {
    "one event": ("data:1\n\n", [1]),
    "LF": ("data:1\n\ndata:2\n\n", [1, 2]),
    "CRLF": ("data:1\r\n\r\ndata:2\r\n\r\n", [1, 2]),
    "CR": ("data:1\r\rdata:2\r\r", [1, 2]),
    "all three": ("data:[1,\r\ndata:0]\n\rdata:2\r\n\ndata:3\r\rdata:4\n\r\n", [[1, 0], 2, 3, 4]),
    "three empty lines": ("\n\n\ndata:1\n\n\n\n\r\n\rdata:2\n\n", [1, 2]),
    "one space goes": ("data: 1\n\n", [1]),
    "a second one stays": ('data:  "a"\n\ndata:" a"\n\n', ["a", " a"]),
    "a space before the colon": ("data : 1\n\ndata:2\n\n", [2]),
    "a space before the name": (" data:1\n\ndata:2\n\n", [2]),
    "a colon in the data": ('data:{"a":"b:c"}\n\n', [{"a": "b:c"}]),
    "several lines": ('data:{"a"\ndata::\ndata:1}\n\n', [{"a": 1}]),
    "a line without colon is empty": ("data\ndata:1\ndata\n\n", [1]),
    "data without text": ("data\n\ndata:\n\ndata\ndata\n\ndata:1\n\n", [1]),
    "no data": ("event:x\nid:7\n\ndata:1\n\n", [1]),
    "other names": ("Data:1\nDATA:1\ndatas:1\ndat:1\nx\ndata:2\n\n", [2]),
    "comments": (":\n:data:1\n: x\ndata:2\n:\n\n:\n\n", [2]),
    "retry, id and event": (
        "retry:1\nretry:x\nretry:\nid:1\nid:\0\nid\nevent:x\nevent\ndata:1\n\ndata:2\n\n",
        [1, 2],
    ),
    "an end without its empty line": ("data:1\n\ndata:2\n", [1]),
    "an end within a line": ("data:1\n\ndata:2", [1]),
    "nothing": ("", []),
    "a BOM": (BOM + "data:1\n\ndata:2\n\n", [1, 2]),
    "a BOM and CR": (BOM + "data:1\r\rdata:2\r\r", [1, 2]),
    "a BOM before a comment": (BOM + ":\n\ndata:1\n\n", [1]),
    "a BOM before an empty line": (BOM + "\ndata:1\n\n", [1]),
    "a BOM alone": (BOM, []),
    "two BOMs": (BOM + BOM + "data:1\n\ndata:2\n\ndata:3\n\n", [2, 3]),
    "a BOM behind an event": ("data:1\n\n" + BOM + "data:2\n\ndata:3\n\n", [1, 3]),
    "a BOM behind a comment": (":\n\n" + BOM + "data:2\n\ndata:3\n\n", [3]),
    "a BOM behind an empty line": ("\n" + BOM + "data:1\ndata:2\n\n", [2]),
    "a BOM at each place": (f"{BOM}data:1\n\n{BOM}data:2\n{BOM}\ndata:3\n\n", [1, 3]),
    "a BOM in the text": (f'data:"{BOM}a"\n\n', [BOM + "a"]),
    "a BOM in the name": (f"data:1\nda{BOM}ta:2\n\n", [1]),
    "the other byte order": (b"\xff\xfedata:1\n\ndata:2\n\n", [2]),
    "characters of two to four bytes": ('data:"é你😀"\r\n\r\n', ["é你😀"]),
    "what is no UTF-8": (b'data:"a\xff\xe4\xbd"\n\n', ["a\ufffd\ufffd"]),
    "line separators of Unicode": ('data:"\u2028\u2029\x85"\n\n', ["\u2028\u2029\x85"]),
}
CUTS = {"whole": None, "byte by byte": 1, "two bytes": 2, "three bytes": 3, "seven bytes": 7}


def received(unframe, data, size):
    """The events in a stream that comes in pieces of so many bytes, and what is left of it."""
    events, rest = [], b""
    pieces = [data] if size is None else [data[at : at + size] for at in range(0, len(data), size)]
    for piece in pieces:
        found = unframe(rest + piece)
        events, rest = events + found.events, found.rest
    return events, rest


@pytest.mark.parametrize("size", CUTS.values(), ids=CUTS)
@pytest.mark.parametrize(("text", "events"), STREAMS.values(), ids=STREAMS)
def test_a_stream_is_read_as_the_standard_requires(text, events, size):
    """Wherever the network cuts it, the same events come out, and only those that an empty line has ended."""
    data = text if isinstance(text, bytes) else text.encode()
    assert received(sse.unframe, data, size)[0] == events


@pytest.mark.parametrize("size", CUTS.values(), ids=CUTS)
def test_nothing_is_kept_of_what_was_read(size):
    """What has been read is not read again, and a long stream takes no memory."""
    assert received(sse.unframe, ("data:1\n\n" * 50).encode(), size) == ([1] * 50, b"")


@pytest.mark.parametrize("size", CUTS.values(), ids=CUTS)
def test_a_script_may_be_cut_within_a_character(size):
    """The forever iframe: a script element counts when its end tag is in, in characters and not in bytes."""
    page = '<!doctype html>é<script nonce="x">parent.pushlab({"a":"é你😀"})</script>\n'.encode()
    assert received(iframe.unframe, page, size)[0] == [{"a": "é你😀"}]


@pytest.mark.parametrize(
    ("unframe", "answer"),
    [(shortpoll.unframe, "%s"), (longpoll.unframe, "%s"), (jsonp.unframe, "/**/f(%s);")],
)
def test_a_poll_may_begin_with_a_byte_order_mark(unframe, answer):
    """A program in between may add one; JSON is read without it (RFC 8259 section 8.1), as in a browser."""
    text = BOM + answer % '{"messages":[{"body":"你"}],"cursor":"1-1"}'
    assert unframe(text.encode()).events == [{"body": "你"}]
