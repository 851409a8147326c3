/**
 * The figures in the lanes' table, and the sentence below them.
 *
 * A view without network: given meters, fills tables. Each figure is written twice, rounded for reading
 * and, in the `value` of its <data>, exactly as measured.
 */

import { _, bytes, duration, number, share } from "../i18n.js";
import { UNITS, figure, sentence } from "./figures.js";

const UNIT = /^([\d.,\s]*\d|\D*)(.*)$/; // a number, or no number at all, and what follows it
const WRITTEN = {
  bytes,
  duration,
  share: (part) => share(part, 1),
  ratio: (value) => number(value, { maximumFractionDigits: 2 }),
};

/** A figure, rounded for reading. */
export function inWords(name, value) {
  return value === null ? "–" : (WRITTEN[UNITS[name]] ?? number)(value);
}

/** Write one figure into its <data>, the number large and its unit small. */
export function write(place, name, value) {
  const [, amount, unit] = inWords(name, value).match(UNIT);
  const small = document.createElement("small");
  small.textContent = unit;
  place.replaceChildren(amount, ...(unit ? [small] : []));
  if (value === null) place.removeAttribute("value");
  else place.setAttribute("value", value);
}

/** Write the figures of the meters beside the lanes. */
export function showFigures(rows, techniques) {
  for (const row of rows) {
    for (const place of row.querySelectorAll("[data-figure]")) {
      const name = place.dataset.figure;
      write(place, name, figure(name, techniques[row.dataset.lane]));
    }
  }
}

/** Write a sentence about the chosen technique, or the one with the most bytes. Returns it. */
export function showSentence(place, techniques, chosen) {
  const { key, mode, values = {} } = sentence(techniques, chosen);
  const { requests, messages, empty, around } = values;
  const each = bytes(messages ? Math.round(around / messages) : null);
  const amounts = { requests: counted("requests", requests), messages: counted("messages", messages) };
  const words = capital(_(key, { title: _(`title.${mode}`), ...amounts, empty: number(empty), each }));
  place.className = `words ${mode ?? ""}`;
  if (place.textContent !== words) place.textContent = words;
  return words;
}

/** An amount with its noun, in the plural form of the language. */
function counted(noun, amount) {
  const form = new Intl.PluralRules(document.documentElement.lang).select(amount ?? 0);
  const [key, other] = [form, "other"].map((one) => `compare.count.${noun}.${one}`);
  return _(_(key) === key ? other : key, { n: number(amount) });
}

function capital(words) {
  return words.charAt(0).toUpperCase() + words.slice(1);
}
