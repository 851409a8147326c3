/**
 * What the scripts say, in the page's language: its texts, its numbers, its sizes and times.
 */

const NONE = "–"; // what was not measured is shown so, and never as 0
const LANGUAGE = document.documentElement.lang;
const TEXTS = JSON.parse(document.getElementById("texts").textContent);

/** The text of a key, its `{places}` filled. A missing key shows itself, so that somebody sees it. */
export function _(key, values = {}) {
  return (TEXTS[key] ?? key).replace(/\{(\w+)\}/g, (place, name) => values[name] ?? place);
}

/** A number as readers of this language write it; null is a dash. Options as for Intl.NumberFormat. */
export function number(value, options = {}) {
  if (value === null || value === undefined) return NONE;
  return new Intl.NumberFormat(LANGUAGE, { maximumFractionDigits: 1, ...options }).format(value);
}

/** A count of bytes: exact below 1000, then in kB or MB of 1000, as DevTools counts. */
export function bytes(value) {
  if (value === null || value === undefined) return NONE;
  if (value < 1000) return _("unit.bytes", { n: number(value, { maximumFractionDigits: 0 }) });
  if (value < 1e6) return _("unit.kilobytes", { n: number(value / 1e3) });
  return _("unit.megabytes", { n: number(value / 1e6) });
}

/** A duration in seconds, said in milliseconds, or in seconds from ten on. */
export function duration(seconds) {
  if (seconds === null || seconds === undefined) return NONE;
  if (seconds >= 10) return _("unit.seconds", { n: number(seconds) });
  const digits = seconds < 0.1 ? 1 : 0;
  return _("unit.milliseconds", { n: number(seconds * 1000, { maximumFractionDigits: digits }) });
}

/** A part of a whole in percent; a dash when there is no whole. */
export function share(part, whole) {
  return whole ? number(part / whole, { style: "percent", maximumFractionDigits: part / whole < 0.1 ? 1 : 0 }) : NONE;
}
