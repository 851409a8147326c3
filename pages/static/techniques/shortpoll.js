/**
 * Short polling: ask, wait a second, ask again.
 *
 * Rests on fetch() and a timer. Costs a whole request and answer per second, news or not, and messages come half
 * a second late on average; holds nothing open. The server's half: lab/techniques/shortpoll.py.
 */

import { Line, address, get, post } from "./shared.js";

const PATH = "/shortpoll";
const INTERVAL_S = 1; // from an answer to the next question: shorter is more waste, longer is later news

/** How many of the browser's six HTTP/1.1 connections to one server it holds: none, each response comes at once. */
export const HOLDS = 0;

/** One answer: the events in order, and the cursor to ask with next time. */
export function unframe(text) {
  const { messages, cursor } = JSON.parse(text);
  return { events: messages, cursor };
}

/** Read the room from the cursor `after` on, until closed. */
export function connect({ after, onEvents, onStatus, client, username, pace = {} }) {
  const line = new Line({ after, onEvents, onStatus }, ask);
  const hangUp = new AbortController();

  async function ask() {
    const text = await get(address(PATH, { after: line.cursor, client, username }), hangUp.signal);
    if (text === null) return line.lost();
    line.hear(unframe(text));
    line.again(1000 * (pace.interval ?? INTERVAL_S));
  }

  function send(message) {
    return post(PATH, message);
  }

  function close() {
    line.close();
    hangUp.abort();
  }

  return { send, close };
}
