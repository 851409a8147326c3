/**
 * Mask: each byte of a client's payload XOR a byte of the key (RFC 6455 section 5.3).
 */

import { _ } from "../../i18n.js";
import { hex } from "../bytes.js";
import { element } from "../dom.js";
import { KEY, masked } from "../frame.js";

const SHOWN = 24; // bytes in the table
const bits = (byte) => byte.toString(2).padStart(8, "0");

/** Build the tool in an element. */
export function build(box) {
  const text = element("input", { value: "Hello", maxlength: SHOWN, autocomplete: "off" });
  const rows = element("tbody");
  const sentence = element("p", { role: "status", class: "notice" });
  let key = KEY;
  let step = 0;

  function show() {
    const data = new TextEncoder().encode(text.value).slice(0, SHOWN);
    const sent = masked(data, key);
    step = data.length ? step % data.length : 0;
    const columns = { plain: data, key: data.map((_, i) => key[i % 4]), sent };
    rows.replaceChildren(...Object.entries(columns).map(([name, values]) => row(name, values)));
    sentence.textContent = data.length
      ? _("anatomy.mask.step", { i: step, n: step % 4, plain: bits(data[step]), key: bits(key[step % 4]), sent: bits(sent[step]), hex: hex([sent[step]]) })
      : "";
  }

  function row(name, values) {
    const cells = Array.from(values, (byte, i) => element("td", { "data-lit": i === step }, hex([byte])));
    return element("tr", {}, element("th", { scope: "row" }, _(`anatomy.mask.${name}`)), cells);
  }

  const next = () => ((step += 1), show());
  const fresh = () => ((key = crypto.getRandomValues(new Uint8Array(4))), show());
  text.addEventListener("input", () => ((step = 0), show()));
  const buttons = [["next", next], ["fresh", fresh]].map(([name, action]) => element("button", { type: "button", class: "quiet", onclick: action }, _(`anatomy.mask.${name}`)));
  const table = element("div", { class: "wide", tabindex: 0, role: "region", "aria-label": _("anatomy.tool.mask") }, element("table", {}, rows));
  box.append(element("label", {}, _("anatomy.mask.label"), text), element("p", { class: "next" }, buttons), table, sentence);
  show();
}
