/**
 * Server-sent events: a response that never ends, read by the browser's own parser.
 *
 * Uses EventSource, which reconnects by itself and sends its last id in Last-Event-ID. Costs one
 * connection that is always open, and a few bytes around each message. Server side: lab/techniques/sse.py.
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

/** Send a message. */
export function send(message) {
  return post(PATH, message);
}

/** Receive events after the cursor `after`, until closed. */
export function connect({ after, onEvents, onStatus, client, username }) {
  const line = new Line({ after, onEvents, onStatus }, open);
  let source;

  function open() {
    source = new EventSource(address(PATH, { after: line.cursor, client, username }));
    source.onopen = () => line.works();
    source.onerror = end;
    for (const name of NAMES) source.addEventListener(name, receive);
  }

  function receive({ type, data }) {
    line.receive(unframe(data));
    if (type !== "bye") return;
    source.close(); // by itself it would reconnect too early
    end();
  }

  function end() {
    if (source.readyState === EventSource.CLOSED) line.lost(); // it has given up: open a new one
    else line.breaks(); // it reconnects by itself
  }

  function close() {
    line.close();
    source?.close();
  }

  return { send, close };
}
