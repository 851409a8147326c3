"""What the teacher may ask, as OpenAPI: the actions, the tables, and the sheet of the exercises."""

from lab.catalogue import MODES
from lab.json_types import JsonObject
from lab.server.api.csv_table import CsvTable
from lab.server.api.described import TEXT, YES, answer, operation, ref, taking
from lab.server.api.export import AsCsv, AsJson, AsPng, AsSvg
from lab.server.lesson.assignment import WAYS
from lab.server.lesson.guided import ACTIONS
from lab.server.lesson.questions import BY_HAND
from lab.server.lesson.simulated_students import MOST_EACH, MOST_PAYLOAD, MOST_RATE, MOST_RTT_MS

TEACHER: JsonObject = {"security": [{"teacher": []}]}
SOME: JsonObject = {"type": "object"}
EXPORTS: JsonObject = {
    f"/teacher/meters.{export.ending}": {
        "get": operation(sentence, {"200": answer(sentence, schema, export.content_type)}, [])
        | {"security": [{"teacher": []}]}
    }
    for export, sentence, schema in (
        (AsJson, "The lesson so far.", ref("Lesson")),
        (AsCsv, "The same as a table.", TEXT),
        (AsSvg, "The same as a figure.", TEXT),
        (AsPng, "That figure in pixels.", TEXT),
    )
}


def actions() -> JsonObject:
    """The teacher's actions: each is a POST with a JSON object, and answers with the new state."""
    return {
        f"/teacher/{name}": {
            "post": operation(sentence, {"200": answer("The new state.", SOME)}, [])
            | TEACHER
            | taking(wanted)
        }
        for name, sentence, wanted in (
            (
                "network",
                "Listen at an address of the network; without one, the likeliest.",
                wanted_of(address=TEXT),
            ),
            ("crew", "Start or stop simulated students, or set the pace of browsers alone.", students()),
            ("bet", "Open the vote by hand, count, or close it.", vote()),
            ("lesson", "Move the guided lesson.", choice("do", *ACTIONS)),
            ("assign", "Which technique new users get.", choice("to", *WAYS)),
            ("reset", "Set the meters to zero.", SOME),
            ("proxy", "Try all techniques through an nginx with faults, or end it.", trials()),
        )
    }


def vote() -> JsonObject:
    """What is done with the vote by hand, and what it is about."""
    wanted = choice("do", "open", "count", "close")
    wanted["properties"]["about"] = {"enum": list(BY_HAND)}
    return wanted


def wanted_of(**properties: JsonObject) -> JsonObject:
    """An object in which some of these fields may be."""
    return {"type": "object", "properties": properties}


def choice(name: str, *values: str) -> JsonObject:
    """An object with one field, which has one of these values."""
    return wanted_of(**{name: {"enum": list(values)}}) | {"required": [name]}


def students() -> JsonObject:
    """The plan of simulated students; durations in seconds, `rtt_ms` in milliseconds."""
    words: JsonObject = {"type": "array", "items": {"enum": list(MODES)}, "minItems": 1}
    bounds = {
        "each": (1, MOST_EACH),
        "rate": (0, MOST_RATE),
        "interval": (0.1, 60),
        "hold": (1, 60),
        "payload": (1, MOST_PAYLOAD),
        "rtt_ms": (0, MOST_RTT_MS),
    }
    plan: JsonObject = {
        name: {"type": "number", "minimum": least, "maximum": most} for name, (least, most) in bounds.items()
    }
    what = choice("do", "start", "stop", "pace")
    return what | {"properties": what["properties"] | plan | {"words": words}}


def trials() -> JsonObject:
    """A trial of the page `/proxy`: the switches of nginx, and the lab's own waits in seconds."""
    what = choice("do", "try", "stop")
    waits: JsonObject = {name: {"type": "number"} for name in ("hold", "heartbeat", "labs")}
    return what | {"properties": what["properties"] | waits | {"switches": TEXT}}


def exercises() -> JsonObject:
    """The reports about exercises, what the teacher does with them, and the answers of the lesson."""
    report = operation(
        "How far a program for an exercise came; 403 unless the teacher has opened the sheet.",
        {"200": answer("What the sheet has under this name.", ref("Progress"))},
        [],
    )
    sheet = operation("Accept reports, or refuse them.", {"200": answer("So it is.", ref("Sheet"))}, [])
    table = operation("The sheet.", {"200": answer("A table.", TEXT, CsvTable.content_type)}, [])
    answers = operation(
        "The answers of the lesson.", {"200": answer("A table.", TEXT, CsvTable.content_type)}, []
    )
    open_or_closed: JsonObject = {"type": "object", "properties": {"open": YES}, "required": ["open"]}
    teacher: JsonObject = {"security": [{"teacher": []}]}
    return {
        "/exercises/report": {"post": report | taking(ref("Report"))},
        "/teacher/exercises": {"post": sheet | teacher | taking(open_or_closed)},
        "/teacher/exercises.csv": {"get": table | teacher},
        "/teacher/lesson.csv": {"get": answers | teacher},
    }
