"""An eighth technique: a response that never ends, in parts, each with one message (multipart, 1995).

    client                       server
      |── GET ?after=7 ────────────>|
      |<──── 200, multipart ────────|      the response begins, and never ends
      :                             :   <- message 8 arrives
      |<──── a part with {…8…} ─────|      the boundary after it says that it is whole

A part has a head of its own (RFC 2046 section 5.1).
"""

import json

from lab.clients.link import FETCH, FRESH, Unframed, accepted
from lab.room.messages import Batch
from lab.techniques.endpoint import Endpoint
from lab.techniques.streaming import stream

ROW = 'Technique("multipart", "multipart streaming", "multipart 流", "stream", "#5D4037", "#D7B8A8", "H")'
BOUNDARY = b"--part\r\n"
PREAMBLE = BOUNDARY
HEARTBEAT = b"\r\n" + BOUNDARY  # a part with nothing in it


def frame(batch: Batch) -> bytes:
    """One part for each event, with the boundary that ends it: without that it would not be whole."""
    head = b"Content-Type: application/json\r\n\r\n"
    return b"".join(head + event.json + b"\r\n" + BOUNDARY for event in batch.events)


class Multipart(Endpoint):
    """Stream: the events after my cursor, without end."""

    mode = "multipart"
    content_type = "multipart/x-mixed-replace; boundary=part"
    SUPPORTED_METHODS = ("GET", "HEAD", "POST")

    async def get(self) -> None:
        """Begin the response at once, then send every later event."""
        await stream(self, frame, PREAMBLE, HEARTBEAT)


ROUTES = [("/multipart", Multipart)]


def unframe(data: bytes) -> Unframed:
    """The events whose part is complete; what follows the last boundary is the rest."""
    *parts, rest = data.split(BOUNDARY)
    bodies = [part.partition(b"\r\n\r\n")[2] for part in parts]
    return Unframed([json.loads(body) for body in bodies if body.strip()], rest=rest)


async def listen(link):
    """The simulated client: request the stream, and read each part as it arrives."""
    async with link.request("GET", "/multipart" + link.query(), FETCH | FRESH) as answer:
        await accepted(answer)
        rest = b""
        async for chunk in answer.content.iter_any():
            rest = link.received(unframe(rest + chunk))


async def send(link, message):
    """The simulated client: send a message; returns its id."""
    return await link.post("/multipart", message)


# The page: what pages/static/techniques/fetch.js is for its technique.
PAGE = r"""
/** multipart streaming: a response that never ends, read part by part. */

import { Line, address, post } from "./shared.js";

export const HOLDS = 1; // of the browser's connections

export function unframe(text) {
  const parts = text.split("--part\r\n");
  const rest = parts.pop();
  const bodies = parts.map((part) => part.slice(part.indexOf("\r\n\r\n") + 4));
  return { events: bodies.filter((body) => body.trim()).map((body) => JSON.parse(body)), rest };
}

export function send(message) {
  return post("/multipart", message);
}

export function connect({ after, onEvents, onStatus, client, username }) {
  const line = new Line({ after, onEvents, onStatus }, open);
  let connection, watch;

  async function open() {
    connection = new AbortController();
    const url = address("/multipart", { after: line.cursor, client, username });
    const answer = await fetch(url, { signal: connection.signal }).catch(() => null); // no server, or closed
    try {
      if (answer?.ok) await read(answer.body.getReader());
    } finally {
      disconnect();
      line.lost();
    }
  }

  async function read(reader) {
    const decoder = new TextDecoder();
    let rest = "";
    for (let piece = await next(reader); !piece.done; piece = await next(reader)) {
      const found = unframe(rest + decoder.decode(piece.value, { stream: true }));
      rest = found.rest;
      line.receive(found);
      if (line.bye) return;
    }
  }

  function next(reader) {
    clearTimeout(watch);
    watch = setTimeout(disconnect, 40_000);
    return reader.read().catch(() => ({ done: true }));
  }

  function disconnect() {
    clearTimeout(watch);
    connection?.abort();
  }

  function close() {
    line.close();
    disconnect();
  }

  return { send, close };
}
"""

if __name__ == "__main__":  # change nothing here: it runs a copy of the lab with this technique
    from lab.exercises.own_technique import run

    run(__file__, ROW, PAGE)
