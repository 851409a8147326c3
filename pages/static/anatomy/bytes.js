/**
 * The bytes of an exchange, by unit and field. Knows no DOM.
 */

const TURNING = /[\0-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** The units of an exchange, each with `size`, `overhead`, and fields with their own `data`, bytes as numbers. */
export function unitsOf({ parts, units }) {
  const streams = Object.fromEntries([true, false].map((came) => [came, joined(parts, came)]));
  const places = { true: 0, false: 0 };
  return units.map((unit) => {
    const fields = unit.fields.map((field) => {
      const start = places[unit.came];
      places[unit.came] += field.end - field.start;
      return { ...field, data: streams[unit.came].slice(start, places[unit.came]) };
    });
    return { ...unit, fields, ...sizes(fields) };
  });
}

function joined(parts, came) {
  const text = parts.filter((part) => part.came === came).map((part) => part.text).join("");
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}

function sizes(fields) {
  const size = fields.reduce((sum, field) => sum + field.data.length, 0);
  return { size, overhead: size - sizeOf(fields, "payload") };
}

/** The bytes of all fields of one part: head, framing or payload. */
export function sizeOf(fields, part) {
  return fields.filter((field) => field.part === part).reduce((sum, field) => sum + field.end - field.start, 0);
}

/** Whether a unit is a WebSocket frame. */
export function isFrame({ fields }) {
  return fields[0].name === "fin-rsv-opcode";
}

/** Text in which the characters that turn or break lines are shown as their numbers, without effect. */
export function visible(text) {
  return text.replace(TURNING, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** Bytes as hexadecimal digits with spaces. */
export function hex(data) {
  return Array.from(data, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
}

/** Bytes as one character each; those that are no printable ASCII are a dot. */
export function ascii(data) {
  return Array.from(data, (byte) => (byte > 0x1f && byte < 0x7f ? String.fromCharCode(byte) : "·")).join("");
}

/** The bytes that hexadecimal digits stand for, spaces ignored; null for other text. */
export function fromHex(text) {
  const digits = text.replace(/\s+/g, "");
  if (!/^([0-9a-f]{2})+$/i.test(digits)) return null;
  return Uint8Array.from(digits.match(/../g), (two) => parseInt(two, 16));
}
