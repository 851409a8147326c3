/**
 * The anatomy page: the bytes of every technique, one message on all wires, six tools, forbidden frames, and duplex.
 */

import { breakIt } from "./anatomy/break.js";
import { drawDuplex } from "./anatomy/duplex.js";
import { ExchangeView } from "./anatomy/exchange.js";
import { Sources, recordings } from "./anatomy/sources.js";
import { texts } from "./anatomy/texts.js";
import { drawWires } from "./anatomy/wires.js";
import { _ } from "./i18n.js";

const $ = (id) => document.getElementById(id);
const taking = document.querySelectorAll("[data-duplex]");

// A tool is loaded when it comes into view, so that a phone's first load stays small.
const tools = new IntersectionObserver((seen) => {
  for (const { target } of seen.filter(({ isIntersecting }) => isIntersecting)) {
    tools.unobserve(target);
    import(`./anatomy/tools/${target.dataset.sheet}.js`).then(({ build }) => build(target, found), () => {}); // the page is being left
  }
});

const [found] = await Promise.all([recordings(), texts()]);
if (found) begin();
else $("about").textContent = _("state.retrying");

function begin() {
  for (const box of taking) drawDuplex(box, box.dataset.duplex, found.exchanges[box.dataset.duplex]);
  drawWires($("wires"), found);
  breakIt($("break"));
  $("print").addEventListener("click", () => print());
  new Sources(new ExchangeView($("exchange")), found, showDuplex);
  for (const box of document.querySelectorAll(".tools > [data-sheet]")) tools.observe(box);
}

/** A request of this room that is shown above replaces the recording here. */
function showDuplex(exchange, { source, mode }) {
  const box = [...taking].find(({ dataset }) => dataset.duplex === mode);
  if (box && source === "live") drawDuplex(box, mode, exchange);
}
