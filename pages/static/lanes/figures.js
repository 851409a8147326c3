/**
 * Figures from the meters, and a sentence about them. Null is "not measured", never 0.
 *
 * Knows neither network nor screen: given meters, answers with numbers or with the key of a text.
 */

/** A part of a whole, or a cost per piece; null when there is nothing to divide by. */
function per(amount, whole) {
  return whole ? amount / whole : null;
}

const bytes = ({ bytes_in, bytes_out }) => bytes_in + bytes_out;
const around = ({ head_bytes, framing_bytes }) => head_bytes + framing_bytes;
/** Whether anything was measured: after a reset an open stream goes on without a new request. */
const used = ({ open, receive }) => Boolean(open || receive.requests || bytes(receive));
const measured = (technique, value) => (used(technique) ? value : null);

/** All figures of a technique that the pages show, by name: given its meters `{open, receive, send}`. */
const FIGURES = {
  open: (technique) => measured(technique, technique.open),
  requests: (technique) => measured(technique, technique.receive.requests),
  empty: (technique) => measured(technique, technique.receive.empty),
  bytes: (technique) => measured(technique, bytes(technique.receive)),
  useful: ({ receive }) => per(bytes(receive) - around(receive), bytes(receive)), // compressed ones as they were sent
  p50: ({ receive }) => receive.delivery_s.p50,
  p95: ({ receive }) => receive.delivery_s.p95,
  empty_share: ({ receive }) => per(receive.empty, receive.requests),
  head_share: ({ receive }) => per(receive.head_bytes, bytes(receive)),
  requests_per_message: ({ receive }) => per(receive.requests, receive.messages),
  framing_per_message: ({ receive }) => per(receive.framing_bytes, receive.messages),
  framing_per_frame: ({ receive }) => per(receive.framing_bytes, receive.frames_in + receive.frames_out),
  send_bytes: ({ send }) => per(bytes(send), send.messages),
  send_requests_per_message: ({ send }) => per(send.requests, send.messages),
};

/** The unit of each figure. */
export const UNITS = {
  bytes: "bytes",
  useful: "share",
  empty_share: "share",
  head_share: "share",
  p50: "duration",
  p95: "duration",
  requests_per_message: "ratio",
  send_requests_per_message: "ratio",
  framing_per_message: "bytes",
  framing_per_frame: "bytes",
  send_bytes: "bytes",
};

/** One figure of one technique; null when it was not measured. */
export function figure(name, meters) {
  return FIGURES[name](meters) ?? null;
}

/**
 * The sentence about the figures: `{key, mode, values}` of a text, or `{key}` alone while there are no figures.
 * About the technique `chosen`, else about the one whose messages cost the most bytes.
 */
export function sentence(techniques, chosen) {
  const mode = chosen ?? dearest(techniques);
  if (!mode) return { key: "compare.words.nothing" };
  const { receive } = techniques[mode];
  if (!used(techniques[mode])) return { key: "compare.words.unused", mode };
  const { requests, messages, empty } = receive;
  const kind = !messages ? "silent" : empty ? "empty" : "framed";
  return { key: `compare.words.${kind}`, mode, values: { requests, messages, empty, around: around(receive) } };
}

/** The technique that used the most bytes for each message; one without any message counts as the most expensive. */
function dearest(techniques) {
  const inUse = Object.entries(techniques).filter(([, technique]) => used(technique));
  const cost = ({ receive }) => (receive.messages ? bytes(receive) / receive.messages : bytes(receive));
  return inUse.sort(([, a], [, b]) => cost(b) - cost(a))[0]?.[0] ?? null;
}
