"""An exchange as everybody may see it: what a client sent is hidden, but for the form of it.

A request names its browser, its language and its page; a frame may hold a message that was refused. So of a
client's bytes only names and lengths stay, and all that every client sends alike.
"""

from lab.json_types import JsonObject

ALIKE = {
    *("method", "http-version", "end-of-head", "chunk-size", "chunk-end", "last-chunk"),
    *("fin-rsv-opcode", "mask-length", "extended-length", "masking-key", "close-code"),
}
"""Fields that say nothing about a client."""
ALIKE_HEADERS = {
    *("connection", "upgrade", "content-length", "content-type", "accept", "accept-encoding"),
    *("sec-websocket-key", "sec-websocket-version", "sec-websocket-extensions", "sec-websocket-protocol"),
}


def hidden(exchange: JsonObject) -> JsonObject:
    """Replace what a client sent in `{"parts", "units", …}` by as many asterisks."""
    parts = [part for part in exchange["parts"] if part["came"]]
    text, place, shown = "".join(part["text"] for part in parts), 0, ""
    for unit in exchange["units"]:
        for field in unit["fields"] if unit["came"] else ():
            end = place + field["end"] - field["start"]
            shown += _field(field, text[place:end])
            place = end
    shown += "*" * (len(text) - place)
    for part in parts:
        part["text"], shown = shown[: len(part["text"])], shown[len(part["text"]) :]
    return exchange


def _field(field: JsonObject, text: str) -> str:
    """The text of a field without what is its client's own; its value changes alike."""
    kept = _kept(field["name"], text)
    line = text.rstrip("\r\n")
    if kept < len(line):
        field["value"] = line[:kept] + "*" * (len(line) - kept)
    return line[:kept] + "*" * (len(line) - kept) + text[len(line) :]


def _kept(name: str, text: str) -> int:
    """How many characters of a field everybody may see."""
    if name in ALIKE:
        return len(text)
    if name == "request-target":
        return text.find("?") + 1 or len(text)
    if name == "header-field":
        header, _, _ = text.partition(":")
        return len(text) if header.strip().lower() in ALIKE_HEADERS else len(header) + 1
    return 0
