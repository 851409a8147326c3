/**
 * How far this clock is off the server's, asked on /live: without that no page could say how long a message took
 * that was accepted on another machine. The best of some questions counts, the one that was answered quickest, until
 * an answer contradicts it: then one of the clocks was set, or stood still while its machine slept.
 */

import { on, say } from "./live.js";

const QUESTIONS = 6; // at the beginning, a little apart from each other
const APART_MS = 150;
const AGAIN_MS = 60_000; // clocks drift; a question a minute keeps up
const STAMP_MS = 1; // the server's stamps have so many milliseconds between them

/** Keep asking. Returns `{now(), bound()}`: the server's time in ms, and how wrong it may be; null unless known. */
export function serverClock() {
  let [offset, bound] = [null, null];

  on("clock", ({ at, time }) => {
    const there = performance.now();
    const off = (there - at) / 2 + STAMP_MS;
    const found = time * 1000 - (at + there) / 2;
    const moved = Math.abs(found - offset) > off + bound; // more than both can be wrong
    if (bound === null || off <= bound || moved) [offset, bound] = [found, off];
  });
  const ask = () => say({ type: "clock", at: performance.now() }, false);
  on("status", ({ state }) => {
    if (state !== "waiting") return;
    [offset, bound] = [null, null]; // perhaps it is another server now
    for (let n = 0; n < QUESTIONS; n++) setTimeout(ask, n * APART_MS);
  });
  setInterval(ask, AGAIN_MS);

  return { now: () => (offset === null ? null : performance.now() + offset), bound: () => bound };
}
