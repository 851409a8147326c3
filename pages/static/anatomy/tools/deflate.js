/**
 * Deflate: the same message as it is, packed alone, and packed after earlier messages (RFC 7692 section 7.2.3).
 */

import { _, bytes, share } from "../../i18n.js";
import { address } from "../../techniques/shared.js";
import { element } from "../dom.js";

const PAUSE_MS = 200; // after the last letter

/** Build the tool in an element. */
export function build(box) {
  const body = element("input", { value: _("anatomy.deflate.body"), maxlength: 500, autocomplete: "off" });
  const rows = element("ul", { class: "sizes" });
  let timer;

  async function show() {
    const wanted = body.value;
    if (!wanted) return;
    const found = await (await fetch(address("/anatomy/deflated", { body: wanted }))).json();
    if (wanted !== body.value || found.error) return;
    const kept = found.kept.map(({ after, bytes: n }) => [_("anatomy.deflate.kept", { n: after }), n]);
    const all = [[_("anatomy.deflate.raw"), found.raw], [_("anatomy.deflate.fresh"), found.fresh], ...kept];
    rows.replaceChildren(...all.map(([name, n]) => row(name, n, found.raw)));
  }

  function row(name, n, raw) {
    const bar = element("progress", { max: Math.max(raw, n), value: n, "aria-label": name });
    return element("li", {}, element("span", {}, name), bar, element("span", { class: "size" }, `${bytes(n)} (${share(n, raw)})`));
  }

  body.addEventListener("input", () => (clearTimeout(timer), (timer = setTimeout(show, PAUSE_MS))));
  box.append(element("label", {}, _("anatomy.deflate.label"), body), rows, element("p", { class: "soft" }, _("anatomy.deflate.why")));
  return show();
}
