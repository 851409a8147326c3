/**
 * The bytes behind a bar: a click on a lane, or Enter on it, opens the bytes of that request.
 *
 * The left and right keys choose a request, as the picture shows it. The bytes of other users are for the teacher only.
 */

import { _, bytes, number } from "../i18n.js";
import { address } from "../techniques/shared.js";

const PATH = "/wire";
const REASONS = { forbidden: "compare.wire.foreign", not_found: "compare.wire.gone" };

/** Of some requests `{from, to}` the one nearest to a time. */
export function nearest(bars, moment) {
  const away = ({ from, to }) => Math.max(from - moment, moment - to, 0);
  return bars.reduce((best, bar) => (!best || away(bar) <= away(best) ? bar : best), null);
}

/** What a dialog says about an answer of `/wire`. */
function about({ error, left_out, parts, units }) {
  if (error) return _(REASONS[error.code] ?? "state.retrying");
  const size = (came) => parts.reduce((sum, part) => sum + (part.came === came ? part.text.length : 0), 0);
  const amounts = { up: bytes(size(true)), down: bytes(size(false)) };
  const late = left_out > 0 && units[0]?.kind !== "request"; // it was open before the lane showed it
  return _(`compare.wire.${late ? "late" : left_out ? "partly" : "all"}`, { ...amounts, n: number(left_out) });
}

/** The dialog; `me` is the username of this page's own requests. */
export class Wires {
  constructor(dialog, me) {
    Object.assign(this, { dialog, me });
  }

  /** Open the bytes of a request in a lane. */
  async open(lane, from, title) {
    const asked = fetch(address(PATH, { lane, from, as: this.me })).catch(() => null);
    const [{ BytesDialog }, answer] = await Promise.all([import("./bytes_dialog.js"), asked]);
    const found = answer ? await answer.json() : { error: {} };
    this.shown ??= new BytesDialog(this.dialog);
    this.shown.open(lane, _("compare.wire.title", { title }), about(found));
    await this.shown.show({ parts: [], units: [], ...found });
  }
}
