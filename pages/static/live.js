/**
 * The page's one WebSocket for everything that is not chat: the news of each second, and what else pages are
 * told or say. However many parts of a page listen, there is one connection, and it comes back by itself.
 */

import { backoff } from "./techniques/shared.js";

const ORIGIN = location.origin.replace(/^http/, "ws"); // older browsers take no relative address
const PAUSES = 6; // the pause grows no further after so many failures: a console should be back in seconds

const listeners = new Map(); // type -> Set of functions
const lasting = new Map(); // type -> what is said again after each reconnection
let socket = null;
let failures = 0;
let light = false;
let timer;

/** Hear the news of each second, or of each change with `{light: true}`. Returns how to stop. */
export function watch(onNews, options = {}) {
  light = options.light ?? light;
  return on("news", onNews);
}

/** Hear what comes as `type`; "status" tells `{state}` of the connection itself. Returns how to stop. */
export function on(type, listener) {
  if (!listeners.has(type)) listeners.set(type, new Set());
  listeners.get(type).add(listener);
  if (!socket && !timer) timer = setTimeout(open); // once everybody here has said what they want
  return () => {
    listeners.get(type).delete(listener);
    if (![...listeners.values()].some(({ size }) => size)) close();
  };
}

/** Say something to the lab, now or as soon as it hears; with `keep`, again after each reconnection. */
export function say(message, keep = true) {
  if (keep) lasting.set(message.type, message);
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
}

function open() {
  timer = undefined;
  socket = new WebSocket(`${ORIGIN}/live${light ? "?light=1" : ""}`);
  socket.onopen = begin;
  socket.onmessage = ({ data }) => hear(JSON.parse(data));
  socket.onclose = comeBack;
  hear({ type: "status", state: "connecting" });
}

function begin() {
  failures = 0;
  for (const message of lasting.values()) socket.send(JSON.stringify(message));
  hear({ type: "status", state: "waiting" });
}

function hear(said) {
  for (const listener of listeners.get(said.type) ?? []) listener(said);
}

function comeBack() {
  hear({ type: "status", state: "retrying" });
  timer = setTimeout(open, backoff(Math.min(failures++, PAUSES)));
}

function close() {
  clearTimeout(timer);
  if (socket) socket.onclose = null;
  socket?.close();
  socket = timer = null;
}
