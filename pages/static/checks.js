/**
 * Eight checks of the way between this browser and the lab. Each resolves to `{ok, ...}`: true, false, or null for
 * "not measured". They use /live and the lab's own probe, so no technique counts them. No DOM.
 */

import { BASE } from "./techniques/shared.js";

const AT_ONCE_MS = 1_000; // what is sent at once arrives within this time
const APART_MS = 500; // two events that are sent 1000 ms apart arrive at least so far apart
const SILENCE_S = 16;
const PATIENCE_MS = 5_000;
const END_MS = 19_500; // all checks are over by then
const HEAD_BYTES = 8_000;
const MORE = 6; // connections that are opened while one is open already
const CLOCK_MS = 2_000; // clocks that differ by less agree
const QUESTIONS = 4;
const PROBE = `${BASE}/doctor/stream`;
const NOT_MEASURED = { ok: null };

/** Make all checks. `report(name, result)` is called as each ends; resolves to all results by name. */
export async function checkAll(report) {
  const began = performance.now();
  const results = {};
  const end = (name, result) => report(name, (results[name] = result));
  const socket = openSocket();
  const stream = eventStream(end);
  socket.upgrade.then((result) => end("upgrade", result));
  end("head", await largeHead());
  const lines = await lineStream();
  end("lines", lines.result);
  end("seventh", lines.result.ok === false ? NOT_MEASURED : await seventh());
  end("clock", (await socket.clock()) ?? clockOf(lines));
  await Promise.all([stream, socket.upgrade]);
  if (!results.silence.ok) await Promise.race([socket.closed, later(END_MS - (performance.now() - began))]);
  results.upgrade.cut = socket.isCut();
  socket.close();
  return results;
}

function later(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** A WebSocket: whether it opens and brings a message, and the offset of the clocks. */
function openSocket() {
  const began = performance.now();
  const socket = new WebSocket(`${location.origin.replace(/^http/, "ws")}${BASE}/live?light=1`);
  const answers = [];
  const upgrade = new Promise((resolve) => {
    socket.addEventListener("message", () => resolve({ ok: true, ms: performance.now() - began }));
    socket.addEventListener("close", () => resolve({ ok: false, why: "refused" }));
    setTimeout(resolve, PATIENCE_MS, { ok: false, why: "nothing" });
  });
  socket.addEventListener("message", ({ data }) => {
    const { type, at, time } = JSON.parse(data);
    if (type === "clock") answers.push(offset(at, performance.now(), time));
  });

  async function clock() {
    if (!(await upgrade).ok || socket.readyState !== WebSocket.OPEN) return null;
    for (let n = 0; n < QUESTIONS; n++) {
      socket.send(JSON.stringify({ type: "clock", at: performance.now() }));
      await later(100);
    }
    await later(300);
    return best(answers);
  }

  const closed = new Promise((resolve) => socket.addEventListener("close", resolve));
  return { upgrade, clock, closed, isCut: () => socket.readyState !== WebSocket.OPEN, close: () => socket.close() };
}

/** How far this clock is ahead of the server's, which showed `time` between a question at `at` and its answer. */
function offset(at, there, time) {
  const middle = Date.now() - (performance.now() - (at + there) / 2);
  return { ms: middle - time * 1000, bound: (there - at) / 2 };
}

function best(answers) {
  const [closest] = answers.sort((one, other) => one.bound - other.bound);
  return closest ? { ok: Math.abs(closest.ms) <= CLOCK_MS + closest.bound, ...closest } : null;
}

function clockOf({ at, firstAt, time }) {
  return (time && best([offset(at, firstAt, time)])) || NOT_MEASURED;
}

/** Three events of one event stream: the first at once, the second a second later, the third after a silence. */
function eventStream(end) {
  return new Promise((resolve) => {
    const began = performance.now();
    const source = new EventSource(`${PROBE}?as=events&silence=${SILENCE_S}`);
    const came = [];
    const over = (broken) => {
      clearTimeout(timer);
      source.close();
      for (const [name, result] of Object.entries(streamResults(came, broken))) end(name, result);
      resolve();
    };
    const timer = setTimeout(over, END_MS, false);
    source.onerror = () => over(true);
    source.onmessage = () => {
      came.push(performance.now() - began);
      if (came.length === 3) return over(false);
      const name = ["first", "apart"][came.length - 1]; // shown now, and again with the others
      end(name, streamResults(came, false)[name]);
    };
  });
}

function streamResults([first, second, third], broken) {
  if (first === undefined) {
    const failed = { ok: false, why: broken ? "broken" : "nothing" };
    return { first: failed, apart: NOT_MEASURED, silence: broken ? failed : NOT_MEASURED };
  }
  const start = second - first > APART_MS ? second : 0; // of the silence; in a buffered stream it cannot be seen
  return {
    first: { ok: first < AT_ONCE_MS, ms: first },
    apart: second === undefined ? NOT_MEASURED : { ok: second - first > APART_MS, ms: second - first },
    silence: third === undefined ? { ok: false, why: broken ? "broken" : "nothing" } : { ok: true, ms: third - start },
  };
}

async function largeHead() {
  const headers = { "X-Padding": "x".repeat(HEAD_BYTES) };
  const signal = AbortSignal.timeout?.(PATIENCE_MS);
  const answer = await fetch(`${BASE}/healthz`, { headers, signal, cache: "no-store" }).catch(() => null);
  if (answer?.ok) return { ok: true, bytes: HEAD_BYTES };
  return answer ? { ok: false, why: "status", status: answer.status } : { ok: false, why: "broken" };
}

/** Two lines of a stream, one second apart, read as they arrive. */
async function lineStream() {
  const at = performance.now();
  const came = [];
  let time = null;
  try {
    const answer = await fetch(`${PROBE}?as=lines`, { signal: AbortSignal.timeout?.(PATIENCE_MS), cache: "no-store" });
    if (answer.status === 429) return { result: NOT_MEASURED };
    for await (const line of lines(answer.body.getReader())) {
      came.push(performance.now());
      time ??= JSON.parse(line).time;
    }
  } catch {
    // the connection broke, or nothing arrived: what came so far counts
  }
  const [first, second] = came;
  const ok = second - first > APART_MS && first - at < PATIENCE_MS;
  const result = second === undefined ? { ok: false, why: first ? "broken" : "nothing" } : { ok, ms: second - first };
  return { result, at, firstAt: first, time };
}

/** The lines of a body as they arrive. */
async function* lines(reader) {
  const decoder = new TextDecoder();
  let rest = "";
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
    const all = (rest + decoder.decode(piece.value, { stream: true })).split("\n");
    rest = all.pop();
    yield* all.filter(Boolean);
  }
}

/** Six more streams while the event stream is open: how long the last of them waits for its first line. */
async function seventh() {
  const waits = await Promise.all(Array.from({ length: MORE }, firstLine));
  if (waits.includes(null)) return { ok: false, why: "refused", refused: true };
  const ms = Math.max(...waits);
  return { ok: ms < AT_ONCE_MS * 0.9, ms };
}

async function firstLine() {
  const at = performance.now();
  const answer = await fetch(`${PROBE}?as=lines`, { cache: "no-store" }).catch(() => null);
  if (!answer?.ok) return null;
  const reader = answer.body.getReader();
  const { done } = await reader.read().catch(() => ({ done: true }));
  return done ? null : performance.now() - at; // the connection stays in use until the stream ends
}
