"""Errors of the lab as responses: the one place where an error becomes a status and a JSON object."""

import json
from collections.abc import Iterable, Mapping

from lab import errors
from lab.json_types import JsonObject
from lab.techniques.guards import VERSION

STATUS: dict[type[errors.LabError], int] = {
    errors.BadInput: 400,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.MethodNotAllowed: 405,
    errors.BodyTooLarge: 413,
    errors.NotJson: 415,
    errors.UnknownHost: 421,
    errors.BadMessage: 422,
    errors.UpgradeRequired: 426,
    errors.TooManySends: 429,
    errors.TooManyTries: 429,
    errors.Overloaded: 503,
    errors.HistoryUnavailable: 503,
    errors.CannotDraw: 503,
}

CODES = {400: "bad_request", 403: "forbidden", 404: "not_found", 405: "method_not_allowed"}
CODES |= {408: "request_timeout", 413: errors.BodyTooLarge.code, 414: "uri_too_long"}
CODES |= {417: "expectation_failed", 431: "headers_too_large", 500: "internal", 501: "not_implemented"}
CODES |= {503: "out_of_files", 505: "version_not_supported"}
SENTENCES = {
    400: "This request cannot be understood.",
    403: "This request comes from another site.",
    404: "There is nothing at this path.",
    405: "This path does not support this method.",
    500: "An error occurred in the lab; read its log.",
    503: "The lab cannot open another file now; try again in a moment.",
}
"""Codes and sentences for statuses that Tornado or the operating system causes."""


def guards(protocol: str) -> dict[str, str]:
    """Header fields under which nothing in a response runs, and no other site can frame or read it."""
    policy = "default-src 'none'; frame-ancestors 'none'"
    # Browsers obey the opener's policy by https only, and complain of it elsewhere.
    opener = {"Cross-Origin-Opener-Policy": "same-origin"} if protocol == "https" else {}
    return {"Content-Security-Policy": policy, "Referrer-Policy": "no-referrer"} | opener


def require_json(headers: Mapping[str, str]) -> None:
    """Accept only JSON, a type for which a page of another site needs permission (CORS). Raises `NotJson`."""
    if headers.get("Content-Type", "").partition(";")[0].strip().lower() != "application/json":
        raise errors.NotJson("This request must have the Content-Type application/json.")


def parse_json(data: str | bytes) -> object:
    """Decode JSON in UTF-8. Raises `BadJson`, also for what Python's decoder accepts: NaN, deep nesting.

    A byte order mark in front is refused: no sender may add one (RFC 8259 section 8.1).
    """
    try:
        return json.loads(data.decode() if isinstance(data, bytes) else data, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise errors.BadJson("The body is not a JSON object in UTF-8.") from error


def _no_constant(name: str) -> object:
    raise ValueError(name)


def status_of(error: BaseException | None) -> int | None:
    """The HTTP status of an error of the lab, or of a system without files; None for any other."""
    if isinstance(error, OSError) and error.errno in errors.NO_FILE_LEFT:
        return 503
    return next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), None)


def error_headers(error: BaseException | None, status: int, methods: Iterable[str]) -> dict[str, str]:
    """Header fields of an error: which methods or protocol the path supports, and when to try again."""
    fields = {"Allow": ", ".join(methods)} if status == 405 else {}
    if isinstance(error, (errors.UpgradeRequired, errors.BadHandshake)):
        fields["Sec-WebSocket-Version"] = VERSION  # RFC 6455 section 4.4
    if status == 426:
        fields |= {"Upgrade": "websocket", "Connection": "Upgrade"}
    if status in (429, 503):
        fields["Retry-After"] = str(getattr(error, "retry_s", 1))
    return fields


def error_json(error: BaseException | None, status: int, sending: bool) -> JsonObject:
    """The error object, the same for a response and for a frame."""
    if isinstance(error, errors.LabError):
        code, message = error.code, str(error)
    else:
        code, message = CODES.get(status, "error"), SENTENCES.get(status, "The request failed.")
    shape: JsonObject = {"error": {"code": code, "message": message}}
    if sending:
        surprised = status == 500 or isinstance(error, OSError)
        shape["stored"] = getattr(error, "stored", "unknown" if surprised else False)
    return shape
