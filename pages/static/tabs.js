/**
 * Seven tabs: each receives the messages of the room in one of several ways, and says what it gets. Without help every
 * tab has an event stream of its own, and the seventh waits.
 */

import { _, number } from "./i18n.js";
import { connect as lead } from "./tabs/leader.js";
import { connect as share } from "./tabs/worker.js";
import { address } from "./techniques/shared.js";
import { connect as openSocket } from "./techniques/websocket.js";

const WAITS_MS = 2_000; // a stream that is not open by then has no connection
const line = document.getElementById("tab");
const buttons = document.querySelectorAll("[data-cure] button");
const other = document.querySelector("#other-name");
const stream = (after) => address("/sse", { after });
let [role, count] = ["waits", 0];

function show(now = role) {
  role = now;
  line.dataset.role = role;
  line.textContent = _(`connections.tab.${role}`, { n: number(count) });
}

function onEvent({ type }) {
  if (type !== "message" && type !== undefined) return;
  count += 1;
  show();
}

/** An event stream of this tab's own. */
function plain() {
  const source = new EventSource(stream("latest"));
  const timer = setTimeout(show, WAITS_MS, "waits");
  source.onopen = () => {
    clearTimeout(timer);
    show("own");
  };
  source.onmessage = ({ data }) => onEvent(JSON.parse(data));
}

function socket() {
  const onStatus = (state) => show(state === "waiting" ? "own" : "waits");
  openSocket({ after: "latest", onEvents: (events) => events.forEach(onEvent), onStatus });
}

const shared = { address: stream, onEvent, onRole: show, onFail: () => show("failed") };
const WAYS = { plain, websocket: socket, leader: () => lead(shared), worker: () => share(shared) };

for (const button of buttons) {
  button.addEventListener("click", () => {
    for (const each of buttons) each.disabled = true; // a tab tries one way; to try another, load it again
    button.setAttribute("aria-pressed", "true");
    show("connecting");
    WAYS[button.value]();
  });
}

const NAMES = { "127.0.0.1": "localhost", localhost: "127.0.0.1" };
const here = new URL(location);
other.parentElement.hidden = !NAMES[here.hostname];
here.hostname = NAMES[here.hostname] ?? here.hostname;
other.href = here;
other.textContent = here.host;
