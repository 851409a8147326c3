/**
 * The bytes behind a bar: a click on a lane, or Enter on it, opens the bytes of that request.
 *
 * The left and right keys choose a request, as the picture shows it. The bytes of other users are for the teacher only.
 */

import { _, bytes, duration, number } from "../i18n.js";
import { address } from "../techniques/shared.js";

const PATH = "/wire";
const SHOWN = { "\r": "\\r", "\n": "\\n\n" }; // line ends are part of the bytes
const TURNING = /[\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g; // shown as their numbers, without effect
const HEAD_END = "\r\n\r\n";
const ROW = 16; // bytes in a line of hexadecimal digits

/** Of some requests `{from, to}` the one nearest to a time. */
export function nearest(bars, moment) {
  const away = ({ from, to }) => Math.max(from - moment, moment - to, 0);
  return bars.reduce((best, bar) => (!best || away(bar) <= away(best) ? bar : best), null);
}

/** Bytes (as Latin-1) as text, line ends shown; `data` is UTF-8 where it is text at all. */
function asText(data) {
  const text = new TextDecoder().decode(Uint8Array.from(data, (letter) => letter.charCodeAt(0)));
  return text.replace(/[\r\n]/g, (end) => SHOWN[end]).replace(/[\0-\x09\x0b-\x1f\x7f-\x9f]/g, "·").replace(TURNING, named);
}

function named(letter) {
  return `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

/** Bytes (as Latin-1) in hexadecimal digits, sixteen in a line. */
function asHex(data) {
  const digits = Array.from(data, (letter) => letter.charCodeAt(0).toString(16).padStart(2, "0"));
  return digits.map((two, i) => two + ((i + 1) % ROW ? " " : "\n")).join("").trimEnd();
}

/** The dialog; `me` is the username of this page's own requests. */
export class Wires {
  constructor(dialog, me) {
    Object.assign(this, { dialog, me, list: dialog.querySelector("ol"), hex: dialog.querySelector("input") });
    this.hex.addEventListener("change", () => this.show());
  }

  /** Open the bytes of a request in a lane. */
  async open(lane, from, title) {
    const answer = await fetch(address(PATH, { lane, from, as: this.me })).catch(() => null);
    const found = answer ? await answer.json() : { error: {} };
    this.parts = found.parts ?? [];
    this.dialog.querySelector("h2").textContent = _("compare.wire.title", { title });
    this.dialog.querySelector("[role=status]").textContent = this.about(found);
    this.show();
    if (!this.dialog.open) this.dialog.showModal();
  }

  about({ error, left_out }) {
    if (error) return _({ forbidden: "compare.wire.foreign", not_found: "compare.wire.gone" }[error.code] ?? "state.retrying");
    const size = (came) => this.parts.reduce((sum, part) => sum + (part.came === came ? part.text.length : 0), 0);
    const amounts = { up: bytes(size(true)), down: bytes(size(false)) };
    const late = !this.parts[0]?.came; // it was open before the lane showed it
    return _(`compare.wire.${late ? "late" : left_out ? "partly" : "all"}`, { ...amounts, n: number(left_out) });
  }

  show() {
    this.list.replaceChildren(...this.parts.map((part) => this.line(part)));
  }

  line({ at, came, text }) {
    const [made, caption, box] = ["li", "b", "pre"].map((tag) => document.createElement(tag));
    caption.textContent = `${came ? "→" : "←"} ${bytes(text.length)} · ${duration(at / 1000)}`;
    made.className = came ? "came" : "sent";
    if (this.hex.checked) box.textContent = asHex(text);
    else box.append(...this.coloured(text));
    box.tabIndex = 0;
    made.append(caption, box);
    return made;
  }

  /** The head in another colour, so that the rest stands out. */
  coloured(text) {
    const end = /^(GET|HTTP)/.test(text) ? text.indexOf(HEAD_END) + HEAD_END.length : 0;
    const head = document.createElement("span");
    head.className = "soft";
    head.textContent = asText(text.slice(0, end));
    return [head, asText(text.slice(end))];
  }
}
