/**
 * Open event streams until the browser's connections are used up, and show what waits: of the streams, a POST and a
 * question on /live. How long a request waited comes from the browser (PerformanceResourceTiming).
 */

import { element } from "./anatomy/dom.js";
import { _, duration, number } from "./i18n.js";
import { on, send } from "./live.js";
import { BASE } from "./techniques/shared.js";

const OPEN_S = 2; // a stream stays open for this time after its second event
const POST_AFTER_MS = 300; // the streams have the connections by then
const WAITS_MS = 500; // a request that waits longer has no connection at first
const PROBE = `${BASE}/doctor/stream`;
const [form, table, verdict] = ["streams", "requests", "verdict"].map((id) => document.getElementById(id));
const button = form.querySelector("button");
let runs = 0;
let answered = () => {};

/** A row for one request: `begins()` when its response begins, `ends(ms)` with the time that it waited. */
function row(name, kind) {
  const [state, waited] = [element("td", { class: "result" }, _("connections.waits")), element("td", {}, number(null))];
  const line = element("tr", { "data-request": kind, "data-result": "bad" }, element("th", { scope: "row" }, name), state, waited);
  table.append(line);
  return {
    begins() {
      line.dataset.result = "good";
      state.textContent = _("connections.is_open");
    },
    ends(ms) {
      line.dataset.result = ms === null ? "none" : ms > WAITS_MS ? "bad" : "good";
      state.textContent = _(ms === null ? "connections.failed" : ms > WAITS_MS ? "connections.had_waited" : "connections.at_once");
      waited.textContent = duration(ms === null ? null : ms / 1000);
      return ms;
    },
  };
}

/** Send a request and read its response to the end; resolves to how long it waited for a connection. */
async function request(place, url, options) {
  try {
    const answer = await fetch(url, { cache: "no-store", ...options });
    place.begins();
    await answer.text();
    return place.ends(answer.ok ? await waitOf(url) : null);
  } catch {
    return place.ends(null);
  }
}

/** From the wish for a request to its first byte, as the browser measured it. */
async function waitOf(url) {
  await new Promise((resolve) => setTimeout(resolve, 50)); // the entry is made just after the end
  const [entry] = performance.getEntriesByName(new URL(url, location).href);
  return entry ? entry.requestStart - entry.fetchStart : null;
}

/** A question on /live, which is a WebSocket and needs none of the six connections. */
function askLive(place) {
  const at = performance.now();
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(place.ends(null)), 5_000);
    answered = () => {
      clearTimeout(timer);
      resolve(place.ends(performance.now() - at));
    };
    send({ type: "clock", at }, false);
  });
}

async function run(count) {
  button.disabled = true;
  table.replaceChildren();
  verdict.textContent = _("connections.running");
  performance.clearResourceTimings();
  runs += 1;
  const streams = Array.from({ length: count }, (unused, n) => {
    const url = `${PROBE}?as=events&silence=${OPEN_S}&run=${runs}&n=${n + 1}`;
    return request(row(_("connections.stream", { n: number(n + 1) }), "stream"), url);
  });
  const post = row(_("connections.post"), "post");
  const live = row(_("connections.live"), "live");
  await new Promise((resolve) => setTimeout(resolve, POST_AFTER_MS));
  const posted = request(post, `${PROBE}?run=${runs}`, { method: "POST" });
  await askLive(live);
  const waits = await Promise.all(streams);
  show(count, waits.filter((ms) => ms > WAITS_MS).length, await posted);
  button.disabled = false;
}

function show(count, waiting, posted) {
  const values = { count: number(count), n: number(waiting), post: duration(posted === null ? null : posted / 1000) };
  verdict.textContent = _(waiting ? "connections.some" : posted > WAITS_MS ? "connections.only_post" : "connections.none", values);
}

on("clock", () => answered());
const ready = () => runs || (button.disabled = false);
on("status", ({ state }) => state === "waiting" && ready());
setTimeout(ready, 3_000); // without /live too
form.addEventListener("submit", (event) => {
  event.preventDefault();
  run(form.elements.count.valueAsNumber);
});
