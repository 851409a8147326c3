/**
 * Long polling: ask once, and let the server keep the question until there is something to say.
 *
 * Rests on fetch(). Costs a whole request and answer per message, and one connection that is always held.
 * The server's half: lab/techniques/longpoll.py.
 */

import { Line, address, get, post } from "./shared.js";

const PATH = "/longpoll";
const AT_ONCE = 0; // seconds the first question is held: its answer shows that the server is there

/** How many of the browser's six HTTP/1.1 connections to one server it holds. */
export const HOLDS = 1;

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
    const hold = line.up ? pace.hold : AT_ONCE;
    const text = await get(address(PATH, { after: line.cursor, hold, client, username }), hangUp.signal);
    if (text === null) return line.lost();
    line.hear(unframe(text));
    line.again(0);
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
