/**
 * The labels on the time axis: how long ago, relative to the time that the picture shows.
 */

import { _, number } from "../i18n.js";

const TICKS = 5;
const HEAD = 0.3; // of the width: the space for the head of the column

/** Write the ticks of a view at `axis`, above lanes that begin at `x` and are `width` wide. */
export function drawAxis(pen, { axis, soft, size, x, width }, { from, to, moment, isLive }) {
  if (Math.abs(axis.x - x) > 2) return; // on a phone the axis has no room
  const step = (to - from) / TICKS;
  const now = isLive ? _("compare.now") : _("unit.seconds", { n: number(0) });
  Object.assign(pen, { fillStyle: soft, textBaseline: "middle" });
  for (let ago = 0; moment - ago > from; ago += step) {
    const place = x + (width * (moment - ago - from)) / (to - from);
    if (place < x + width * HEAD) return;
    pen.textAlign = place > x + width - size * 2 ? "right" : "center";
    const words = ago ? _("compare.ago", { n: number(ago / 1000) }) : now;
    pen.fillText(words, place, axis.y + axis.height / 2);
  }
}
