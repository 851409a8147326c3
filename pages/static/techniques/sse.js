/**
 * Server-sent events: an answer that never ends, read by the browser's own parser.
 *
 * Rests on EventSource, which comes back by itself and says in Last-Event-ID where it was. Costs one
 * connection that is always open, and a few bytes around each message. The server's half: lab/techniques/sse.py.
 */

import { Line, address, post } from "./shared.js";

const PATH = "/sse";
const NAMES = ["message", "gap", "reset", "bye"]; // an event without a name is a message

/** How many of the browser's six HTTP/1.1 connections to one server it holds. */
export const HOLDS = 1;

/** The data of one event: JSON. */
export function unframe(data) {
  return { events: [JSON.parse(data)] };
}

/** Read the room from the cursor `after` on, until closed. */
export function connect({ after, onEvents, onStatus, client, username }) {
  const line = new Line({ after, onEvents, onStatus }, open);
  let source;

  function open() {
    source = new EventSource(address(PATH, { after: line.cursor, client, username }));
    source.onopen = () => line.works();
    source.onerror = end;
    for (const name of NAMES) source.addEventListener(name, hear);
  }

  function hear({ type, data }) {
    line.hear(unframe(data));
    if (type !== "bye") return;
    source.close(); // by itself it would come back too early
    end();
  }

  function end() {
    if (source.readyState === EventSource.CLOSED) line.lost(); // it has given up: a new one must come
    else line.breaks(); // it comes back by itself
  }

  function send(message) {
    return post(PATH, message);
  }

  function close() {
    line.close();
    source?.close();
  }

  return { send, close };
}
