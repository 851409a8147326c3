"""What Tornado keeps private: which files of the lab use it, why, and that a new Tornado still has it."""

import ast
import inspect
import re
import socket
import sys
import tomllib
from collections import deque
from contextlib import closing, suppress
from functools import cache

import pytest
import tornado
from packaging.requirements import Requirement
from tornado import http1connection, httpserver, httputil, iostream, tcpserver, web, websocket
from tornado.httpserver import HTTPServer

from lab.server.connections.tornado_stream import Few, TornadoStream
from tests.support.lab_process import ROOT
from tests.support.wire import eventually, fetch

SOURCES = sorted((ROOT / "lab").rglob("*.py"))
ALLOWED = {
    "lab/server/connections/tornado_stream.py",
    "lab/techniques/answering.py",
    "lab/techniques/protocol.py",
}
"""Each of these names in its first lines what it uses, in backticks and with the reason."""
MODULES = (http1connection, httpserver, httputil, iostream, tcpserver, web, websocket)
PRIVATE = re.compile(r"_[a-z]\w*")
LARGE = 1024 * 1024
"""More bytes than the buffers of a socket hold."""


@cache
def parsed(path):
    """The syntax tree of a source file."""
    return ast.parse(path.read_text(encoding="utf-8"))


def classes_in(tree):
    """All classes that are defined in a source file."""
    return [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]


def of_self(node):
    """Whether this is an attribute of `self` or `cls`."""
    return isinstance(node, ast.Attribute) and getattr(node.value, "id", "") in ("self", "cls")


def members(one):
    """The names that a class defines: its methods, class attributes, and attributes of `self`."""
    for node in ast.walk(one):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name
        elif of_self(node):
            yield node.attr
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


@cache
def names_of_tornado():
    """All private names of the classes by which Tornado serves, in the release that is installed."""
    trees = [ast.parse(inspect.getsource(module)) for module in MODULES]
    found = {name for tree in trees for one in classes_in(tree) for name in members(one)}
    return {name for name in found if PRIVATE.fullmatch(name)}


def bases(one):
    """The names of a class's bases."""
    return {getattr(base, "id", getattr(base, "attr", "")) for base in one.bases}


def imported_from_tornado():
    """The names that files of the lab import from modules of Tornado."""
    for node in (node for path in SOURCES for node in ast.walk(parsed(path))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "tornado":
            yield from (alias.name for alias in node.names)


@cache
def subclasses_of_tornado():
    """The names of the lab's classes that inherit from a class of Tornado."""
    known = set(imported_from_tornado())
    classes = [one for path in SOURCES for one in classes_in(parsed(path))]
    while more := {one.name for one in classes if bases(one) & known} - known:
        known |= more
    return known


def uses(path):
    """The private names of Tornado that a file uses, also as a string, or defines in a subclass."""
    tree, known = parsed(path), names_of_tornado()
    tornados, others = [], set()
    for one in classes_in(tree):
        if one.name in subclasses_of_tornado():
            tornados.append(one)
        else:  # an attribute of its own that happens to have the same name
            others |= {node for node in ast.walk(one) if of_self(node) or isinstance(node, ast.Constant)}
    found = {name for one in tornados for name in members(one)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node not in others:
            found.add(node.attr)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in others:
            found.add(node.value)
    return found & known


def explained(path):
    """The private names that the first lines of a file put in backticks."""
    quoted = re.findall(r"`([^`]+)`", ast.get_docstring(parsed(path)) or "")
    return {name for text in quoted for name in text.split(".") if PRIVATE.fullmatch(name)}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_private_names_of_tornado_stay_in_three_files(path):
    """Three files use private names of Tornado; each names all that it uses, and Tornado has all of them."""
    allowed = path.relative_to(ROOT).as_posix() in ALLOWED
    assert uses(path) == (explained(path) if allowed else set())


def test_nothing_private_is_imported_from_tornado():
    """No file imports a private function or class of Tornado."""
    names = set(imported_from_tornado())
    assert "RequestHandler" in names and not [name for name in names if name.startswith("_")]


def test_the_installed_tornado_is_one_that_the_lab_was_tried_with():
    """The installed release is within the pin, and the pin ends before the next minor release."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (pin,) = [one for one in map(Requirement, project["dependencies"]) if one.name == "tornado"]
    major, minor = tornado.version_info[:2]
    assert tornado.version in pin.specifier
    assert f"{major}.{minor + 1}" not in pin.specifier and f"{major + 1}.0" not in pin.specifier


# The stream ---------------------------------------------------------------------------------------


class Counting(TornadoStream):
    """A stream that counts what it receives."""

    received = 0

    def read_from_fd(self, buf):
        count = super().read_from_fd(buf)
        self.received += count or 0
        return count


def a_pair():
    """A stream, and the socket at the other end."""
    near, far = socket.socketpair()
    far.setblocking(False)
    return closing(Counting(near)), closing(far)


async def test_unread_bytes_are_those_that_no_read_has_taken():
    """At every moment the bytes received are those that reads have taken and those that are unread."""
    here, there = a_pair()
    with here as stream, there as peer:
        head = stream.read_until(b"\n\n")
        taken = 0
        for piece in (b"GET ", b"/", b" \n"):
            peer.send(piece)
            taken += len(piece)
            await eventually(lambda so_far=taken: is_unread(stream, so_far), "the piece has arrived")
        assert stream.received == taken and stream.unread_bytes(4) == b"GET "
        peer.send(b"\nbody" + b"x" * 5000)
        assert await head == b"GET / \n\n"
        assert stream.received == 8 + stream.unread
        assert await stream.read_bytes(4) == b"body"
        await eventually(lambda: is_unread(stream, stream.received - 12), "all others are unread")
        assert await stream.read_bytes(4000) == b"x" * 4000
        assert stream.received == 4012 + stream.unread
        assert type(stream._read_buffer) is bytearray and not stream.unread_bytes().strip(b"x")


async def is_unread(stream, count):
    """Whether so many bytes are unread."""
    return stream.unread == count


async def test_the_short_queues_do_what_tornado_expects_of_its_own():
    """Bytes that a socket does not accept are queued, sent in order, and then nothing is queued."""
    here, there = a_pair()
    with here as stream, there as peer:
        assert not stream.queued and not stream.writing()
        pieces = [b"a" * LARGE, b"b", b"c" * 3000, b"d" * 10, b"e" * LARGE]
        futures = [stream.write(piece) for piece in pieces]
        assert stream.queued and stream.writing()
        received = bytearray()

        async def all_have_arrived():
            with suppress(BlockingIOError):
                received.extend(peer.recv(LARGE))
            return len(received) == sum(map(len, pieces))

        await eventually(all_have_arrived, "all bytes arrive")
        for future in futures:
            await future
        assert received == b"".join(pieces)
        assert not stream.queued and not stream.writing()


async def test_the_short_queues_have_every_method_that_tornado_calls():
    """Where Tornado has deques it calls only methods that the lab's short queues have too."""
    near, far = socket.socketpair()
    with closing(far), closing(iostream.IOStream(near)) as plain:
        assert type(plain._write_futures) is type(plain._write_buffer._buffers) is deque
    calls = [node.func for node in ast.walk(ast.parse(inspect.getsource(iostream))) if is_method(node)]
    queues = {"_buffers", "buffers", "_write_futures"}
    called = {call.attr for call in calls if last_name(call.value) in queues}
    assert called >= {"append", "clear", "popleft"} and all(hasattr(Few, name) for name in called)


def is_method(node):
    """Whether this calls a method."""
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)


def last_name(node):
    """The last name of `a.b.c`."""
    return getattr(node, "attr", getattr(node, "id", ""))


def test_the_short_queues_save_memory():
    """An idle connection needs at least 1 KiB less with them; else they are not worth a private name."""
    assert 2 * (sys.getsizeof(deque()) - sys.getsizeof(Few())) >= 1024


# The handler --------------------------------------------------------------------------------------


async def test_a_handler_keeps_its_response_where_the_lab_looks_for_it():
    """Header fields, written bytes, and the two flags that `flush` and `finish` set, are where they were."""
    states = []

    class Plain(web.RequestHandler):
        def get(self):
            assert type(self._headers) is httputil.HTTPHeaders and type(self._write_buffer) is list
            self.set_header("X-Mine", "yes")
            self.write(b"body")
            states.append((self._write_buffer, self._headers["X-Mine"]))
            for step in (lambda: None, self.flush, self.finish):
                step()
                states.append((self._headers_written, self._finished))

    server = HTTPServer(web.Application([("/", Plain)]))
    (listening,) = tornado.netutil.bind_sockets(0, "127.0.0.1")
    server.add_sockets([listening])
    answer = await fetch(listening.getsockname()[1], "GET", "/")
    server.stop()
    await server.close_all_connections()
    assert answer.body == b"body" and answer.headers["x-mine"] == "yes"
    assert states == [([b"body"], "yes"), (False, False), (True, False), (True, True)]


# The WebSocket ------------------------------------------------------------------------------------

SIGNATURES = {
    "_receive_frame": (["self"], True),
    "_read_bytes": (["self", "n"], True),
    "_handle_message": (["self", "opcode", "data"], False),
}
"""Parameters, and whether the method is a coroutine."""


@pytest.mark.parametrize(("name", "expected"), SIGNATURES.items())
def test_a_websocket_protocol_has_the_methods_of_today(name, expected):
    """The three private methods by which frames are read take what they took."""
    method = getattr(websocket.WebSocketProtocol13, name)
    assert (list(inspect.signature(method).parameters), inspect.iscoroutinefunction(method)) == expected


def test_tornados_loop_calls_the_method_that_the_lab_overrides():
    """Tornado calls `_receive_frame` in one place, without arguments: the loop that reads all frames."""
    tree = ast.parse(inspect.getsource(websocket))
    calls = [node for node in ast.walk(tree) if is_method(node) and node.func.attr == "_receive_frame"]
    assert len(calls) == 1 and not calls[0].args + calls[0].keywords
