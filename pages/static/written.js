/**
 * Values of the lesson as text: in the unit of a question, and in sentences whose values say by their name how they
 * are written.
 */

import { _, bytes, duration, number, share } from "./i18n.js";

const UNITS = { count: number, bytes, s: duration, share: (value) => share(value, value === null ? 0 : 1) };
const title = (mode) => _(`title.${mode}`);
const ENDINGS = [
  ["_bytes", UNITS.bytes],
  ["_share", UNITS.share],
  ["_titles", (modes) => modes.map(title)],
  ["_title", title],
  ["_s", UNITS.s],
];

/** A value in the unit of a question; a dash for what was not measured. */
export function written(value, unit) {
  return UNITS[unit](value ?? null);
}

/** A sentence of the lab: the key of a text, and its values. */
export function sentence({ key, values }) {
  const texts = Object.entries(values).map(([name, value]) => [name, format(name)(value)]);
  return _(key, Object.fromEntries(texts));
}

function format(name) {
  return ENDINGS.find(([ending]) => name.endsWith(ending))?.[1] ?? number;
}
