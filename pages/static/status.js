/**
 * The state of a connection as text: connecting, waiting, reconnecting in so many seconds, hidden.
 */

import { _, number } from "./i18n.js";

const TICK_MS = 1000;

/** Show states in `output`. Returns a function of `(state, ms)`: ms is the pause before reconnecting. */
export function statusLine(output) {
  let [state, until, ticking] = ["connecting", 0, null];

  function show(word, ms) {
    state = word;
    until = ms ? performance.now() + ms : 0;
    clearInterval(ticking);
    if (until) ticking = setInterval(render, TICK_MS);
    render();
  }

  function render() {
    const seen = document.hidden ? "hidden" : state;
    const text = words(seen, Math.round((until - performance.now()) / 1000));
    if (output.textContent === text && output.dataset.seen === seen) return;
    output.ariaLive = output.dataset.seen === seen ? "off" : "polite"; // a countdown is not read out
    output.dataset.status = seen === "live" ? "waiting" : seen;
    output.dataset.seen = seen;
    output.textContent = text;
  }

  document.addEventListener("visibilitychange", render);
  return show;
}

function words(state, seconds) {
  if (state === "retrying" && seconds > 0) return _("state.retrying_in", { n: number(seconds) });
  return _(`state.${state}`);
}
