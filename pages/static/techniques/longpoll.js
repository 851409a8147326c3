/**
 * Long polling: ask once, and let the server keep the request open until there is a message.
 *
 * Uses fetch(). Costs a whole request and response per message, and one connection that is always in use. Server side:
 * lab/techniques/longpoll.py.
 */

import { Line, address, get, post } from "./shared.js";

const PATH = "/longpoll";
const AT_ONCE = 0; // hold of the first request in seconds: its response shows that the server works

/** How many of the browser's six HTTP/1.1 connections to one server it holds. */
export const HOLDS = 1;

/** One response: the events in order, and the cursor for the next request. */
export function unframe(text) {
  const { messages, cursor } = JSON.parse(text);
  return { events: messages, cursor };
}

/** Send a message. */
export function send(message) {
  return post(PATH, message);
}

/** Receive events after the cursor `after`, until closed. */
export function connect({ after, onEvents, onStatus, client, username, pace = {} }) {
  const line = new Line({ after, onEvents, onStatus }, ask);
  const controller = new AbortController();

  async function ask() {
    const hold = line.up ? pace.hold : AT_ONCE;
    const text = await get(address(PATH, { after: line.cursor, hold, client, username }), controller.signal);
    if (text === null) return line.lost();
    line.receive(unframe(text));
    line.again(0);
  }

  function close() {
    line.close();
    controller.abort();
  }

  return { send, close };
}
