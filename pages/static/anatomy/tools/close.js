/**
 * Close: who sends the first close frame, with which code, and who closes the TCP connection (RFC 6455 section 7).
 */

import { _ } from "../../i18n.js";
import { hex } from "../bytes.js";
import { element } from "../dom.js";
import { KEY, header, masked } from "../frame.js";

const CODES = [1000, 1001, 1002, 1003, 1005, 1006, 1007, 1008, 1009, 1011, 1012, 1015, 3000, 4000];
const CLOSE = 0x88;
const NEVER = new Set([1005, 1006, 1015]); // for programs only, never on the wire

/** A close frame with a code; a client's is masked. */
export function closeFrame(code, client) {
  const payload = Uint8Array.from([code >> 8, code & 0xff]);
  const sent = client ? masked(payload, KEY) : payload;
  return Uint8Array.from([...header(CLOSE, payload.length, client ? KEY : null), ...sent]);
}

/** Build the tool in an element. */
export function build(box) {
  const first = element("select", {}, ["client", "server"].map((side) => element("option", { value: side }, _(`anatomy.side.${side}`))));
  const code = element("select", {}, CODES.map((n) => element("option", { value: n }, `${n} ${_(`anatomy.code.${n}`)}`)));
  const steps = element("ol", { class: "close-steps" });

  function show() {
    const [side, number] = [first.value, Number(code.value)];
    if (NEVER.has(number)) return steps.replaceChildren(element("li", {}, _(`anatomy.close.never`, { code: number })));
    const frame = (mine) => `${_(`anatomy.side.${mine}`)}: close ${number} · ${hex(closeFrame(number, mine === "client"))}`;
    const other = side === "client" ? "server" : "client";
    steps.replaceChildren(...[frame(side), frame(other), _("anatomy.close.tcp")].map((text) => element("li", {}, text)));
  }

  for (const one of [first, code]) one.addEventListener("change", show);
  box.append(element("label", {}, _("anatomy.close.first"), first), element("label", {}, _("anatomy.close.code"), code), steps);
  show();
}
