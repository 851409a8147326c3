"""The shapes of the OpenAPI description: what the lab receives and answers, as JSON schemas."""

from lab.anatomy.units import FRAMING, HEAD, PAYLOAD
from lab.catalogue import TECHNIQUES
from lab.exercises.loading import known_steps
from lab.json_types import JsonObject
from lab.meters import COUNTERS
from lab.room.messages import UUID
from lab.server.api.described import (
    COUNT,
    CURSOR,
    MOMENT,
    SECONDS,
    TEXT,
    TEXTS,
    YES,
    ref,
    shape,
    text_up_to,
)
from lab.server.api.exercises import MOST_HINTS, MOST_TRIES
from lab.server.lesson.names import LONGEST_NAME, UNSEEN, name_pattern
from lab.settings import Settings

TIMES = ("mean", "p50", "p95", "p99", "max")


def schemas(settings: Settings) -> JsonObject:
    """All named schemas."""
    mid = {"type": "string", "pattern": f"^{UUID.pattern}$"}
    username, body = (text_up_to(settings.limit(f"{name}_chars")) for name in ("username", "message"))
    draft = {"mid": ref("Mid"), "username": ref("Username"), "body": ref("Body")}
    return {
        "Mid": mid,
        "Username": username,
        "Body": body,
        "Send": {"type": "object", "properties": draft, "required": list(draft)},
        "Stored": shape({"id": CURSOR, "duplicate": YES}),
        "Event": {"anyOf": list(events(draft).values())},
        "Batch": shape({"messages": {"type": "array", "items": ref("Event")}, "cursor": CURSOR}),
        "Refusal": shape(
            {"error": shape({"code": TEXT, "message": TEXT}), "stored": {"enum": [False, "unknown"]}},
            optional=("stored",),
        ),
        "Health": shape({"ok": YES, "versions": {"type": "object"}, "process": {"type": "object"}}),
        "Readiness": shape({"ready": YES, "reasons": TEXTS, "details": TEXTS}),
        "Wire": shape({"parts": listed("Part"), "left_out": COUNT, "units": listed("Unit")}),
        "Part": shape({"at": MOMENT, "came": YES, "text": TEXT}),
        "Unit": shape({"kind": TEXT, "came": YES, "at": MOMENT, "fields": listed("Field")}),
        "Field": field(),
        "Lesson": lesson(),
        "Meter": shape(dict.fromkeys(COUNTERS, COUNT) | {"delivery_s": ref("Delivery")}),
        "Delivery": shape({"count": COUNT} | dict.fromkeys(TIMES, SECONDS)),
        "Meters": meters(),
        "Segments": segments(),
        "Report": report(min(settings.limit("username_chars"), LONGEST_NAME)),
        "Progress": shape({"name": TEXT, "exercises": progress()}),
        "Sheet": shape({"open": YES, "revision": COUNT}),
    }


def report(longest: float) -> JsonObject:
    """A report: for each exercise, its step that follows the passed ones, or null behind the last."""
    tries, hints = (COUNT | {"maximum": most} for most in (MOST_TRIES, MOST_HINTS))
    name = text_up_to(longest) | {"pattern": f"^{name_pattern(UNSEEN)}$"}
    places = [
        {
            "properties": {
                "exercise": {"const": exercise},
                "step": {"const": step},
                "passed": {"const": passed},
            }
        }
        for exercise, steps in known_steps().items()
        for passed, step in enumerate((*steps, None))
    ]
    fields: JsonObject = {"name": name, "exercise": {"enum": list(known_steps())}}
    fields |= {"step": {"type": ["string", "null"]}, "passed": COUNT, "tries": tries, "hints": hints}
    return shape(fields) | {"anyOf": places}


def progress() -> JsonObject:
    """How far each program of one name came, by exercise."""
    step: JsonObject = {"type": ["string", "null"]}
    each = shape({"step": step} | dict.fromkeys(("passed", "tries", "hints", "steps"), COUNT))
    return {"type": "object", "additionalProperties": each}


def listed(name: str) -> JsonObject:
    """A list of objects of a named schema."""
    return {"type": "array", "items": ref(name)}


def field() -> JsonObject:
    """Bytes of a unit that have one meaning; `note` is the key of a sentence about it."""
    texts = dict.fromkeys(("name", "value", "note"), TEXT)
    return shape({"start": COUNT, "end": COUNT, "part": {"enum": [HEAD, FRAMING, PAYLOAD]}, **texts})


def events(draft: JsonObject) -> JsonObject:
    """The events that a listener may receive, by type."""
    return {
        kind: shape({"type": {"const": kind}} | more)
        for kind, more in {
            "message": {"id": CURSOR, **draft, "time": {"type": "number"}},
            "gap": {"missed": COUNT},
            "reset": {"id": CURSOR},
            "bye": {"retry_ms": COUNT},
        }.items()
    }


def meters() -> JsonObject:
    """The meters of the whole lab."""
    each = shape({"open": COUNT, "receive": ref("Meter"), "send": ref("Meter")})
    moved: JsonObject = {"bytes_in": COUNT, "bytes_out": COUNT}
    tls = {"type": ["integer", "null"]}
    return shape(
        {
            "since": {"type": "number"},
            "techniques": shape(dict.fromkeys(TECHNIQUES, each)),
            "other": shape(moved),
            "total": shape(moved | {"connections": COUNT, "tls_bytes": tls}, optional=("tls_bytes",)),
        }
    )


def segments() -> JsonObject:
    """The TCP segments of each technique, where the system reports them."""
    counts = shape({name: COUNT for name in ("in", "out", "head_bytes")})
    return shape({mode: {"anyOf": [counts, {"type": "null"}]} for mode in TECHNIQUES})


def lesson() -> JsonObject:
    """The meters of a lesson, with the conditions under which they were counted."""
    some: JsonObject = {"type": "object"}
    properties = {"schema": {"const": "pushlab.lesson/1"}, "lab": some, "taken": {"type": "number"}}
    return shape(properties | {"simulated": YES, "crew": some, "strain": some, "meters": ref("Meters")})
