"""Scripts and styles of the pages, and the colours of the techniques."""

import os
from functools import cached_property
from typing import Any

from tornado.web import StaticFileHandler

from lab.catalogue import TECHNIQUES, Technique
from lab.errors import NotFound
from lab.server.pages.gzipped import packed_file, takes_gzip
from lab.techniques.context import Context
from lab.techniques.endpoint import Endpoint

WORKER = "tabs/shared_worker.js"
"""A script that is a worker: its policy is that of its own response, not that of a page."""


class Palette(Endpoint):
    """The colour of each technique, from the catalogue, so that no style sheet names them."""

    content_type = "text/css; charset=utf-8"

    def get(self) -> None:
        """Send a class per technique, for each theme."""
        self.finish("\n".join(map(colours, TECHNIQUES.values())) + "\n")


def colours(technique: Technique) -> str:
    """The style of one technique."""
    return (
        f".{technique.mode} {{ --technique: {technique.light}; }}\n"
        f"@media screen {{ [data-theme=dark] .{technique.mode} {{ --technique: {technique.dark}; }} }}"
    )


class Static(Endpoint, StaticFileHandler):
    """Scripts and styles of the pages."""

    def initialize(self, context: Context, path: str) -> None:  # type: ignore[override]  # as the route says
        """Set the folder; a Range request gets a part of the file itself, not of its gzipped form."""
        super().initialize(context)
        StaticFileHandler.initialize(self, path)
        given = self.request.headers
        self.packs = takes_gzip(given.get("Accept-Encoding", "")) and "Range" not in given

    head = StaticFileHandler.head

    @classmethod
    def get_absolute_path(cls, root: str, path: str) -> str:
        """The path of the file. Raises `NotFound` for a name that no file can have."""
        if "\0" in path:
            raise NotFound("There is nothing at this path.")
        return super().get_absolute_path(root, path)

    def set_extra_headers(self, path: str) -> None:
        """Let browsers revalidate each time, because files of a lab are edited while it runs."""
        self.set_header("Cache-Control", "no-cache")
        self.set_header("Vary", "Accept-Encoding")
        if path == WORKER:
            self.set_header("Content-Security-Policy", "default-src 'none'; connect-src 'self'")
        if self.packs:
            self.set_header("Content-Encoding", "gzip")

    def compute_etag(self) -> str:
        """An entity tag of the file's time and form: the gzipped form has another tag."""
        return f'"{self.changed_ns:x}{"-gzip" * self.packs}"'

    @cached_property
    def changed_ns(self) -> int:
        """When the file was last changed, read once, so that tag, length and content belong together."""
        return os.stat(str(self.absolute_path)).st_mtime_ns

    def get_content_size(self) -> int:
        """The size of the sent content in bytes."""
        return len(self._packed()) if self.packs else super().get_content_size()

    def get_content(  # type: ignore[override]  # no class method: the content depends on the request
        self, path: str, start: int | None = None, end: int | None = None
    ) -> Any:
        """The sent content."""
        return self._packed() if self.packs else super().get_content(path, start, end)

    def _packed(self) -> bytes:
        return packed_file(str(self.absolute_path), self.changed_ns)
