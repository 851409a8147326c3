/**
 * The anatomy page: the bytes of every technique, one message on all wires, six tools, forbidden frames, and duplex.
 */

import { breakIt } from "./anatomy/break.js";
import { drawDuplex } from "./anatomy/duplex.js";
import { ExchangeView } from "./anatomy/exchange.js";
import { Sources, recordings } from "./anatomy/sources.js";
import { texts } from "./anatomy/texts.js";
import { acceptTool } from "./anatomy/tools/accept.js";
import { closeTool } from "./anatomy/tools/close.js";
import { deflateTool } from "./anatomy/tools/deflate.js";
import { fragmentsTool } from "./anatomy/tools/fragments.js";
import { lengthTool } from "./anatomy/tools/length.js";
import { maskTool } from "./anatomy/tools/mask.js";
import { drawWires } from "./anatomy/wires.js";

const TOOLS = { accept: acceptTool, length: lengthTool, mask: maskTool, fragments: fragmentsTool, deflate: deflateTool, close: closeTool };
const $ = (id) => document.getElementById(id);

const [found] = await Promise.all([recordings(), texts()]);
const view = new ExchangeView($("exchange"));
const taking = document.querySelectorAll("[data-duplex]");

for (const box of taking) drawDuplex(box, box.dataset.duplex, found.exchanges[box.dataset.duplex]);
drawWires($("wires"), found);
for (const [name, build] of Object.entries(TOOLS)) build($(`tool-${name}`));
breakIt($("break"));
$("print").addEventListener("click", () => print());
new Sources(view, found, showDuplex);

/** A request of this room that is shown above replaces the recording here. */
function showDuplex(exchange, { source, mode }) {
  const box = [...taking].find(({ dataset }) => dataset.duplex === mode);
  if (box && source === "live") drawDuplex(box, mode, exchange);
}
