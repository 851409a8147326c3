"""The errors of the lab: each keeps its details and knows nothing of HTTP.

Only the outermost layer turns an error into a status, a frame or an exit code.
"""

from collections.abc import Iterable
from errno import EMFILE, ENFILE, ENOBUFS, ENOMEM
from typing import ClassVar, Literal

Stored = Literal[False, "unknown"]
NO_FILE_LEFT = {EMFILE, ENFILE, ENOBUFS, ENOMEM}
"""Error numbers when this process, or the machine, can open no more files (open(2), accept(2))."""


class LabError(Exception):
    """The lab refuses something or cannot do it; the text is one sentence."""

    code: ClassVar[str] = "lab_error"
    retry_s: ClassVar[int] = 1
    """Seconds after which the client may try again, for a temporary error."""


class BadInput(LabError):
    """The request itself is wrong; the same request will always be refused."""

    code = "bad_input"


class BadCursor(BadInput):
    """A cursor that is neither `<epoch>-<n>` nor `latest`."""

    code = "bad_cursor"

    def __init__(self, text: str) -> None:
        super().__init__("A cursor must look like 1700000000000-42, or be the word latest.")
        self.text = text


class BadJson(BadInput):
    """A body that is not a JSON object in UTF-8."""

    code = "bad_json"


class BadCallback(BadInput):
    """A JSONP callback that is not a plain JavaScript name."""

    code = "bad_callback"


class BadParameter(BadInput):
    """A query parameter that cannot be read."""

    code = "bad_parameter"


class BadExtensions(BadInput):
    """A WebSocket handshake whose list of extensions cannot be read."""

    code = "bad_extensions"


class BadSubprotocols(BadInput):
    """A WebSocket handshake whose list of subprotocols is malformed."""

    code = "bad_subprotocols"


class BadMessage(BadInput):
    """A message with a field that is missing, of the wrong kind or empty."""

    code = "bad_message"

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field


class TooLong(BadMessage):
    """A message with a field that is longer than its limit."""

    code = "too_long"


class NotJson(BadInput):
    """A body whose Content-Type is not JSON."""

    code = "unsupported_media_type"


class BodyTooLarge(BadInput):
    """A request body above the limit."""

    code = "body_too_large"


class NotFound(LabError):
    """A path that does not exist."""

    code = "not_found"


class MethodNotAllowed(LabError):
    """A method that this path does not support."""

    code = "method_not_allowed"


class Forbidden(LabError):
    """A request that this client may not send."""

    code = "forbidden"


class SheetFull(Forbidden):
    """A report under a new name when the sheet of the class has no place for one."""

    code = "sheet_full"


class UnknownHost(LabError):
    """A Host that is none of the lab's own names."""

    code = "unknown_host"


class UpgradeRequired(BadInput):
    """A plain request where a WebSocket handshake is required."""

    code = "upgrade_required"


class BadHandshake(BadInput):
    """A WebSocket handshake that RFC 6455 does not allow."""

    code = "bad_handshake"


class TooManyTries(LabError):
    """An address that has sent too many wrong tokens."""

    code = "too_many_tries"
    retry_s = 60


class TooManySends(LabError):
    """A client that sends faster than its limit."""

    code = "rate_limited"


class Overloaded(LabError):
    """A connection above the limit."""

    code = "too_many_connections"


class HistoryUnavailable(LabError):
    """The history cannot be reached; `stored` states whether the message was stored."""

    code = "history_unavailable"

    def __init__(self, stored: Stored, reason: str = "The history cannot be reached.") -> None:
        super().__init__(
            f"{reason} The message was not stored."
            if stored is False
            else "The history did not answer in time; send the same mid again to learn whether it is stored."
        )
        self.stored: Stored = stored


class CannotDraw(LabError):
    """A figure that cannot be drawn, or not now."""

    code = "cannot_draw"


class CannotStart(LabError):
    """The lab could not start: the reason, and what to do."""

    code = "cannot_start"


def hint(value: object, choices: Iterable[str]) -> str:
    """ " Did you mean …?", if one of the choices is written nearly so."""
    from difflib import get_close_matches  # only a wrong word needs it

    near = get_close_matches(str(value).lower(), list(choices), n=1) if isinstance(value, str) else []
    return f" Did you mean {near[0]}?" if near else ""
