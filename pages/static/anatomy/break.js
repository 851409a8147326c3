/**
 * Break it: a frame that the standard forbids, really sent to this lab; what the standard demands, and what it did.
 */

import { _ } from "../i18n.js";
import { post } from "../techniques/shared.js";
import { unitsOf } from "./bytes.js";
import { ExchangeView } from "./exchange.js";

/** Let each button in the table send its frame; the exchange is shown below. */
export function breakIt(section) {
  const view = new ExchangeView(section.querySelector("[data-exchange]"));
  for (const row of section.querySelectorAll("tr[data-frame]")) {
    row.querySelector("button").addEventListener("click", () => probe(row, view));
  }
}

async function probe(row, view) {
  const result = row.querySelector("output");
  try {
    const found = await post("/anatomy/break", { frame: row.dataset.frame });
    result.textContent = verdict(found);
    await view.show(found);
  } catch (error) {
    result.textContent = _(error.code === "rate_limited" ? "anatomy.break.slow" : "compare.failed", { reason: error.message });
  }
}

/** What the lab did, beside the code that the standard names. */
function verdict(found) {
  const fields = unitsOf(found).filter(({ came, kind }) => !came && kind === "close").flatMap((unit) => unit.fields);
  const value = (name) => fields.find((field) => field.name === name)?.value;
  const code = value("close-code");
  if (!code) return _(found.closed ? "anatomy.break.dropped" : "anatomy.break.ignored");
  const same = Number(code) === found.code;
  return _(same ? "anatomy.break.same" : "anatomy.break.other", { code, reason: value("close-reason") ?? "" });
}
