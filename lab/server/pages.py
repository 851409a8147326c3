"""The pages for people: templates, filled in the reader's language, under a policy that lets nothing in."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any, ClassVar
from urllib.parse import urlencode

import jinja2
from tornado.web import HTTPError, StaticFileHandler

from lab import folders
from lab.catalogue import DEFAULT, TECHNIQUES, WORDS, Technique
from lab.errors import BadParameter, NotFound
from lab.server import texts
from lab.server.lesson import Lesson
from lab.server.packing import packed, packed_file, takes_gzip
from lab.techniques.accept import takes
from lab.techniques.endpoint import Endpoint
from lab.techniques.lab import Lab
from lab.version import __version__

CSP = "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'self'; form-action 'self'"
YEAR_DAYS = 365


class Page(Endpoint):
    """A page for people, made from a template."""

    content_type = "text/html; charset=utf-8"
    environment: ClassVar[jinja2.Environment] = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folders.PAGES / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["isolated"] = texts.isolated
    environment.policies.update({"json.dumps_kwargs": {"ensure_ascii": False, "separators": (",", ":")}})
    said: ClassVar[tuple[str, ...]] = ()
    """Beginnings of the keys of those texts that this page's scripts say."""
    keys: ClassVar[dict[str, str]] = {}
    """What the keyboard does on this page beside what it does on every one: key, and text that says so."""
    language = texts.ENGLISH

    def prepare(self) -> None:
        """Find out which language the reader wants; remember it when it was asked for."""
        asked = texts.spoken(self.get_query_argument("lang", ""))
        accepted = self.request.headers.get("Accept-Language", "")
        self.language = texts.chosen(asked or "", self.get_cookie(texts.COOKIE, ""), accepted)
        super().prepare()
        if self.request.method != "HEAD":
            self.lesson.network.came(self.request.remote_ip or "")
        if asked:
            self.set_cookie(texts.COOKIE, asked, expires_days=YEAR_DAYS, samesite="Lax")

    @property
    def lesson(self) -> Lesson:
        """What the pages share."""
        lesson: Lesson = self.settings["lesson"]
        return lesson

    @property
    def is_teacher(self) -> bool:
        """Whether whoever reads this page holds the teacher's cookie."""
        return self.lesson.key.fits(self.get_cookie(self.lesson.cookie, ""))

    def show(self, template: str, **values: Any) -> None:
        """Fill in a template, and send it under the headers of a page."""
        page = self.environment.get_template(template).render(self._words() | values).encode()
        self.set_header("Content-Type", Page.content_type)
        self.set_header("Content-Security-Policy", CSP)
        if self.get_status() == 200:  # a refused link stands in the address of the page that refuses it
            self.set_header("Referrer-Policy", "same-origin")  # by http a JSONP send has nothing else to show
        self.set_header("Vary", "Accept-Language, Accept-Encoding, Cookie")
        if takes_gzip(self.request.headers.get("Accept-Encoding", "")):
            self.set_header("Content-Encoding", "gzip")
            page = packed(page)
        self.finish(page)

    def explain(self, error: dict[str, Any]) -> None:
        """Tell a person who came for a page what to do now; a program is told in JSON, as everywhere."""
        comes_for_page = takes(self.request.headers.get("Accept", ""), "text/html")
        if comes_for_page and self.request.method in ("GET", "HEAD"):
            with suppress(OSError, HTTPError):  # what went wrong may go wrong again: a file, the query
                return self._explain_to_person(**error["error"])
        super().explain(error)

    def _explain_to_person(self, code: str, message: str) -> None:
        key = f"error.{code}" if f"error.{code}" in texts.catalogue(self.language) else "error.other"
        self.show("error.html", sentence=self.text(key), status=self.get_status(), code=code, message=message)

    def _words(self) -> dict[str, Any]:
        return {
            "_": self.text,
            "lang": self.language,
            "languages": {tag: (name, self._turned_to(tag)) for tag, name in texts.LANGUAGES.items()},
            "texts": self._said(),
            "keys": self.keys,
            "title": self.title,
            "techniques": TECHNIQUES,
            "lab": self.lab,
            "is_teacher": self.is_teacher,
            "version": __version__,
        }

    def text(self, key: str, **values: object) -> str:
        """A text in the reader's language."""
        return texts.text(self.language, key, **values)

    def title(self, technique: Technique) -> str:
        """What a technique is called in the reader's language."""
        return technique.title_zh if self.language == texts.CHINESE else technique.title

    def _said(self) -> dict[str, str]:
        mine = ("lab.", "state.", "unit.", *self.said)
        found = {k: v for k, v in texts.catalogue(self.language).items() if k.startswith(mine)}
        return found | {f"title.{word}": self.title(technique) for word, technique in TECHNIQUES.items()}

    def _turned_to(self, language: str) -> str:
        """This very page in a language."""
        query = {name: self.get_query_argument(name) for name in self.request.query_arguments}
        return "?" + urlencode({k: v for k, v in query.items() if k != "token"} | {"lang": language})


class RoomPage(Page):
    """The chat room through one technique."""

    said = ("room.", "bet.")

    def get(self) -> None:
        """The room; `mode` says by which technique, else the teacher does. Raises `BadParameter`."""
        self._show(self.get_query_argument("mode", "") or self.lesson.assignment.next(), self.lesson.arrivals)

    def head(self) -> None:
        """The same for who does not come in: nothing is assigned, and no number is used up."""
        self._show(self.get_query_argument("mode", "") or DEFAULT, iter([0]))

    def _show(self, mode: str, numbers: Iterator[int]) -> None:
        if mode not in TECHNIQUES:
            raise BadParameter(f"mode is one of {', '.join(WORDS)}.")
        self.show("room.html", mode=mode, guest=next(numbers))


class Palette(Endpoint):
    """The colour of each technique, from the catalogue, so that no style sheet names them."""

    content_type = "text/css; charset=utf-8"

    def get(self) -> None:
        """A class per technique, for each theme."""
        self.finish("\n".join(map(colours, TECHNIQUES.values())) + "\n")


def colours(technique: Technique) -> str:
    """The style of one technique."""
    return (
        f".{technique.word} {{ --technique: {technique.light}; }}\n"
        f"[data-theme=dark] .{technique.word} {{ --technique: {technique.dark}; }}"
    )


class Static(Endpoint, StaticFileHandler):
    """Scripts and styles of the pages."""

    def initialize(self, lab: Lab, path: str) -> None:  # type: ignore[override]
        """Take the folder along; a part of a file is a part of the file itself, not of its packed form."""
        super().initialize(lab)
        StaticFileHandler.initialize(self, path)
        given = self.request.headers
        self.packs = takes_gzip(given.get("Accept-Encoding", "")) and "Range" not in given

    head = StaticFileHandler.head

    @classmethod
    def get_absolute_path(cls, root: str, path: str) -> str:
        """Where the file is. Raises `NotFound` for a name that no file can have."""
        if "\0" in path:
            raise NotFound("There is nothing at this path.")
        return super().get_absolute_path(root, path)

    def set_extra_headers(self, path: str) -> None:
        """Browsers ask each time whether the file has changed: a lab is edited while it runs."""
        self.set_header("Cache-Control", "no-cache")
        self.set_header("Vary", "Accept-Encoding")
        if self.packs:
            self.set_header("Content-Encoding", "gzip")

    def compute_etag(self) -> str:
        """When the file was written, and in which form it is sent: each form has a tag of its own."""
        return f'"{self._stat().st_mtime_ns:x}{"-gzip" * self.packs}"'

    def get_content_size(self) -> int:
        """The size of what is sent."""
        return len(self._packed()) if self.packs else super().get_content_size()

    def get_content(self, path: str, start: int | None = None, end: int | None = None) -> Any:  # type: ignore[override]
        """What is sent."""
        return self._packed() if self.packs else super().get_content(path, start, end)

    def _packed(self) -> bytes:
        return packed_file(str(self.absolute_path), self._stat().st_mtime_ns)


class Nowhere(Page):
    """Every path that leads nowhere."""

    SUPPORTED_METHODS = ("GET", "HEAD", "POST", "DELETE", "PATCH", "PUT", "OPTIONS")

    def prepare(self) -> None:
        """Say so."""
        super().prepare()
        raise NotFound("There is nothing at this path.")
