/**
 * What the techniques share, said once: a line to the room that comes back by itself, how an address is put
 * together, how a message is posted. Knows no technique by name.
 */

const FIRST_MS = 500; // the longest pause after a first failure; it doubles with each further one
const MOST_MS = 8_000; // however long the lab was away, nobody notices its return later than this

/** Full jitter: a random part of the pause, so that a class does not come back all in one moment. */
export function backoff(failures) {
  return Math.random() * Math.min(MOST_MS, FIRST_MS * 2 ** failures);
}

/** A path with its query; what has no value is left out. */
export function address(path, parameters) {
  const given = Object.entries(parameters).filter(([, value]) => value !== undefined && value !== null);
  return `${path}?${new URLSearchParams(given)}`;
}

/** A reader's place in the room while connections come and go. `open` makes one connection, or one request. */
export class Line {
  constructor({ after, onEvents, onStatus }, open) {
    Object.assign(this, { cursor: after, onEvents, onStatus, open, up: false, failures: 0 });
    onStatus("connecting");
    this.again(0);
  }

  /** The server has answered: what is open now works. */
  works() {
    if (this.closed) return;
    this.up = true;
    this.broken = false;
    this.failures = 0;
    this.onStatus("waiting");
  }

  /** Pass events on, and remember where to go on: behind `cursor`, else behind the last that has an id. */
  hear({ events, cursor }) {
    if (this.closed) return;
    this.works();
    this.cursor = cursor ?? events.findLast(({ id }) => id)?.id ?? this.cursor;
    this.bye = events.find(({ type }) => type === "bye");
    if (this.bye) this.breaks();
    if (events.length) this.onEvents(events);
  }

  /** What was open is not there any more. */
  breaks() {
    if (this.closed) return;
    this.up = false;
    this.broken = true;
    this.onStatus("retrying");
  }

  /** It broke: come back after a pause that grows with each failure. */
  lost() {
    this.breaks();
    this.again(backoff(this.failures++));
  }

  /** Open the next one in so many milliseconds, or at the moment for which the server's bye asked. */
  again(ms) {
    clearTimeout(this.timer);
    const pause = this.bye?.retry_ms ?? ms;
    this.bye = undefined;
    if (this.closed) return;
    if (this.broken) this.onStatus("retrying", pause);
    this.timer = setTimeout(this.open, pause);
  }

  /** The reader leaves: from now on nothing is heard and nothing opened. */
  close() {
    this.closed = true;
    clearTimeout(this.timer);
  }
}

/** The text of an answer; null when the server cannot be reached, refuses or breaks off. */
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

/** Send a message by POST. Resolves to `{id, duplicate}`, rejects with `NotSent`. */
export async function post(path, message) {
  const headers = { "Content-Type": "application/json" };
  let answer, said;
  try {
    answer = await fetch(path, { method: "POST", headers, body: JSON.stringify(message) });
    said = await answer.json();
  } catch {
    throw new NotSent("unreachable", "The lab cannot be reached.", "unknown");
  }
  if (answer.ok) return said;
  throw new NotSent(said.error.code, said.error.message, said.stored);
}
