/**
 * What the techniques share: a link to the room that reconnects by itself, how a URL is built, how a message is posted.
 * Knows no technique by name.
 */

const FIRST_MS = 500; // the longest pause after a first failure; it doubles with each further one
const MOST_MS = 8_000; // longest pause, so that clients soon return to a restarted lab

/** Full jitter: a random part of the pause, so that clients do not reconnect at the same moment. */
export function backoff(failures) {
  return Math.random() * Math.min(MOST_MS, FIRST_MS * 2 ** failures);
}

/** What stands before every path of the lab: nothing, or the path of a reverse proxy, such as "/lab". */
export const BASE = new URL("../..", import.meta.url).pathname.slice(0, -1);

/** The URL of a path with its query; parameters without a value are left out. */
export function address(path, parameters) {
  const given = Object.entries(parameters).filter(([, value]) => value !== undefined && value !== null);
  return `${BASE}${path}?${new URLSearchParams(given)}`;
}

/** A client's cursor across reconnections. `open` makes one connection, or one request. */
export class Line {
  constructor({ after, onEvents, onStatus }, open) {
    Object.assign(this, { cursor: after, onEvents, onStatus, open, up: false, failures: 0 });
    onStatus("connecting");
    this.again(0);
  }

  /** The server has responded: the connection works. */
  works() {
    if (this.closed) return;
    this.up = true;
    this.broken = false;
    this.failures = 0;
    this.onStatus("waiting");
  }

  /** Pass events on, and store the next cursor: `cursor`, else that of the last event with an id. */
  receive({ events, cursor }) {
    if (this.closed) return;
    this.works();
    this.cursor = cursor ?? events.findLast(({ id }) => id)?.id ?? this.cursor;
    this.bye = events.find(({ type }) => type === "bye");
    if (this.bye) this.breaks();
    if (events.length) this.onEvents(events);
  }

  /** The connection or request has ended. */
  breaks() {
    if (this.closed) return;
    this.up = false;
    this.broken = true;
    this.onStatus("retrying");
  }

  /** It failed: reconnect after a pause that grows with each failure. */
  lost() {
    this.breaks();
    this.again(backoff(this.failures++));
  }

  /** Open the next one in so many milliseconds, or at the time in the server's bye. */
  again(ms) {
    clearTimeout(this.timer);
    const pause = this.bye?.retry_ms ?? ms;
    this.bye = undefined;
    if (this.closed) return;
    if (this.broken) this.onStatus("retrying", pause);
    this.timer = setTimeout(this.open, pause);
  }

  /** Close the link: from now on nothing is received and nothing opened. */
  close() {
    this.closed = true;
    clearTimeout(this.timer);
  }
}

/** The text of a response; null when the server cannot be reached, refuses or disconnects. */
export async function get(url, signal) {
  try {
    const answer = await fetch(url, { signal });
    return answer.ok ? await answer.text() : null;
  } catch {
    return null;
  }
}

/** A send that failed: why, and whether the message is stored all the same (false or "unknown"). */
export class NotSent extends Error {
  constructor(code, message, stored) {
    super(message);
    Object.assign(this, { code, stored });
  }
}

/** Send an object by POST. Resolves to the response, for a message `{id, duplicate}`; rejects with `NotSent`. */
export async function post(path, message) {
  const headers = { "Content-Type": "application/json" };
  let answer, parsed;
  try {
    answer = await fetch(BASE + path, { method: "POST", headers, body: JSON.stringify(message) });
    parsed = await answer.json();
  } catch {
    throw new NotSent("unreachable", "The lab cannot be reached.", "unknown");
  }
  if (answer.ok) return parsed;
  throw new NotSent(parsed.error.code, parsed.error.message, parsed.stored);
}
