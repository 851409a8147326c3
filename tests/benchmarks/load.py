"""The load: many listeners on raw sockets and one epoll, with little Python per delivery.

Every message holds the mark once and nothing else does, so deliveries are counted by counting one byte,
however the stream was cut into pieces.
"""

import errno
import os
import re
import select
import socket
import time
import uuid
from array import array

from tests.benchmarks.framing import compact, message, polled

MARK = b"^"
"""Not the tilde: it is the byte 126, with which the length of a WebSocket frame begins."""
BODY = MARK.decode() + "x" * 39
AT_ONCE = 200
PER_ADDRESS = 5_000
IP_BIND_ADDRESS_NO_PORT = 24
"""Linux: choose the port when connecting, so that one may serve for several servers."""
READ = 16_384
NOT_MODIFIED = b"HTTP/1.1 304"
"""What Nchan answers to a short poll when there is nothing new."""
HANDSHAKE = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
MASKED = 0x80
"""The bit before a frame's length, which stands in the same byte up to 125 (RFC 6455 section 5.2)."""
PATIENCE_S = 60.0
QUIET_S = 10.0
STREAMS = ("websocket", "sse", "iframe")
CURSOR = re.compile(rb'"cursor": ?"([^"]*)"}$')
VALIDATORS = {
    "If-Modified-Since": re.compile(rb"\r\nLast-Modified: ([^\r]*)", re.IGNORECASE),
    "If-None-Match": re.compile(rb"\r\nEtag: ([^\r]*)", re.IGNORECASE),
}


def request(mode, port, query="", extra=""):
    """The request of a listener, in few words."""
    extra += HANDSHAKE + KEY if mode == "websocket" else ""
    return f"GET /{mode}{query} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{extra}\r\n".encode()


def by_cursor(mode, port, data):
    """The request after this answer: it names the cursor in it."""
    return request(mode, port, f"?after={CURSOR.search(data)[1].decode()}")


def by_validators(mode, port, data):
    """The same at Nchan, which knows a message by two header fields (RFC 9110 section 8.8)."""
    found = {name: field.search(data) for name, field in VALIDATORS.items()}
    return request(mode, port, "", "".join(f"{n}: {f[1].decode()}\r\n" for n, f in found.items() if f))


def connect(port, number=0):
    """A connection from one of several loopback addresses, so that ports do not run out."""
    connection = socket.socket()
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
    connection.bind((f"127.0.0.{2 + number // PER_ADDRESS}", 0))
    connection.connect(("127.0.0.1", port))
    return connection


def head(connection):
    """Read the head of an answer."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(READ)
        assert piece, f"closed after {data!r}"
        data += piece
    assert data.startswith((b"HTTP/1.1 200", b"HTTP/1.1 101")), data
    return data


class Publisher:
    """Sends messages: to the lab over a WebSocket, as its clients do, to a baseline as a line of text.

    To Nchan by POST, and then it is the whole message, or the whole answer to a poll.
    """

    def __init__(self, mode, greeting):
        self.mode, self.port, self.path = mode, greeting["port"], greeting.get("publish")
        self.by_line, self.messages = "say" in greeting, []
        self.socket = connect(greeting.get("say", self.port))
        if self.to_lab:
            self.socket.sendall(request("websocket", self.port, "?receive=0"))
            head(self.socket)

    @property
    def to_lab(self):
        """Whether the server is the lab."""
        return not (self.by_line or self.path)

    def send(self):
        """Send one message; the answer is left to the reader of this socket."""
        if self.by_line:
            self.socket.sendall(BODY.encode() + b"\n")
        elif self.path:
            self.socket.sendall(self._post())
        else:
            data = f'{{"mid":"{uuid.uuid4()}","username":"publisher","body":"{BODY}"}}'.encode()
            self.socket.sendall(b"\x81" + bytes([MASKED | len(data)]) + bytes(4) + data)

    def _post(self):
        self.messages.append(compact(message(len(self.messages) + 1, BODY)))
        last = len(self.messages) - 1
        body = self.messages[last] if self.mode == "websocket" else polled(self.messages, last)
        head = f"POST {self.path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nContent-Length: {len(body)}\r\n"
        return f"{head}Content-Type: application/json\r\n\r\n".encode() + body


class Listeners:
    """Listeners of one technique at one server, and the publisher they listen to."""

    def __init__(self, mode, greeting, listeners):
        self.mode, self.port = mode, greeting["port"]
        self.received = 0
        self.arrivals = None
        self.poll = select.epoll()
        self.publisher = Publisher(mode, greeting)
        self.poll.register(self.publisher.socket.fileno(), select.EPOLLIN)
        self.sockets = []
        self.turn = self.read if mode in STREAMS else self.read_and_ask
        self.following = by_validators if "publish" in greeting else by_cursor
        self.questions = {}
        self.unfinished = {}
        self.grow(listeners)

    def grow(self, listeners):
        """Let more listeners come, some at a time."""
        for start in range(0, listeners, AT_ONCE):
            some = [connect(self.port, len(self.sockets) + i) for i in range(min(AT_ONCE, listeners - start))]
            for connection in some:
                connection.sendall(request(self.mode, self.port, "?after=latest"))
            if self.mode in STREAMS:
                for connection in some:
                    head(connection)
            for connection in some:
                self.poll.register(connection.fileno(), select.EPOLLIN)
            self.sockets += some

    @property
    def to_lab(self):
        """Whether the server is the lab."""
        return self.publisher.to_lab

    def read(self, timeout):
        """Take what streams brought."""
        for fd, _ in self.poll.poll(timeout, 1024):
            data = os.read(fd, READ)
            count = data.count(MARK)
            self.received += count
            if self.arrivals is not None and count:
                self.note(fd, count)
            if not data:
                raise ConnectionError(f"a listener by {self.mode} was dropped")

    def read_and_ask(self, timeout):
        """Take what polls brought, and ask again at once. The same answer leads to the same question."""
        for fd, _ in self.poll.poll(timeout, 1024):
            data = os.read(fd, READ)
            if self.unfinished:
                data = self.unfinished.pop(fd, b"") + data
            question = self.questions.get(data) or self.question(fd, data)
            if question is None:
                continue
            count = data.count(MARK)
            self.received += count if self.mode == "longpoll" else 1
            if self.arrivals is not None and count:
                self.note(fd, count)
            os.write(fd, question)

    def question(self, fd, data):
        """What to ask after this answer; None when it is not complete, or is the publisher's."""
        if fd == self.publisher.socket.fileno():
            return None
        if not data:
            raise ConnectionError(f"a listener by {self.mode} was dropped")
        unchanged = data.startswith(NOT_MODIFIED)
        if not data.endswith(b"\r\n\r\n" if unchanged else b'"}'):
            self.unfinished[fd] = data
            return None
        assert unchanged or data.startswith(b"HTTP/1.1 200"), data
        if len(self.questions) > 1000:
            self.questions.clear()
        self.questions[data] = self.following(self.mode, self.port, data)
        return self.questions[data]

    def note(self, fd, count):
        """Record which socket received how many, and when."""
        fds, counts, moments = self.arrivals
        fds.append(fd)
        counts.append(count)
        moments.append(time.monotonic())

    def until(self, received):
        """Go on until so much has been received in all."""
        end = time.monotonic() + PATIENCE_S
        while self.received < received:
            self.turn(1)
            if time.monotonic() > end:
                raise TimeoutError(f"{self.mode}: {self.received} of {received} after {PATIENCE_S:.0f} s")

    def one_by_one(self, messages):
        """Send messages, each when all have received the one before; return the deliveries."""
        before = self.received
        for _ in range(messages):
            self.publisher.send()
            self.until(self.received + len(self.sockets) - (self.received - before) % len(self.sockets))
        return self.received - before

    def answers(self, wanted):
        """Short polls without news, as fast as they are answered."""
        before = self.received
        self.until(before + wanted)
        return self.received - before

    def keep_time(self, rate, messages):
        """Say messages on a timetable. Returns all latencies (planned send to arrival), shortest first."""
        self.arrivals = array("i"), array("i"), array("d")
        start, all_ = time.monotonic() + 0.05, self.received + messages * len(self.sockets)
        for number in range(messages):
            planned = start + number / rate
            while (left := planned - time.monotonic()) > 0:
                self.turn(left)
            self.publisher.send()
        self.rest(all_)
        fds, counts, moments = self.arrivals
        self.arrivals = None
        return self.latencies(zip(fds, counts, moments, strict=True), start, rate)

    def rest(self, all_):
        """Receive what is still on its way; lost is only what has not come when nothing comes any more."""
        before, end = self.received, time.monotonic() + QUIET_S
        while self.received < all_ and time.monotonic() < end:
            self.turn(0.1)
            if self.received > before:
                before, end = self.received, time.monotonic() + QUIET_S

    @staticmethod
    def latencies(arrivals, start, rate):
        """The k-th message that a listener receives is the k-th that was planned."""
        counts, found = {}, []
        for fd, count, moment in arrivals:
            first = counts.get(fd, 0)
            counts[fd] = first + count
            found += [moment - start - number / rate for number in range(first, first + count)]
        return sorted(found)

    def close(self):
        """All listeners disconnect."""
        for connection in [*self.sockets, self.publisher.socket]:
            try:
                connection.close()
            except OSError as error:
                if error.errno != errno.ECONNRESET:
                    raise
        self.poll.close()
