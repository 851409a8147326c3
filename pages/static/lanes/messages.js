/**
 * The table of the newest messages: how long each took to each lane. A view without network: given traffic, fills it.
 */

import { duration } from "../i18n.js";
import { latency } from "./traffic.js";

const NEWEST = 8;

/** The newest messages, and how long each took to each lane. */
export function showMessages(body, traffic, modes) {
  const newest = [...traffic.messages.values()].slice(-NEWEST).reverse();
  body.replaceChildren(...newest.map((message) => line(message, modes)));
}

function line(message, modes) {
  const made = document.createElement("tr");
  const head = document.createElement("th");
  head.scope = "row";
  head.textContent = `#${message.id.split("-")[1]}`;
  made.append(head);
  for (const mode of modes) {
    const ms = latency(message, mode);
    made.insertCell().textContent = duration(ms === null ? null : ms / 1000);
  }
  return made;
}
