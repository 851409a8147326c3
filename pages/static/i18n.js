/**
 * The texts of the scripts in the page's language, with its numbers, sizes and times.
 */

const NONE = "–"; // what was not measured is shown so, and never as 0
const [FSI, PDI] = ["\u2068", "\u2069"];
const ISOLATES = /[\u2066-\u2069]/g;
const BREAKS = /[\n\r\x1c-\x1e\x85\u2029]/g; // each ends a paragraph, and with it every isolate
const PLAIN = /^[\x20-\x7e\xa0-\u024f\u2010-\u2027\u202f-\u205e\u2190-\u22ff\u3000-\u3029\u4e00-\u9fff\uff00-\uffef]*$/;
const LANGUAGE = document.documentElement.lang;
const TEXTS = JSON.parse(document.getElementById("texts").textContent);

/** The text of a key, its `{places}` filled, each value isolated. A list is joined; a missing key shows itself. */
export function _(key, values = {}) {
  const shown = (value) => (Array.isArray(value) ? value.map(isolated).join(TEXTS["lab.and"]) : isolated(value));
  return (TEXTS[key] ?? key).replace(/\{(\w+)\}/g, (place, name) => shown(values[name] ?? place));
}

/** Add texts that were loaded later, by their keys. */
export function add(texts) {
  Object.assign(TEXTS, texts);
}

/**
 * A text that cannot change the order of the text around it (UAX 9): between FSI and PDI, its own isolates closed.
 * Plain text is returned unchanged. The same as `isolated` in lab/server/pages/i18n.py.
 */
export function isolated(value) {
  const text = String(value);
  if (PLAIN.test(text)) return text;
  let open = 0;
  const closed = text.replace(BREAKS, " ").replace(ISOLATES, (sign) => {
    if (sign !== PDI) open += 1;
    else if (open) open -= 1;
    else return ""; // it would end the isolate that is around the text
    return sign;
  });
  return FSI + closed + PDI.repeat(open + 1);
}

/** A number in the format of this language; null is a dash. Options as for Intl.NumberFormat. */
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

/** A duration in seconds, shown in milliseconds, or in seconds from ten on. */
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
