/**
 * The time span that the picture shows: the newest seconds, a paused moment, or a slow replay.
 *
 * Knows neither network nor screen. Given the page's own clock (ms), answers in the server's.
 */

const SPAN_MS = 10_000;
const SLOW_SPAN_MS = 2_500; // a replay looks closer
const REPLAYED_MS = 10_000;
const SLOWNESS = 10;
const BEHIND_MS = 300; // facts arrive in batches; so far behind, the picture is complete
const HEARD = 30; // the clocks are compared this often before an old comparison is forgotten
const AHEAD = 0.12; // share of a replay's width that stays free for the next events

export class Clock {
  constructor() {
    this.offsets = [];
    this.live();
  }

  /** The server's time is `now`, the page's is `at`. The message with the shortest delay is the most exact. */
  receive(now, at) {
    this.offsets = [...this.offsets.slice(1 - HEARD), now - at];
  }

  get ready() {
    return this.offsets.length > 0;
  }

  /** The server's time up to which all facts are known. */
  known(at) {
    return at + Math.max(...this.offsets) - BEHIND_MS;
  }

  /** Follow the newest. */
  live() {
    Object.assign(this, { mode: "live", held: null, replay: null });
  }

  /** Pause, or go on from the paused moment. */
  togglePause(at) {
    if (this.held === null) {
      this.held = this.moment(at);
      this.mode = "paused";
    } else {
      if (this.replay) Object.assign(this.replay, { from: this.held, began: at });
      this.mode = this.replay ? "slow" : "live";
      this.held = null;
    }
  }

  /** Show the last ten seconds again, ten times slower. */
  slow(at) {
    const end = this.moment(at);
    Object.assign(this, { mode: "slow", held: null, replay: { from: end - REPLAYED_MS, began: at, end } });
  }

  /** The time that the picture shows. A replay that reaches its end continues live. */
  moment(at) {
    if (this.held !== null) return this.held;
    if (!this.replay) return this.known(at);
    const moment = this.replay.from + (at - this.replay.began) / SLOWNESS;
    if (moment < this.replay.end) return moment;
    this.live();
    return this.known(at);
  }

  /** The time span to draw: `{from, to, moment, isLive}`; nothing later than the moment is drawn. */
  view(at) {
    const moment = this.moment(at);
    const isLive = this.mode === "live";
    if (!this.replay) return { from: moment - SPAN_MS, to: moment, moment, isLive };
    const to = moment + AHEAD * SLOW_SPAN_MS;
    return { from: to - SLOW_SPAN_MS, to, moment, isLive };
  }
}
