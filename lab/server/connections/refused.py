"""A request that is refused before a handler exists: the response, with the common error object."""

import time
from http.client import responses

from tornado.httputil import HTTPInputError, format_timestamp

from lab.room.messages import compact
from lab.techniques.refusals import CODES, guards

BARE = b"HTTP/1.1 400 Bad Request\r\n\r\n"
"""Tornado's own response to a request that it cannot parse, without a reason."""


class Refused(HTTPInputError):
    """A request that cannot be served: a status, and one sentence with the reason.

    Tornado catches it as an error of its own parser, and closes the connection after the response.
    """

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence

    def answer(self, head: bytes, protocol: str) -> tuple[bytes, bytes]:
        """The head and the body of the response to the request that began with this head.

        A HEAD gets no body (RFC 9110 section 9.3.2), and the error for a POST states that nothing is stored.
        """
        method = head.lstrip(b"\r\n").partition(b" ")[0]
        shape = {"error": {"code": CODES[self.status], "message": self.sentence}}
        body = compact(shape | ({"stored": False} if method == b"POST" else {}))
        return self._head(len(body), protocol), b"" if method == b"HEAD" else body

    def _head(self, size: int, protocol: str) -> bytes:
        headers = {
            "Content-Type": "application/json",
            "Content-Length": str(size),
            "Date": format_timestamp(time.time()),
            "Cache-Control": "no-store, no-transform",
            "X-Content-Type-Options": "nosniff",
            "Connection": "close",
        } | guards(protocol)
        lines = [f"HTTP/1.1 {self.status} {responses[self.status]}", *map(": ".join, headers.items())]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")
