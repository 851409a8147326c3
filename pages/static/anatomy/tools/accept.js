/**
 * Accept: from the client's key to the server's answer, step by step (RFC 6455 section 1.3).
 */

import { _ } from "../../i18n.js";
import { ask } from "../ask.js";
import { element } from "../dom.js";

const SAMPLE = "dGhlIHNhbXBsZSBub25jZQ==";
const OTHER = { key: "sN9cRrP/n9NdMgdcy2VJFQ==", accept: "fFBooB7FAkLlXgRSz0BT3v4hq5s=" }; // a pair that is often quoted apart
const STEPS = ["key", "text", "sha1", "accept"];

/** Build the tool in an element. */
export function build(box) {
  const key = element("input", { value: SAMPLE, maxlength: 100, spellcheck: "false", autocomplete: "off" });
  const steps = element("dl", { class: "steps" });
  const verdict = element("p", { class: "notice" });
  const set = (value) => ((key.value = value), show());
  const random = () => set(btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(16)))));
  const buttons = [["random", random], ["sample", () => set(SAMPLE)], ["pair", () => set(OTHER.key)]];

  async function show() {
    const wanted = key.value;
    if (!wanted) return;
    const found = await ask("/anatomy/accept", { key: wanted });
    if (wanted !== key.value || !found || found.error) return; // typed on meanwhile
    steps.replaceChildren(...STEPS.flatMap((name) => [element("dt", {}, _(`anatomy.accept.${name}`)), element("dd", {}, found[name])]));
    const fits = found.accept === OTHER.accept;
    verdict.textContent = _(fits ? "anatomy.accept.fits" : "anatomy.accept.wrong", OTHER);
  }

  key.addEventListener("input", show);
  const pressed = buttons.map(([name, action]) => element("button", { type: "button", class: "quiet", onclick: action }, _(`anatomy.accept.${name}-key`)));
  box.append(element("label", {}, _("anatomy.accept.label"), key), element("p", { class: "next" }, pressed), steps, verdict);
  return show();
}
