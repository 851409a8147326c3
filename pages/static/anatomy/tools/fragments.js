/**
 * Fragments: one message in several frames, perhaps with a ping between them (RFC 6455 section 5.4).
 */

import { _ } from "../../i18n.js";
import { ask } from "../ask.js";
import { hex } from "../bytes.js";
import { element } from "../dom.js";
import { ExchangeView } from "../exchange.js";
import { header } from "../frame.js";

const PING = [0x89, 0x00];
const [FIN, TEXT, CONTINUATION] = [0x80, 1, 0];

/** A server's frames for pieces of text, with a ping after the first if wanted. */
export function fragments(pieces, ping) {
  const encoded = pieces.map((piece) => new TextEncoder().encode(piece));
  const frames = encoded.map((data, i) => {
    const last = i === encoded.length - 1;
    return [...header((last ? FIN : 0) | (i ? CONTINUATION : TEXT), data.length), ...data];
  });
  if (ping && frames.length > 1) frames.splice(1, 0, PING);
  return Uint8Array.from(frames.flat());
}

/** Build the tool in an element. */
export function build(box) {
  const text = element("input", { value: "Hello", maxlength: 40, autocomplete: "off" });
  const ping = element("input", { type: "checkbox" });
  const letters = element("p", { class: "letters" });
  const digits = element("code");
  const place = element("div");
  const view = new ExchangeView(place);
  const cuts = new Set([3]);

  function pieces() {
    const all = Array.from(text.value);
    const places = [...cuts].filter((cut) => cut < all.length).sort((a, b) => a - b);
    return [0, ...places].map((from, i) => all.slice(from, places[i]).join(""));
  }

  function toggle(cut) {
    cuts.has(cut) ? cuts.delete(cut) : cuts.add(cut);
    show();
    letters.querySelectorAll("button")[cut - 1].focus();
  }

  async function show() {
    const all = Array.from(text.value);
    if (!all.length) return;
    const gap = (i) => element("button", { type: "button", class: "cut", "aria-pressed": cuts.has(i), "aria-label": _("anatomy.fragments.cut", { n: i }), onclick: () => toggle(i) }, "✂");
    letters.replaceChildren(...all.flatMap((letter, i) => [...(i ? [gap(i)] : []), element("span", {}, letter)]));
    const made = hex(fragments(pieces(), ping.checked));
    digits.textContent = made;
    const found = await ask("/anatomy/dissect", { bytes: made.replaceAll(" ", "") });
    if (digits.textContent === made && found && !found.error) await view.show(found);
  }

  text.addEventListener("input", () => (cuts.clear(), show()));
  ping.addEventListener("change", show);
  box.append(element("label", {}, _("anatomy.fragments.label"), text), letters, element("label", { class: "check" }, ping, _("anatomy.fragments.ping")), digits, place);
  return show();
}
