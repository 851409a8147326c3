/**
 * What is known of the lanes: held requests, what was handed to them, and what became of each message.
 *
 * Knows neither network nor screen. All moments are milliseconds on the server's clock.
 */

const KEPT_MS = 30_000; // the picture shows ten seconds; a pause may reach back further
const PENDING_MS = 5_000; // a message that a lane has not had after so long was not meant for its listener
const MESSAGES = 60;

export class Traffic {
  constructor() {
    this.clear();
  }

  /** Forget everything. */
  clear() {
    this.bars = []; // {lane, from, to, empty}: a request that was held, and has ended
    this.marks = []; // {lane, at, messages: [[id, said]], more}: something that was handed out
    this.open = {}; // lane -> since when its request is held
    this.messages = new Map(); // id -> {id, said, at: {lane: when it was handed out}}
  }

  /** Take in what the server tells. */
  take({ now, facts, open }) {
    this.open = open;
    for (const fact of facts) {
      if ("at" in fact) this.mark(fact);
      else this.bars.push(fact);
    }
    const old = now - KEPT_MS;
    this.bars = this.bars.filter(({ to }) => to > old);
    this.marks = this.marks.filter(({ at }) => at > old);
    for (const id of [...this.messages.keys()].slice(0, -MESSAGES)) this.messages.delete(id);
  }

  mark(fact) {
    this.marks.push(fact);
    for (const [id, said] of fact.messages) {
      const message = this.messages.get(id) ?? { id, said, at: {} };
      message.at[fact.lane] ??= fact.at;
      this.messages.set(id, message);
    }
  }

  /** Requests that were held between two moments; those still open have no end yet. */
  held(from, to) {
    const open = Object.entries(this.open).map(([lane, since]) => ({ lane, from: since, to: Infinity }));
    return [...this.bars, ...open].filter((bar) => bar.from <= to && bar.to >= from);
  }

  /** What was handed out between two moments. */
  handed(from, to) {
    return this.marks.filter(({ at }) => at >= from && at <= to);
  }

  /** Messages that were said before `to` and were still under way, or handed out, after `from`. */
  said(from, to) {
    return [...this.messages.values()].filter(
      (message) => message.said <= to && Math.max(message.said, ...Object.values(message.at)) >= from,
    );
  }

  /** Whether at this moment a lane still waits for a message that others have had. */
  isPending({ said, at }, lane, moment) {
    if (moment < said || moment - said > PENDING_MS) return false;
    if (lane in at) return at[lane] > moment;
    return this.listened(lane, said);
  }

  /** Whether somebody listened in a lane just before a moment. */
  listened(lane, moment) {
    const before = (bar) => bar.lane === lane && bar.from <= moment && bar.to > moment - PENDING_MS;
    return this.open[lane] <= moment || this.bars.some(before);
  }

  /** Whether anything is known at all. */
  get empty() {
    return !this.bars.length && !this.marks.length && !Object.keys(this.open).length;
  }
}

/** How long a message took to a lane, in ms; null when it never came there. */
export function latency({ said, at }, lane) {
  return lane in at ? Math.max(0, at[lane] - said) : null;
}
