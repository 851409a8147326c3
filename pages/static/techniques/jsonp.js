/**
 * JSONP polling: long polling by a <script> element, because scripts may be fetched from any site.
 *
 * Relies on browsers running a script as soon as it arrives. Costs what long polling costs, plus an element per
 * response; cannot POST, be cancelled or read the reason of a refusal. Server side: lab/techniques/jsonp.py.
 */

import { Line, NotSent, address } from "./shared.js";

const PATH = "/jsonp";
const SEND = "/jsonp/send";
const AT_ONCE = 0; // hold of the first request in seconds: its response shows that the server works
const HOLD = 10; // hold of the others in seconds: a script cannot be cancelled and occupies a connection

/** How many of the browser's six HTTP/1.1 connections to one server it holds. */
export const HOLDS = 1;

let calls = 0;

/** One response, already an object: the events in order, and the cursor for the next request. */
export function unframe({ messages, cursor }) {
  return { events: messages, cursor };
}

/** Send a message. */
export function send({ mid, username, body }) {
  return call(SEND, { mid, username, body });
}

/** Receive events after the cursor `after`, until closed. */
export function connect({ after, onEvents, onStatus, client, username, pace = {} }) {
  const line = new Line({ after, onEvents, onStatus }, ask);

  async function ask() {
    const hold = line.up ? (pace.hold ?? HOLD) : AT_ONCE;
    const answer = await call(PATH, { after: line.cursor, hold, client, username }).catch(() => null);
    if (answer === null) return line.lost();
    line.receive(unframe(answer));
    line.again(0);
  }

  function close() {
    line.close(); // a script that is already requested still arrives, and is ignored
  }

  return { send, close };
}

/** Load a script that calls a function of this page, and resolve to the argument of that call. */
function call(path, parameters) {
  return new Promise((resolve, reject) => {
    const callback = `pushlab_${++calls}`;
    const script = document.createElement("script");
    window[callback] = resolve;
    script.onload = script.onerror = () => {
      reject(new NotSent("script_failed", "The script could not be loaded; the browser gives no reason.", "unknown"));
      delete window[callback];
      script.remove();
    };
    script.referrerPolicy = "same-origin"; // the server accepts a message from its own pages only
    script.src = address(path, { callback, ...parameters });
    document.head.append(script);
  });
}
