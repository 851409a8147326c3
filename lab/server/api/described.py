"""The words of an OpenAPI description: operations, answers, parameters and shapes of JSON."""

from lab.json_types import JsonObject
from lab.room.messages import PLACE
from lab.techniques.endpoint import Endpoint
from lab.techniques.refusals import CODES, STATUS

TEXT: JsonObject = {"type": "string"}
TEXTS: JsonObject = {"type": "array", "items": TEXT}
YES: JsonObject = {"type": "boolean"}
COUNT: JsonObject = {"type": "integer", "minimum": 0}
SECONDS: JsonObject = {"type": ["number", "null"], "minimum": 0}
CURSOR: JsonObject = {"type": "string", "pattern": f"^{PLACE.pattern}$"}
MOMENT: JsonObject = {"type": "number", "minimum": 0}
HOLD: JsonObject = {"type": "number", "minimum": 0}
REFUSALS = sorted({*STATUS.values(), *CODES})


def operation(summary: str, answers: JsonObject, where: list[JsonObject]) -> JsonObject:
    """One method of one path, with every possible refusal."""
    refusals = {str(status): {"$ref": "#/components/responses/Refused"} for status in REFUSALS}
    return {"summary": summary, "parameters": where, "responses": refusals | answers}


def query(name: str, schema: JsonObject, required: bool = False) -> JsonObject:
    """A parameter in the query."""
    return {"name": name, "in": "query", "required": required, "schema": schema}


def answer(sentence: str, schema: JsonObject, media_type: str = Endpoint.content_type) -> JsonObject:
    """An answer with a body."""
    return {"description": sentence, "content": content(schema, media_type)}


def content(schema: JsonObject, media_type: str = Endpoint.content_type) -> JsonObject:
    """A body of one type."""
    return {media_type.partition(";")[0]: {"schema": schema}}


def taking(schema: JsonObject) -> JsonObject:
    """The body of a POST."""
    return {"requestBody": {"content": content(schema), "required": True}}


def ref(shape: str) -> JsonObject:
    """A reference to a named schema."""
    return {"$ref": f"#/components/schemas/{shape}"}


def shape(properties: JsonObject, optional: tuple[str, ...] = ()) -> JsonObject:
    """An object with these properties and no others."""
    required = [name for name in properties if name not in optional]
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def text_up_to(limit: float) -> JsonObject:
    """Text of at least one character."""
    return TEXT | {"minLength": 1} | ({"maxLength": int(limit)} if limit < float("inf") else {})
