"""Gzip for pages, scripts and styles; the techniques' responses are never compressed by it."""

import gzip
from functools import lru_cache
from pathlib import Path

from tornado.web import RequestHandler

from lab.techniques.accept import weights

FILES = 64
"""More than there are in `pages/static`."""


def takes_gzip(header: str) -> bool:
    """Whether an `Accept-Encoding` header accepts gzip at least as much as identity (RFC 9110 12.5.3)."""
    found = weights(header)
    gzip = found.get("gzip", found.get("*", 0.0))
    return gzip > 0 and gzip >= found.get("identity", 0.0)


def packed_for(handler: RequestHandler, data: bytes) -> bytes:
    """The data as its client accepts it, perhaps gzipped; the header field says so."""
    if not takes_gzip(handler.request.headers.get("Accept-Encoding", "")):
        return data
    handler.set_header("Content-Encoding", "gzip")
    return packed(data)


def packed(data: bytes) -> bytes:
    """The data as a gzip member (RFC 1952), always the same bytes for the same data."""
    return gzip.compress(data, mtime=0)


@lru_cache(FILES)
def packed_file(path: str, changed: int) -> bytes:
    """The gzipped file; it is compressed again only when it has changed."""
    return packed(Path(path).read_bytes())
