/**
 * The forever iframe, or Comet: a page in a hidden frame that never ends; its scripts call this page.
 *
 * Relies on browsers running the scripts of a page before it is complete. Costs one connection that is always
 * open, and a script element around each message. Server side: lab/techniques/iframe.py.
 */

import { Line, address, post } from "./shared.js";

const PATH = "/iframe";
const LOOK_MS = 200; // between checks of the frame: no event reports that it has begun, or was cut off
const BEGIN_MS = 4_000; // a page begins at once; one that failed to load stays blank in WebKit, without an event
const SILENCE_MS = 40_000; // the server sends a heartbeat every 15 s; after two missed ones the connection is lost

/** How many of the browser's six HTTP/1.1 connections to one server it holds. */
export const HOLDS = 1;

/** The argument of a script in the frame: one event, already an object. */
export function unframe(event) {
  return { events: [event] };
}

/** Pass an event to its own frame: every frame calls this one function, with an object of the frame's window. */
function deliver(event) {
  const frames = [...document.querySelectorAll("iframe")].filter(({ receive }) => receive);
  frames.find(({ contentWindow }) => event instanceof contentWindow.Object)?.receive(event);
}

/** Send a message. */
export function send(message) {
  return post(PATH, message);
}

/** Receive events after the cursor `after`, until closed. */
export function connect({ after, onEvents, onStatus, client, username }) {
  const line = new Line({ after, onEvents, onStatus }, open);
  let frame, newest, receivedAt, looking;

  function open() {
    removeFrame();
    window.pushlab = deliver;
    frame = document.createElement("iframe");
    Object.assign(frame, { hidden: true, receive });
    frame.onload = end; // the endless page has ended, or could not be loaded
    frame.src = address(PATH, { after: line.cursor, client, username });
    document.body.append(frame);
    [newest, receivedAt, looking] = [null, performance.now(), setInterval(look, LOOK_MS)];
  }

  function receive(event) {
    line.receive(unframe(event));
    if (event.type === "bye") end(); // later bytes of this page are no heartbeat
  }

  function look() {
    const head = frame.contentDocument?.head;
    const patience = newest ? SILENCE_MS : BEGIN_MS;
    if (!head?.lastChild || head.lastChild === newest) return performance.now() - receivedAt > patience && end();
    if (!newest) line.works();
    [newest, receivedAt] = [head.lastChild, performance.now()];
    while (head.firstChild !== newest) head.firstChild.remove(); // or the page would grow for ever
  }

  function end() {
    removeFrame();
    line.lost();
  }

  function removeFrame() {
    clearInterval(looking);
    frame?.remove();
  }

  function close() {
    line.close();
    removeFrame();
  }

  return { send, close };
}
