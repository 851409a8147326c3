/**
 * The facts of the lanes: open requests, deliveries, and the delivery of each message.
 *
 * Knows neither network nor screen. All moments are milliseconds on the server's clock.
 */

const KEPT_MS = 30_000; // the picture shows ten seconds; a pause may reach back further
const PENDING_MS = 5_000; // a message that was not delivered to a lane after so long was not for its listener
const MESSAGES = 60;

export class Traffic {
  constructor() {
    this.clear();
  }

  /** Forget everything. */
  clear() {
    this.bars = []; // {lane, from, to, empty}: a request that has ended
    this.marks = []; // {lane, at, messages: [[id, accepted]], more}: a delivery
    this.open = {}; // lane -> when its open request began
    this.messages = new Map(); // id -> {id, accepted, at: {lane: when it was delivered}}
  }

  /** Add the facts that the server sends. */
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
    for (const [id, accepted] of fact.messages) {
      const message = this.messages.get(id) ?? { id, accepted, at: {} };
      message.at[fact.lane] ??= fact.at;
      this.messages.set(id, message);
    }
  }

  /** Requests that were open between two times; those still open have no end yet. */
  held(from, to) {
    const open = Object.entries(this.open).map(([lane, since]) => ({ lane, from: since, to: Infinity }));
    return [...this.bars, ...open].filter((bar) => bar.from <= to && bar.to >= from);
  }

  /** Deliveries between two times. */
  handed(from, to) {
    return this.marks.filter(({ at }) => at >= from && at <= to);
  }

  /** Messages that were accepted before `to` and were pending, or delivered, after `from`. */
  between(from, to) {
    return [...this.messages.values()].filter(
      (message) => message.accepted <= to && Math.max(message.accepted, ...Object.values(message.at)) >= from,
    );
  }

  /** Whether a lane still waits for a message that others have received. */
  isPending({ accepted, at }, lane, moment) {
    if (moment < accepted || moment - accepted > PENDING_MS) return false;
    if (lane in at) return at[lane] > moment;
    return this.listened(lane, accepted);
  }

  /** Whether a lane had a listener just before a time. */
  listened(lane, moment) {
    const before = (bar) => bar.lane === lane && bar.from <= moment && bar.to > moment - PENDING_MS;
    return this.open[lane] <= moment || this.bars.some(before);
  }

  /** Whether there are any facts. */
  get empty() {
    return !this.bars.length && !this.marks.length && !Object.keys(this.open).length;
  }
}

/** The delay of a message in a lane, in ms; null when it was not delivered there. */
export function latency({ accepted, at }, lane) {
  return lane in at ? Math.max(0, at[lane] - accepted) : null;
}
