/**
 * The page's one WebSocket for everything apart from the chat: the update of each second, and other messages of pages
 * and server. All parts of a page share one connection, which reconnects by itself.
 */

import { BASE, backoff } from "./techniques/shared.js";

const ORIGIN = location.origin.replace(/^http/, "ws"); // older browsers accept no relative address
const PAUSES = 6; // the pause grows no further after so many failures: a console should reconnect within seconds

const listeners = new Map(); // type -> Set of functions
const lasting = new Map(); // type -> the message that is sent again after each reconnection
let socket = null;
let failures = 0;
let light = false;
let timer;

/** Receive the update of each second, or each change with `{light: true}`. Returns a function that stops it. */
export function watch(onNews, options = {}) {
  light = options.light ?? light;
  return on("news", onNews);
}

/** Receive messages of a `type`; "status" has the `{state}` of the connection. Returns a function that stops it. */
export function on(type, listener) {
  if (!listeners.has(type)) listeners.set(type, new Set());
  listeners.get(type).add(listener);
  if (!socket && !timer) timer = setTimeout(open); // after all parts of the page have registered
  return () => {
    listeners.get(type).delete(listener);
    if (![...listeners.values()].some(({ size }) => size)) close();
  };
}

/** Send a message to the lab, now or once connected; with `keep`, again after each reconnection. */
export function send(message, keep = true) {
  if (keep) lasting.set(message.type, message);
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
}

function open() {
  timer = undefined;
  socket = new WebSocket(`${ORIGIN}${BASE}/live${light ? "?light=1" : ""}`);
  socket.onopen = begin;
  socket.onmessage = ({ data }) => dispatch(JSON.parse(data));
  socket.onclose = comeBack;
  dispatch({ type: "status", state: "connecting" });
}

function begin() {
  failures = 0;
  for (const message of lasting.values()) socket.send(JSON.stringify(message));
  dispatch({ type: "status", state: "waiting" });
}

function dispatch(message) {
  for (const listener of listeners.get(message.type) ?? []) listener(message);
}

function comeBack() {
  dispatch({ type: "status", state: "retrying" });
  timer = setTimeout(open, backoff(Math.min(failures++, PAUSES)));
}

function close() {
  clearTimeout(timer);
  if (socket) socket.onclose = null;
  socket?.close();
  socket = timer = null;
}
