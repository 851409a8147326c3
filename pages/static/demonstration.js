/**
 * The bar of the demonstration: what runs in the first minute, one button that ends it, and what it says once it has
 * ended. A page that opens later shows nothing.
 */

import { ask } from "./ask.js";
import { _ } from "./i18n.js";

const SHOWN_MS = 20_000; // the last sentence stays long enough to be read

/** Show the state in `bar`; `onTurn()` is called when the page goes from the demonstration to the lab. */
export function demonstrationBar(bar, onTurn = () => {}) {
  const [button, alert] = [bar.querySelector("button"), bar.querySelector("[role=alert]")];
  let seen = false;

  bar.addEventListener("submit", (event) => {
    event.preventDefault();
    ask(alert, "/teacher/crew", { do: "stop" });
  });

  function end() {
    bar.querySelector("[role=status]").textContent = _("demo.ended");
    button?.remove();
    setTimeout(() => (bar.hidden = true), SHOWN_MS);
    onTurn();
  }

  return ({ running }) => {
    if (running) bar.hidden = false;
    else if (seen) end();
    seen = running;
  };
}
