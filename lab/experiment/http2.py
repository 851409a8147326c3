"""The same long polls by HTTP/1.1 and by HTTP/2, through one nginx with TLS: the bytes of each.

The client counts the bytes that it gives to TLS and receives from it. nginx writes its own count into its
log, and the two must be equal. HTTP/2 (RFC 9113) compresses header fields (HPACK, RFC 7541): a field that
both sides have in their tables takes one byte or two. The client here keeps such a table, as browsers do.
nginx keeps none for its responses: it sends each field again.

Needs nginx, and the packages h2 and trustme (`pip install "pushlab[notebooks]"`).
"""

import asyncio
import secrets
import ssl
import tempfile
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

from lab.clients.http2 import FRAME_HEAD, Answer, Http1, Http2
from lab.clients.link import BROWSER, FETCH, FRESH, Link
from lab.errors import CannotStart
from lab.experiment.conditions import Conditions
from lab.experiment.exchange import LIFTED
from lab.experiment.own_lab import own_lab
from lab.experiment.publisher import send
from lab.experiment.timetable import timetable
from lab.json_types import JsonObject
from lab.proxy.nginx import Nginx
from lab.proxy.nginx_conf import HOST, Certificate
from lab.proxy.switches import Switches

HTTP_2 = "HTTP/2.0"
"""What nginx calls it in its log."""
BODY = timetable(Conditions(rate=1, duration=1))[0].body
"""A message as in measured runs."""
INSTALL = 'HTTP/2 is measured by the packages h2 and trustme: pip install "pushlab[notebooks]"'


Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Get = Callable[[str, dict[str, str]], Awaitable[Answer]]
"""Sends a GET of this path with these header fields, and returns the answer."""


async def long_polls(polls: int) -> JsonObject:
    """So many long polls by each protocol, each answered with one message.

    Returns `{"nginx", "polls", "connection"}`. A poll is `{"protocol", "number", "request", "response",
    "body", "log_request", "log_response", "indexed"}`, all but the first two in bytes: as the client counts
    them; as nginx logs them (of a request by HTTP/2 without the 9 bytes of its frame's head); and computed,
    not measured: the response by HTTP/2 from a server that also keeps a table. `connection` are the bytes
    that HTTP/2 sends and receives for the connection itself. Raises `CannotStart` without nginx or packages.
    """
    with tempfile.TemporaryDirectory(prefix="pushlab-tls-") as folder:
        certificate = _certificate(Path(folder))
        async with own_lab({"port": 0, "room": f"run-{secrets.token_hex(6)}", "limits": LIFTED}) as lab:
            with Nginx(Switches(), [urlsplit(lab.url).netloc], certificate) as nginx:
                async with _connection("http/1.1", nginx) as streams:
                    found = await _polls(Http1(*streams).get, polls, lab.url, nginx)
                async with _connection("h2", nginx) as streams:
                    http2 = Http2(*streams)
                    found += await _polls(http2.get, polls, lab.url, nginx)
                connection = {"sent": http2.overhead, "received": http2.received(0)}
                return {"nginx": nginx.version, "polls": found, "connection": connection}


async def _polls(get: Get, polls: int, lab_url: str, nginx: Nginx) -> list[JsonObject]:
    """Polls over one connection, and what nginx has logged of them."""
    before, answers = len(nginx.answers()), []
    async with Link(url=lab_url) as publisher:
        cursor = await _publish(publisher)
        for _ in range(polls):
            after, cursor = cursor, await _publish(publisher)
            answers.append(await get(f"/longpoll?hold=25&after={after}", headers_for(nginx.url)))
    logged = nginx.answers()[before:]
    each = zip(answers, logged, indexed(answers), strict=True)
    return [_poll(number, *one) for number, one in enumerate(each, 1)]


async def _publish(publisher: Link) -> str:
    """Publish a message; returns its place in the history."""
    stored = await send("longpoll", publisher, BODY, str(uuid.uuid4()))
    return str(stored["id"])


def _poll(number: int, answer: Answer, line: JsonObject, size: int) -> JsonObject:
    return {
        "protocol": line["protocol"],
        "number": number,
        "request": answer.request,
        "response": answer.response,
        "body": answer.body,
        "log_request": line["request_bytes"],
        "log_response": line["bytes"],
        "indexed": size if line["protocol"] == HTTP_2 else None,
    }


def headers_for(url: str) -> dict[str, str]:
    """The header fields that a browser sends with a long poll."""
    return BROWSER | FETCH | FRESH | {"Referer": f"{url}/"}


def indexed(answers: list[Answer]) -> list[int]:
    """The bytes that each response would have from a server that keeps a table of header fields."""
    from hpack import Encoder

    encoder = Encoder()
    return [FRAME_HEAD + len(encoder.encode(each.fields)) + FRAME_HEAD + each.body for each in answers]


def _certificate(folder: Path) -> Certificate:
    """A certificate for the loopback, made now."""
    try:
        import h2  # noqa: F401 - both are wanted before anything starts
        import trustme
    except ImportError as error:
        raise CannotStart(INSTALL) from error
    made, file = trustme.CA().issue_cert(HOST), folder / "both.pem"
    made.private_key_and_cert_chain_pem.write_to_path(file)
    return Certificate(str(file), str(file))


@asynccontextmanager
async def _connection(
    protocol: str, nginx: Nginx
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection to this nginx by TLS, for this protocol (ALPN)."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # our own nginx, at our own port
    context.set_alpn_protocols([protocol])
    reader, writer = await asyncio.open_connection(HOST, nginx.port, ssl=context)
    try:
        yield reader, writer
    finally:
        writer.close()
