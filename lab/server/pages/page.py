"""Pages for users: templates in the user's language, with a policy that allows nothing from outside."""

from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlencode

from tornado.web import HTTPError

from lab import folders
from lab.catalogue import TECHNIQUES, Technique
from lab.errors import NotFound
from lab.json_types import JsonObject
from lab.languages import ENGLISH, catalogue, name, short, spoken
from lab.server.connections import base_path
from lab.server.lesson.lesson import Lesson
from lab.server.pages import alone, i18n
from lab.server.pages.gzipped import packed_for
from lab.techniques.accept import takes
from lab.techniques.endpoint import Endpoint
from lab.version import __version__

if TYPE_CHECKING:  # loaded with the first page: a measured lab shows none
    import jinja2

CSP = "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'self'; form-action 'self'"
YEAR_DAYS = 365
QUESTIONS = ("bet.", "lesson.ask.", "lesson.show.", "lesson.title.", "lesson.why.")
"""Prefixes of the texts of a page that shows questions to the class."""


@cache
def templates() -> "jinja2.Environment":
    """The templates of all pages, escaped by default."""
    import jinja2

    found = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folders.PAGES / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    found.filters["isolated"] = i18n.isolated
    found.policies.update({"json.dumps_kwargs": {"ensure_ascii": False, "separators": (",", ":")}})
    return found


class Page(Endpoint):
    """A page for users, made from a template."""

    content_type = "text/html; charset=utf-8"
    text_prefixes: ClassVar[tuple[str, ...]] = ()
    """Prefixes of the keys of the texts that this page's scripts show."""
    keys: ClassVar[dict[str, str]] = {}
    """Additional keyboard shortcuts of this page: the key, and the key of its description."""
    language = ENGLISH
    policy = CSP

    def prepare(self) -> None:
        """Choose the user's language; remember it in a cookie when the URL names it."""
        asked = spoken(self.get_query_argument("lang", ""))
        accepted = self.request.headers.get("Accept-Language", "")
        self.language = i18n.chosen(asked or "", self.get_cookie(i18n.COOKIE, ""), accepted)
        super().prepare()
        if self.request.method != "HEAD":
            self.lesson.network.came(self.request.remote_ip or "")
        if asked:
            self.set_cookie(i18n.COOKIE, asked, path=self.base, expires_days=YEAR_DAYS, samesite="Lax")

    @property
    def lesson(self) -> Lesson:
        """The lesson that the pages share."""
        lesson: Lesson = self.settings["lesson"]
        return lesson

    @property
    def base(self) -> str:
        """The path below which the user's browser finds the lab, with slashes at both ends."""
        return base_path.of(self.request, self.context.settings)

    @property
    def is_teacher(self) -> bool:
        """Whether the request has the teacher's cookie."""
        return self.lesson.key.fits(self.get_cookie(self.lesson.cookie, ""))

    @property
    def report_to(self) -> str:
        """The address that students type to send reports: the one on the first page, else this page's own."""
        proxied = base_path.proxied_url(self.request, self.context.settings)
        here = f"{self.request.protocol}://{self.request.host}{self.base}"
        return (proxied or self.lesson.network.url or here).rstrip("/")

    def show(self, template: str, **values: Any) -> None:
        """Render a template, and send it with the header fields of a page."""
        page = templates().get_template(template).render(self._words() | values).encode()
        self.set_header("Content-Type", Page.content_type)
        self.set_header("Content-Security-Policy", self.policy)
        if self.get_status() == 200:  # the address of a refusal holds the refused link
            self.set_header("Referrer-Policy", "same-origin")  # over http a JSONP send needs it
        self.set_header("Vary", "Accept-Language, Accept-Encoding, Cookie")
        self.finish(packed_for(self, page))

    def explain(self, error: JsonObject) -> None:
        """Show a user an error page that states what to do; a program gets the JSON error object."""
        comes_for_page = takes(self.request.headers.get("Accept", ""), "text/html")
        if comes_for_page and self.request.method in ("GET", "HEAD"):
            with suppress(OSError, HTTPError):  # the cause of the error may occur again: a file, the query
                return self._explain_to_person(**error["error"])
        super().explain(error)

    def _explain_to_person(self, code: str, message: str) -> None:
        key = f"error.{code}" if f"error.{code}" in catalogue(self.language) else "error.other"
        about = {"sentence": self.text(key), "status": self.get_status(), "code": code, "message": message}
        if code not in alone.CODES:
            return self.show("error.html", **about)
        style = alone.style()
        self.policy = f"{CSP}; style-src {alone.source(style)}; img-src data:"
        self.show("error_alone.html", style=style, **about)

    def _words(self) -> JsonObject:
        return {
            "_": self.text,
            "base": self.base,
            "lang": self.language,
            "languages": {tag: (name(tag), self._turned_to(tag)) for tag in i18n.LANGUAGES},
            "texts": self._script_texts(),
            "keys": self.keys,
            "title": self.title,
            "techniques": TECHNIQUES,
            "context": self.context,
            "front": self.context.settings.front,
            "is_teacher": self.is_teacher,
            "version": __version__,
        }

    def text(self, key: str, **values: object) -> str:
        """A text in the user's language."""
        own = self.lesson.guided.texts[short(self.language)]
        return own[key] if key in own else i18n.text(self.language, key, **values)

    def title(self, technique: Technique) -> str:
        """The title of a technique in the user's language."""
        return self.text(f"title.{technique.mode}")

    def _script_texts(self) -> dict[str, str]:
        mine = ("lab.", "state.", "unit.", "title.", *self.text_prefixes)
        known = catalogue(self.language) | self.lesson.guided.texts[short(self.language)]
        return {k: v for k, v in known.items() if k.startswith(mine)}

    def _turned_to(self, language: str) -> str:
        """The URL of this page in another language."""
        query = {name: self.get_query_argument(name) for name in self.request.query_arguments}
        return "?" + urlencode({k: v for k, v in query.items() if k != "token"} | {"lang": language})


class Nowhere(Page):
    """The page for every unknown path."""

    SUPPORTED_METHODS = ("GET", "HEAD", "POST", "DELETE", "PATCH", "PUT", "OPTIONS")

    def prepare(self) -> None:
        """Raise `NotFound`."""
        super().prepare()
        raise NotFound("There is nothing at this path.")
