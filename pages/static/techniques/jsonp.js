/**
 * JSONP polling: long polling by a <script> element, because scripts may be fetched from any site.
 *
 * Rests on the browser running a script as soon as it arrives. Costs what long polling costs, plus an element
 * per answer; cannot POST, be called back or learn why it was refused. The server's half: lab/techniques/jsonp.py.
 */

import { Line, NotSent, address } from "./shared.js";

const PATH = "/jsonp";
const SEND = "/jsonp/send";
const AT_ONCE = 0; // seconds the first question is held: its answer shows that the server is there
const HOLD = 10; // seconds for the others: one that is not wanted any more still occupies a connection

/** How many of the browser's six HTTP/1.1 connections to one server it holds. */
export const HOLDS = 1;

let calls = 0;

/** One answer, already an object: the events in order, and the cursor to ask with next time. */
export function unframe({ messages, cursor }) {
  return { events: messages, cursor };
}

/** Read the room from the cursor `after` on, until closed. */
export function connect({ after, onEvents, onStatus, client, username, pace = {} }) {
  const line = new Line({ after, onEvents, onStatus }, ask);

  async function ask() {
    const hold = line.up ? (pace.hold ?? HOLD) : AT_ONCE;
    const answer = await call(PATH, { after: line.cursor, hold, client, username }).catch(() => null);
    if (answer === null) return line.lost();
    line.hear(unframe(answer));
    line.again(0);
  }

  function send({ mid, username, body }) {
    return call(SEND, { mid, username, body });
  }

  function close() {
    line.close(); // a script that is on its way still comes, and is not heard
  }

  return { send, close };
}

/** Let the server write a script that calls a function of this page, and resolve to what it calls it with. */
function call(path, parameters) {
  return new Promise((resolve, reject) => {
    const callback = `pushlab_${++calls}`;
    const script = document.createElement("script");
    window[callback] = resolve;
    script.onload = script.onerror = () => {
      reject(new NotSent("script_failed", "The script failed, and a page cannot learn why.", "unknown"));
      delete window[callback];
      script.remove();
    };
    script.referrerPolicy = "same-origin"; // the server takes a message from its own pages only
    script.src = address(path, { callback, ...parameters });
    document.head.append(script);
  });
}
