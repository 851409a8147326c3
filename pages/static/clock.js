/**
 * The offset of this clock from the server's, measured on /live: without it no page could show the delay of a message
 * that another machine accepted. The reply with the shortest round trip counts, until another reply contradicts it:
 * then one of the clocks was set, or its machine slept.
 */

import { on, send } from "./live.js";

const QUESTIONS = 6; // at the beginning, with a short pause between them
const APART_MS = 150;
const AGAIN_MS = 60_000; // clocks drift; one question a minute is enough
const STAMP_MS = 1; // resolution of the server's time stamps

/** Measure regularly. Returns `{now(), bound()}`: the server's time in ms, and its error bound; null if unknown. */
export function serverClock() {
  let [offset, bound] = [null, null];

  on("clock", ({ at, time }) => {
    const there = performance.now();
    const off = (there - at) / 2 + STAMP_MS;
    const found = time * 1000 - (at + there) / 2;
    const moved = Math.abs(found - offset) > off + bound; // more than both error bounds allow
    if (bound === null || off <= bound || moved) [offset, bound] = [found, off];
  });
  const ask = () => send({ type: "clock", at: performance.now() }, false);
  on("status", ({ state }) => {
    if (state !== "waiting") return;
    [offset, bound] = [null, null]; // it may be another server now
    for (let n = 0; n < QUESTIONS; n++) setTimeout(ask, n * APART_MS);
  });
  setInterval(ask, AGAIN_MS);

  return { now: () => (offset === null ? null : performance.now() + offset), bound: () => bound };
}
