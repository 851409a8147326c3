"""The data of the anatomy page: recorded exchanges, and true computations about bytes that a user chooses."""

import asyncio
import json
import re
from collections.abc import Sequence
from functools import cache
from uuid import uuid4

from lab import folders
from lab.anatomy import Part, accept_steps, as_json
from lab.anatomy.forbidden import FORBIDDEN
from lab.anatomy.packed import deflated
from lab.anatomy.printing import one_part
from lab.catalogue import MODES
from lab.errors import BadParameter
from lab.json_types import JsonObject
from lab.lanes.capture import Capture
from lab.lanes.hidden import hidden
from lab.lanes.newest import with_message
from lab.languages import ENGLISH, catalogue, spoken
from lab.room.messages import compact
from lab.server.lesson.lesson import Lesson
from lab.server.pages.gzipped import packed_for
from lab.techniques.endpoint import Endpoint
from lab.techniques.refusals import parse_json, require_json

HEX = re.compile(r"([0-9a-fA-F]{2}){1,4096}", re.ASCII)
"""What the sandbox dissects: up to 4,096 bytes."""
LONGEST_KEY = 100
LONGEST_TEXT = 500
AFTER = (1, 2, 10, 100)
"""After so many earlier messages the size of the next one is shown."""


class Packed(Endpoint):
    """A report that is sent with gzip where the client accepts it."""

    def finish_packed(self, data: bytes) -> None:
        """Send the data."""
        self.set_header("Vary", "Accept-Encoding")
        self.finish(packed_for(self, data))


class Recorded(Packed):
    """Exchanges of every technique that were recorded with a browser and come with the lab."""

    def get(self) -> None:
        """Send them with their units, or the one exchange `name`. Raises `BadParameter`."""
        name = self.query("name")
        if name not in ("", *recorded_names()):
            raise BadParameter(f"name must be one of {', '.join(recorded_names())}.")
        self.finish_packed(recorded(name))


class Last(Packed):
    """The last exchange of a technique in this room; the teacher alone sees what its client sent."""

    async def get(self) -> None:
        """`mode` is the technique. The answer is null when there is none. Raises
        `BadParameter`."""
        mode = self.query("mode")
        if mode not in MODES:
            raise BadParameter(f"mode must be one of {', '.join(MODES)}.")
        lesson: Lesson = self.settings["lesson"]
        newest = [*lesson.context.recorder.lanes[mode].wires]
        whole = lesson.key.fits(self.get_cookie(lesson.cookie, ""))
        self.finish_packed(await asyncio.to_thread(last, newest, whole))


def last(newest: Sequence[Capture], whole: bool) -> bytes:
    """The newest exchange with a message, else the newest; null when there is none."""
    found = with_message(newest)
    return compact(found if whole or found is None else hidden(found))


@cache
def recording() -> JsonObject:
    """The file of recorded exchanges."""
    found: JsonObject = json.loads((folders.PAGES / "recorded.json").read_text(encoding="utf-8"))
    return found


@cache
def recorded_names() -> list[str]:
    """The name of each recorded exchange: a technique, or "technique:variant"."""
    return [f"{one['mode']}:{one['variant']}".rstrip(":") for one in recording()["exchanges"]]


@cache
def recorded(name: str = "") -> bytes:
    """The JSON of one recorded exchange, or without a name of each technique's own, dissected."""
    pairs = zip(recorded_names(), recording()["exchanges"], strict=True)
    chosen = [one for own, one in pairs if own == (name or one["mode"])]
    return compact(recording() | {"exchanges": [dissected(one) for one in chosen]})


def dissected(exchange: JsonObject) -> JsonObject:
    """A recorded exchange with its units."""
    parts = [Part(at, came, text.encode("latin-1")) for at, came, text in exchange["parts"]]
    return exchange | as_json(parts, exchange["mode"])


class Texts(Packed):
    """The texts that every page needs which shows bytes: names of units and fields, and their notes."""

    def get(self) -> None:
        """Send them in the language `lang`, else in English."""
        language = spoken(self.query("lang")) or ENGLISH
        texts = catalogue(language).items()
        self.finish_packed(compact({k: v for k, v in texts if k.startswith(("anatomy.", "note."))}))


class Dissect(Endpoint):
    """The sandbox: the units of some bytes."""

    def get(self) -> None:
        """`bytes` in hexadecimal, of one direction; `mode` for a body without a head. Raises
        `BadParameter`."""
        digits, mode = self.query("bytes"), self.query("mode")
        if not HEX.fullmatch(digits) or mode not in ("", *MODES):
            raise BadParameter(
                "bytes must be 1 to 4,096 bytes in hexadecimal, and mode the name of a technique."
            )
        self.finish(compact(as_json([one_part(bytes.fromhex(digits))], mode)))


class Accept(Endpoint):
    """How a server computes `Sec-WebSocket-Accept`."""

    def get(self) -> None:
        """The steps for `key`. Raises `BadParameter`."""
        key = self.query("key")
        if not 0 < len(key) <= LONGEST_KEY:
            raise BadParameter(f"key must have 1 to {LONGEST_KEY} characters.")
        self.finish(compact(accept_steps(key)._asdict()))


class Deflated(Endpoint):
    """What compression makes of a message: alone, and after earlier ones."""

    def get(self) -> None:
        """The sizes in bytes for a message with this `body`. Raises `BadParameter`."""
        body = self.query("body")
        if not 0 < len(body) <= LONGEST_TEXT:
            raise BadParameter(f"body must have 1 to {LONGEST_TEXT} characters.")
        kept = list(deflated((message(body, n) for n in range(AFTER[-1] + 1)), keeps_window=True))
        alone = next(deflated([message(body, 0)], keeps_window=False))
        sizes: JsonObject = {"raw": len(message(body, 0)), "fresh": len(alone)}
        self.finish(compact(sizes | {"kept": [{"after": n, "bytes": len(kept[n])} for n in AFTER]}))


def message(body: str, n: int) -> bytes:
    """A message as listeners receive it; its id, mid and time are those of no other."""
    fields = {"type": "message", "id": f"1790000000000-{n + 1}", "mid": str(uuid4())}
    return compact(fields | {"username": "Li Lei", "body": body, "time": 1790000000.125 + n})


class Break(Endpoint):
    """Really sends a frame that the standard forbids to this lab, and shows what the lab does."""

    SUPPORTED_METHODS = ("POST",)

    async def post(self) -> None:
        """`frame` is the name of the frame. Raises `BadParameter`, `TooManySends`."""
        require_json(self.request.headers)
        wanted = parse_json(await self.whole_body())
        name = wanted.get("frame") if isinstance(wanted, dict) else None
        if not isinstance(name, str) or name not in FORBIDDEN:
            raise BadParameter(f"frame must be one of {', '.join(FORBIDDEN)}.")
        lesson: Lesson = self.settings["lesson"]
        lesson.probe_rate.take(self.request.remote_ip or "", self.now())
        forbidden = FORBIDDEN[name]
        found = await lesson.prober.probe(forbidden)
        self.finish(compact(found | {"rule": forbidden.rule, "code": forbidden.code}))
