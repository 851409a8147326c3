/**
 * Length: how long the header of a frame is, by the length of its payload (RFC 6455 section 5.2).
 */

import { _, bytes, number, share } from "../../i18n.js";
import { hex } from "../bytes.js";
import { element } from "../dom.js";
import { KEY, header } from "../frame.js";

const TEXT = 0x81; // a final text frame
const MOST = 70_000;
const STOPS = [0, 125, 126, 65_535, 65_536, MOST];

/** Build the tool in an element. */
export function build(box) {
  const slider = element("input", { type: "range", min: 0, max: MOST, value: 150, "aria-label": _("anatomy.length.label") });
  const exact = element("input", { type: "number", min: 0, max: MOST, value: 150 });
  const rows = element("dl", { class: "steps" });

  function show(value) {
    const length = Math.min(MOST, Math.max(0, Math.floor(Number(value) || 0)));
    [slider.value, exact.value] = [length, length];
    const about = (made) => _("anatomy.length.header", { n: bytes(made.length), share: share(made.length, made.length + length), hex: hex(made) });
    const found = { server: about(header(TEXT, length)), client: about(header(TEXT, length, KEY)) };
    rows.replaceChildren(...Object.entries(found).flatMap(([side, text]) => [element("dt", {}, _(`anatomy.length.${side}`)), element("dd", {}, text)]));
  }

  slider.addEventListener("input", () => show(slider.value));
  exact.addEventListener("change", () => show(exact.value));
  const stops = STOPS.map((stop) => element("button", { type: "button", class: "quiet", onclick: () => show(stop) }, number(stop)));
  box.append(element("label", {}, _("anatomy.length.label"), exact), slider, element("p", { class: "next" }, stops), rows);
  show(slider.value);
}
