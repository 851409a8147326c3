"""JSONP polling: long polling by a `<script>` tag, because scripts may be fetched from any site.

    client                       server
      |── <script src=?after=7> ───>|
      :                             :      waits, as a long poll
      :                             :   <- message 8 arrives
      |<──── /**/f({message 8}) ────|      the browser runs it: f is the page's own function
      |── <script src=?after=8> ───>|

Costs what long polling costs, plus a script element per response. It cannot POST: a message is sent in
the query of another script. No standard; its guards (comment, nosniff, file name) answer CVE-2014-4671.
"""

import re

from lab.errors import BadCallback
from lab.room.messages import Batch, compact
from lab.techniques import polling
from lab.techniques.endpoint import Endpoint
from lab.techniques.guards import refuse_foreign

RESERVED = (
    "break case catch class const continue debugger default delete do else enum export extends false finally "
    "for function if import in instanceof new null return super switch throw true try typeof var void while "
    "with"
)
"""Words that begin no name (ECMAScript, section 12.7.2); `this` may."""
NAME = r"[A-Za-z_$][\w$]*"
CALLBACK = re.compile(rf"(?!({RESERVED.replace(' ', '|')})(?![\w$])){NAME}(\.{NAME})*", re.ASCII)
"""Names with dots between them, as many as the longest of the libraries needs (Dojo: five); no brackets."""
MOST_CALLBACK = 256
"""Characters of a callback's name; names that libraries generate have fewer than a hundred."""
LINE_SEPARATORS = {"\u2028".encode(): b"\\u2028", "\u2029".encode(): b"\\u2029"}
"""JSON may hold them in a string, a script before ES2019 may not."""


def frame(batch: Batch) -> bytes:
    """The argument of the call; `call` puts the page's function around it."""
    return script_safe(polling.frame(batch))


def script_safe(json: bytes) -> bytes:
    """The same JSON as a script may hold it."""
    for raw, escaped in LINE_SEPARATORS.items():
        json = json.replace(raw, escaped)
    return json


def call(callback: str, argument: bytes) -> bytes:
    """A script that calls the page's function; the comment prevents another interpretation of its bytes."""
    return b"/**/" + callback.encode() + b"(" + argument + b");"


class Jsonp(Endpoint):
    """Wait: the events after my cursor, or none when the future times out."""

    mode = "jsonp"
    callback_pattern = CALLBACK.pattern
    content_type = "application/javascript; charset=utf-8"

    def set_default_headers(self) -> None:
        """Opened directly in a browser, the response is downloaded as a text file."""
        super().set_default_headers()
        self.set_header("Content-Disposition", 'attachment; filename="f.txt"')

    @property
    def callback(self) -> str:
        """The page's function. Raises `BadCallback` for anything but a plain JavaScript name."""
        name = self.get_query_argument("callback", "")
        if len(name) > MOST_CALLBACK or not CALLBACK.fullmatch(name):
            raise BadCallback("callback must be the name of a JavaScript function, such as lab.receive.")
        return name

    async def head(self) -> None:
        """Respond as GET does, without waiting."""
        _ = self.callback
        await polling.head(self)

    async def get(self) -> None:
        """Respond at the first event, or with none when the hold is over."""
        callback = self.callback
        batch = await polling.wait(self)
        self.answer(call(callback, batch.framed(frame)), batch)


class JsonpSend(Jsonp):
    """Send a message in the query of a script, refused when another site's page does it."""

    SUPPORTED_METHODS = ("GET",)

    def is_send(self) -> bool:
        """True: this GET sends a message."""
        return True

    async def get(self) -> None:
        """Store the message and call the page's function with its id."""
        callback = self.callback
        refuse_foreign(self.request)
        fields = {name: self.text(name) for name in ("mid", "username", "body")}
        pairs = (pair.partition("=") for pair in self.request.query.split("&"))
        sent = sum(len(value) for name, _, value in pairs if name in fields)
        answer = await self.publish(fields, sent)
        self.meter.head_bytes -= sent  # the message travelled in the request line, as payload
        self.finish(call(callback, compact(answer)))

    def text(self, name: str) -> str:
        """A value of the query as it was sent; Tornado would remove its control characters."""
        values = self.request.query_arguments.get(name, [b""])
        return self.decode_argument(values[-1], name)


ROUTES = [("/jsonp", Jsonp), ("/jsonp/send", JsonpSend)]
