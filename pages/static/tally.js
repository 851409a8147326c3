/**
 * The receiving costs of this browser: requests and empty responses as the browser counts them, the bytes of the
 * messages, and all bytes as the server counts them at the socket for this client. No DOM.
 */

import { on, send } from "./live.js";

const PATIENCE_MS = 1000; // without /live the room still opens; then the bytes stay unknown
const ENCODER = new TextEncoder();

export class Tally {
  constructor(client, onChange) {
    Object.assign(this, { client, onChange, begun() {} });
    this.reset();
    on("cost", (cost) => this.charge(cost));
    new PerformanceObserver((list) => this.see(list.getEntries())).observe({ type: "resource" });
  }

  reset() {
    Object.assign(this, { answers: 0, brought: 0, opened: 0, useful: 0, down: null, up: null });
  }

  /** Restart the count for a technique. Resolves when the server counts too, or does not reply. */
  begin(mode, verb) {
    Object.assign(this, { mode, verb });
    this.reset();
    return new Promise((resolve) => {
      this.begun = resolve;
      send({ type: "client", client: this.client, mode });
      setTimeout(resolve, PATIENCE_MS);
    });
  }

  /** The server's counts have arrived. */
  charge({ mode, bytes_in, bytes_out, begins }) {
    if (mode !== this.mode) return;
    if (begins) this.reset(); // the costs arrive with the next update
    else [this.up, this.down] = [bytes_in, bytes_out];
    this.begun();
    this.onChange(this);
  }

  /** Requests of this client that have ended. */
  see(entries) {
    const mine = entries.map(({ name }) => new URL(name)).filter(({ pathname, searchParams }) => {
      return pathname === `/${this.mode}` && searchParams.get("client") === this.client;
    });
    this.answers += mine.length;
    if (mine.length) this.onChange(this);
  }

  /** Events have arrived. */
  receive(events) {
    this.brought += 1;
    for (const event of events) if (event.type === "message") this.useful += size(event);
    this.onChange(this);
  }

  /** A connection that stays has been opened. */
  opens() {
    this.opened += 1;
    this.onChange(this);
  }

  /** A stream is one request however much it brings; a poll is one each time. */
  get requests() {
    return this.verb === "stream" ? this.opened : this.answers;
  }

  get empty() {
    return this.verb === "stream" ? 0 : Math.max(0, this.answers - this.brought);
  }

  get total() {
    return this.down === null ? null : this.up + this.down;
  }
}

/** The bytes of a message object: the server writes JSON as compactly as this. */
function size(message) {
  return ENCODER.encode(JSON.stringify(message)).length;
}
