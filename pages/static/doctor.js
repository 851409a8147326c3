/**
 * The page of the checks: a line for each with its result and its measured value, and one sentence at the end, which
 * is reported without a name.
 */

import { checkAll } from "./checks.js";
import { _, duration, number } from "./i18n.js";
import { post } from "./techniques/shared.js";
import { faultsOf, sentence, unreachable } from "./verdict.js";

const verdict = document.getElementById("verdict");
const again = document.getElementById("again");
const needs = JSON.parse(verdict.dataset.needs);
const rows = new Map(Array.from(document.querySelectorAll("[data-check]"), (row) => [row.dataset.check, row]));

function show(name, result) {
  const row = rows.get(name);
  row.dataset.result = result.ok === null ? "none" : result.ok ? "good" : "bad";
  row.querySelector(".result").textContent = _(`doctor.${row.dataset.result}`);
  row.querySelector(".measured").textContent = measured(result);
}

function measured({ ms, bound, bytes, status, why }) {
  if (why === "status") return _("doctor.status", { status });
  if (why) return _(`doctor.why.${why}`);
  if (bytes) return _("doctor.bytes", { n: number(bytes) });
  if (ms === undefined) return number(null);
  return bound === undefined ? duration(ms / 1000) : _("doctor.clock", { n: signed(ms), bound: duration(bound / 1000) });
}

function signed(ms) {
  return _("unit.milliseconds", { n: number(Math.round(ms) || 0, { signDisplay: "always" }) });
}

async function run() {
  again.disabled = true;
  verdict.textContent = _("doctor.running");
  for (const row of rows.values()) {
    delete row.dataset.result;
    row.querySelector(".result").textContent = _("doctor.waiting");
    row.querySelector(".measured").textContent = "–";
  }
  const results = await checkAll(show);
  verdict.textContent = sentence(needs, results);
  again.disabled = false;
  if (!unreachable(results)) await post("/doctor/verdict", { faults: faultsOf(results) }).catch(() => {});
}

again.addEventListener("click", run);
if (document.readyState === "complete") run();
else addEventListener("load", run); // afterwards, so that the page's own files use no connection
