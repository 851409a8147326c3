/**
 * Short polling: ask, wait a second, ask again.
 *
 * Uses fetch() and a timer. Costs a whole request and response per second, with or without messages, and messages are
 * half a second late on average; keeps no request open. Server side: lab/techniques/shortpoll.py.
 */

import { Line, address, get, post } from "./shared.js";

const PATH = "/shortpoll";
const INTERVAL_S = 1; // from a response to the next request: shorter costs more bytes, longer is later

/** How many of the browser's six HTTP/1.1 connections to one server it holds: none, each response comes at once. */
export const HOLDS = 0;

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
    const text = await get(address(PATH, { after: line.cursor, client, username }), controller.signal);
    if (text === null) return line.lost();
    line.receive(unframe(text));
    line.again(1000 * (pace.interval ?? INTERVAL_S));
  }

  function close() {
    line.close();
    controller.abort();
  }

  return { send, close };
}
