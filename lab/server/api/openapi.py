"""The API of the lab as an OpenAPI 3.1 description, made from the lab's own tables.

The techniques come from the catalogue, the limits from the settings, the errors from the table of refusals.
"""

import asyncio

from tornado.websocket import WebSocketHandler

from lab.anatomy.forbidden import FORBIDDEN
from lab.catalogue import TECHNIQUES, Technique, server_side
from lab.exercises.loading import known_steps
from lab.json_types import JsonObject
from lab.room.messages import compact
from lab.server.api.anatomy import HEX, LONGEST_KEY, LONGEST_TEXT, recorded_names
from lab.server.api.described import (
    COUNT,
    CURSOR,
    HOLD,
    MOMENT,
    TEXT,
    answer,
    content,
    operation,
    query,
    ref,
    shape,
    taking,
)
from lab.server.api.doctor import APART_S, FORMS, MOST_SILENCE_S
from lab.server.api.openapi_shapes import schemas
from lab.server.api.openapi_teacher import EXPORTS, actions, exercises
from lab.server.api.wire import NUMBER
from lab.server.connections import base_path
from lab.server.lesson.networks import FAULTS
from lab.settings import Settings
from lab.techniques.endpoint import Endpoint
from lab.version import __version__

DESCRIPTION = "One room, every way to push. Wherever GET is described, HEAD is answered too."


class OpenApi(Endpoint):
    """The handler of `/openapi.json`."""

    async def get(self) -> None:
        """Send the description for this lab's settings."""
        settings = self.context.settings
        here = {"url": base_path.of(self.request, settings).rstrip("/") or "/"}
        await asyncio.to_thread(known_steps)  # the first time it reads files
        self.finish(compact(describe(settings) | {"servers": [here]}))


def describe(settings: Settings) -> JsonObject:
    """The whole description."""
    offered = {path: item for technique in TECHNIQUES.values() for path, item in offers(technique).items()}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Push Lab", "version": __version__, "description": DESCRIPTION},
        "paths": offered | REPORTS | EXPORTS | anatomy() | actions() | exercises() | doctor(),
        "components": {
            "securitySchemes": {"teacher": {"type": "http", "scheme": "bearer"}},
            "schemas": schemas(settings),
            "responses": {"Refused": answer("It was refused; the code says why.", ref("Refusal"))},
        },
    }


def offers(technique: Technique) -> JsonObject:
    """The paths of one technique: the first receives, and accepts a POST if it can; another one sends."""
    (path, first), *more = server_side(technique.mode).ROUTES
    found: JsonObject = {path: {"get": receiving(technique, first)}}
    if "POST" in first.SUPPORTED_METHODS:
        found[path]["post"] = sending([]) | {
            "requestBody": {"content": content(ref("Send")), "required": True}
        }
    for other, handler in more:
        fields = [query(name, ref(name.capitalize()), True) for name in ("mid", "username", "body")]
        found[other] = {"get": sending([*fields, *callbacks(handler)], handler.content_type)}
    return found


def receiving(technique: Technique, handler: type[Endpoint]) -> JsonObject:
    """How a technique receives: events after a cursor."""
    where = [query("after", AFTER), query("client", TEXT), query("username", TEXT), *callbacks(handler)]
    if technique.verb == "wait":
        where.append(query("hold", HOLD))
    if issubclass(handler, WebSocketHandler):
        return operation(
            technique.title, {"101": {"description": "From here on the connection is a WebSocket."}}, where
        )
    brought = answer("Events after the cursor.", body_of(handler.content_type, "Batch"), handler.content_type)
    return operation(f"{technique.title}: {technique.verb}", {"200": brought}, where)


def sending(where: list[JsonObject], media_type: str = Endpoint.content_type) -> JsonObject:
    """How a technique sends: the same mid again stores nothing and gets the same id."""
    stored = answer("Its place in the history.", body_of(media_type, "Stored"), media_type)
    return operation("send", {"200": stored, "201": stored}, where)


def callbacks(handler: type[Endpoint]) -> list[JsonObject]:
    """The parameter for responses that call a function of the page."""
    pattern = getattr(handler, "callback_pattern", None)
    return [query("callback", TEXT | {"pattern": f"^{pattern}$"}, True)] if pattern else []


def body_of(media_type: str, shape: str) -> JsonObject:
    """JSON of this shape, or text in which such JSON is framed."""
    return ref(shape) if media_type == Endpoint.content_type else TEXT


AFTER: JsonObject = {"anyOf": [CURSOR, {"enum": ["latest", ""]}]}
WIRE = [
    query("lane", {"enum": list(TECHNIQUES)}),
    query("from", {"type": "string", "pattern": f"^{NUMBER.pattern}$"}),
    query("as", TEXT),
    query("mid", ref("Mid")),
]
"""A request in a lane, or a send."""
REPORTS: JsonObject = {
    path: {"get": operation(sentence, {"200": answer(sentence, schema, media_type)}, where)}
    for path, sentence, schema, media_type, where in (
        ("/history", "The kept messages.", ref("Batch"), Endpoint.content_type, []),
        ("/meters", "What everything cost.", ref("Meters"), Endpoint.content_type, []),
        ("/segments", "The TCP segments that this took.", ref("Segments"), Endpoint.content_type, []),
        ("/metrics", "The same for Prometheus.", TEXT, "text/plain", []),
        (
            "/wire",
            "The bytes of a request in a lane, or of a send.",
            ref("Wire"),
            Endpoint.content_type,
            WIRE,
        ),
        ("/healthz", "The lab is alive.", ref("Health"), Endpoint.content_type, []),
        ("/readyz", "It can do its work.", ref("Readiness"), Endpoint.content_type, []),
        ("/openapi.json", "This description.", {"type": "object"}, Endpoint.content_type, []),
    )
}
REPORTS["/readyz"]["get"]["responses"]["503"] = answer(
    "It cannot, and why; or it was refused.", {"anyOf": [ref("Readiness"), ref("Refusal")]}
)
KNOWN: JsonObject = {"enum": list(TECHNIQUES)}
LAST: JsonObject = {"anyOf": [ref("Wire"), {"type": "null"}]}


def anatomy() -> JsonObject:
    """The data of the anatomy page."""
    some: JsonObject = {"type": "object"}
    digits = query("bytes", TEXT | {"pattern": f"^{HEX.pattern}$"}, True)
    key, body = (
        query(name, TEXT | {"minLength": 1, "maxLength": most}, True)
        for name, most in (("key", LONGEST_KEY), ("body", LONGEST_TEXT))
    )
    mode, name = (
        query(key, {"enum": ["", *of]}) for key, of in (("mode", TECHNIQUES), ("name", recorded_names()))
    )
    frame = {"type": "object", "properties": {"frame": {"enum": list(FORBIDDEN)}}, "required": ["frame"]}
    wanted = {"content": content(frame), "required": True}
    reports = {
        path: {"get": operation(sentence, {"200": answer(sentence, schema)}, where)}
        for path, sentence, schema, where in (
            ("/anatomy/recorded", "Recorded exchanges, or one of them.", some, [name]),
            ("/anatomy/last", "The last exchange of a technique.", LAST, [query("mode", KNOWN, True)]),
            ("/anatomy/texts", "The names and notes of fields.", some, [query("lang", TEXT)]),
            ("/anatomy/dissect", "The units of some bytes.", ref("Wire"), [digits, mode]),
            ("/anatomy/accept", "How Sec-WebSocket-Accept is computed.", some, [key]),
            ("/anatomy/deflated", "What compression makes of a message.", some, [body]),
        )
    }
    probe = operation("Send a forbidden frame to this lab.", {"200": answer("What it did.", some)}, [])
    return reports | {"/anatomy/break": {"post": probe | {"requestBody": wanted}}}


def doctor() -> JsonObject:
    """The probe of the page `/doctor`, and where it reports what it found."""
    faults: JsonObject = {"type": "array", "items": {"enum": list(FAULTS)}, "uniqueItems": True}
    form = query("as", {"enum": ["", *FORMS]})
    event: JsonObject = {"type": "object", "properties": {"data": TEXT}, "required": ["data"]}
    streams = content(event, FORMS["events"][0]) | content(TEXT, FORMS["lines"][0])
    stream = operation(
        f"Events at once, after {APART_S:g} s, and after a silence of at most {MOST_SILENCE_S:g} s.",
        {"200": {"description": "A short stream.", "content": streams}},
        [form, query("silence", MOMENT)],
    )
    verdict = operation(
        "Report what a network does; it is counted for the address, without a name.",
        {"200": answer("What was kept.", shape({"faults": faults}))},
        [],
    )
    probe = shape({"type": {"const": "probe"}, "n": COUNT, "time": MOMENT})
    post = operation(
        "A response at once, to see whether a POST waits.", {"200": answer("One event.", probe)}, []
    )
    return {
        "/doctor/stream": {"get": stream, "post": post},
        "/doctor/verdict": {"post": verdict | taking(shape({"faults": faults}))},
    }
