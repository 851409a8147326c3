/**
 * Deflate: the same message as it is, packed alone, and packed after earlier messages (RFC 7692 section 7.2.3).
 */

import { _, bytes, number, share } from "../../i18n.js";
import { ask } from "../ask.js";
import { element } from "../dom.js";

const PAUSE_MS = 200; // after the last letter

/** What the three ways to compress cost when they were recorded, as a table. */
function measured({ recorded, compression: { ways, clients, rate } }) {
  const columns = ["way", "bytes", "cpu", "memory"].map((name) => element("th", { scope: "col" }, _(`anatomy.deflate.column.${name}`)));
  const cells = (way) => [bytes(way.bytes), number(1e6 * way.cpu_s, { maximumFractionDigits: 0 }), bytes(way.memory_bytes)].map((text) => element("td", {}, text));
  const rows = ways.map((way) => element("tr", {}, element("th", { scope: "row" }, _(`anatomy.deflate.way.${way.way}`)), cells(way)));
  const table = element("table", {}, element("thead", {}, element("tr", {}, columns)), element("tbody", {}, rows));
  const about = _("anatomy.deflate.measured", { ...recorded, clients: number(clients), rate: number(rate) });
  const region = element("div", { class: "wide", tabindex: 0, role: "region", "aria-label": _("anatomy.deflate.cost") }, table);
  return [element("h3", {}, _("anatomy.deflate.cost")), region, element("p", { class: "soft" }, about)];
}

/** Build the tool in an element; `found` has what was recorded. */
export function build(box, found) {
  const body = element("input", { value: _("anatomy.deflate.body"), maxlength: 500, autocomplete: "off" });
  const rows = element("ul", { class: "sizes" });
  let timer;

  async function show() {
    const wanted = body.value;
    if (!wanted) return;
    const found = await ask("/anatomy/deflated", { body: wanted });
    if (wanted !== body.value || !found || found.error) return;
    const kept = found.kept.map(({ after, bytes: n }) => [_("anatomy.deflate.kept", { n: after }), n]);
    const all = [[_("anatomy.deflate.raw"), found.raw], [_("anatomy.deflate.fresh"), found.fresh], ...kept];
    rows.replaceChildren(...all.map(([name, n]) => row(name, n, found.raw)));
  }

  function row(name, n, raw) {
    const bar = element("progress", { max: Math.max(raw, n), value: n, "aria-label": name });
    return element("li", {}, element("span", {}, name), bar, element("span", { class: "size" }, `${bytes(n)} (${share(n, raw)})`));
  }

  body.addEventListener("input", () => (clearTimeout(timer), (timer = setTimeout(show, PAUSE_MS))));
  box.append(element("label", {}, _("anatomy.deflate.label"), body), rows, element("p", { class: "soft deflate-why" }, _("anatomy.deflate.why")), ...measured(found));
  return show();
}
