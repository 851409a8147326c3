/**
 * Automatic choice of a technique: begin by the one that the page shows, try those before it in the order while it
 * runs, and fall back to one after it when its connection is cut repeatedly. Knows techniques by that order only.
 */

import { keep, kept } from "./frame.js";
import { _ } from "./i18n.js";
import { isNews } from "./messages.js";
import { before, trial } from "./trial.js";

const WORKED = "pushlab-works"; // the technique that worked last in this browser
const SETTLE_MS = 300; // after a connection: its first events are shown by then
const CUTS = 3; // so many in CUT_MS are "again and again"
const CUT_MS = 30_000;
const DOWN_MS = 6_000; // without a connection for so long, another technique is tried
const LATE_MS = 4_000; // an own message that is stored arrives within this time
const AGAIN_MS = 120_000; // until the better ones are tried again; doubles with each fall back

/** The technique to begin with: the page's own, or one after it in the order that worked last here. */
export function firstMode(order, mode) {
  const worked = kept("localStorage", WORKED);
  return order.indexOf(worked) > order.indexOf(mode) ? worked : mode;
}

/**
 * Choose for a page. `order` is best first, `mode()` the technique in use, `use(mode)` changes it, `cursor()` is that
 * of the last message shown, `show(text)` shows a sentence. Returns `{status(state), sent(id), stop()}`.
 */
export function automatic({ order, mode, use, cursor, show, pace }) {
  const failed = new Map(); // mode -> why it does not work in this network
  let [connected, trying, stopped, cuts, again] = [false, false, false, [], AGAIN_MS];
  let down, later;

  function status(state) {
    if (stopped) return;
    if (state === "waiting" && !connected) begins();
    if (state === "retrying" && connected) breaks();
    connected = state === "waiting";
    if (!connected) down ??= setTimeout(fallBack, DOWN_MS, "blocked");
  }

  function begins() {
    clearTimeout(down);
    down = undefined;
    keep("localStorage", WORKED, mode());
    later ??= setTimeout(improve, SETTLE_MS);
  }

  function breaks() {
    const now = performance.now();
    cuts = [...cuts.filter((at) => now - at < CUT_MS), now];
    if (cuts.length >= CUTS) fallBack("cut");
  }

  /** An own message was stored: a stream that something on the way holds back does not bring it. */
  function sent(id) {
    if (stopped || !id) return;
    const current = mode();
    setTimeout(() => mode() === current && isNews(id, cursor()) && fallBack("held"), LATE_MS);
  }

  async function improve() {
    const better = order.slice(0, Math.max(0, order.indexOf(mode())));
    await first(better, () => true);
    later = undefined;
    if (!stopped && order.indexOf(mode()) > 0) later = setTimeout(improve, again);
  }

  async function fallBack(reason) {
    down = undefined;
    if (stopped || trying) return;
    const current = mode();
    const found = await first(order.slice(order.indexOf(current) + 1), () => reason !== "blocked" || !connected);
    if (found) fellBack(current, reason);
    if (!connected && !stopped) down ??= setTimeout(fallBack, DOWN_MS, "blocked");
  }

  function fellBack(from, reason) {
    failed.set(from, reason);
    say();
    clearTimeout(later);
    later = setTimeout(improve, (again *= 2));
  }

  /** Use the first of these that works, if it is still wanted then. */
  async function first(candidates, wanted) {
    if (trying) return false;
    trying = true;
    let found = false;
    for (const candidate of candidates) {
      say(candidate);
      const result = await trial(candidate, before(cursor()), pace);
      if (stopped || !wanted()) break;
      if (result === "works") failed.delete(candidate);
      else failed.set(candidate, result);
      if (result === "works") {
        await take(candidate);
        found = true;
        break;
      }
    }
    trying = false;
    say();
    return found;
  }

  async function take(candidate) {
    [cuts, connected] = [[], false];
    await use(candidate);
  }

  function say(candidate) {
    if (!stopped) show(sentence(order, mode(), failed, candidate));
  }

  function stop() {
    stopped = true;
    clearTimeout(down);
    clearTimeout(later);
    show("");
  }

  return { status, sent, stop };
}

/** What is known about the network, in words. */
function sentence(order, mode, failed, candidate) {
  const title = _(`title.${mode}`);
  if (candidate) return _("room.choice_trying", { title, candidate: _(`title.${candidate}`) });
  const better = order.slice(0, Math.max(0, order.indexOf(mode)));
  const faults = ["blocked", "held", "cut"].map((fault) => [fault, better.filter((one) => failed.get(one) === fault)]);
  const parts = faults.filter(([, modes]) => modes.length).map(([fault, modes]) => {
    return _(`room.choice_${fault}`, { titles: modes.map((one) => _(`title.${one}`)) });
  });
  if (parts.length) return _("room.choice_instead", { parts, title });
  return better.length ? _("room.choice_by", { title }) : _("room.choice_works", { title });
}
