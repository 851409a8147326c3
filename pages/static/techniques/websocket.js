/**
 * WebSocket: after one handshake, a connection on which both sides send at any time.
 *
 * Uses the browser's WebSocket, which does not reconnect by itself. Costs one connection that is always
 * open, and 2 to 14 bytes around each message, in and out. Server side: lab/techniques/websocket.py.
 */

import { Line, NotSent, address } from "./shared.js";

const PATH = "/websocket";
const ORIGIN = location.origin.replace(/^http/, "ws"); // older browsers accept no relative address
const LOST = { code: "connection_lost", message: "The connection to the lab is lost." };

/** How many of the browser's six HTTP/1.1 connections to one server it holds: none, WebSockets are counted apart. */
export const HOLDS = 0;

/** One text frame: an event of the room, or the reply to a message of this client. */
export function unframe(text) {
  const parsed = JSON.parse(text);
  return parsed.type === "ack" || parsed.type === "error" ? { answer: parsed } : { events: [parsed] };
}

/** Send a message on a connection of its own, which receives nothing. */
export function send(message) {
  const nothing = () => {};
  const line = connect({ receive: 0, onEvents: nothing, onStatus: nothing });
  return line.send(message).finally(line.close);
}

/** Receive events after the cursor `after`, until closed. With `receive: 0` it only sends. */
export function connect({ after, onEvents, onStatus, client, username, receive: receives }) {
  const line = new Line({ after, onEvents, onStatus }, open);
  const unanswered = new Map(); // mid -> the sent message, and the functions that settle its promise
  let socket;

  function open() {
    socket = new WebSocket(ORIGIN + address(PATH, { after: line.cursor, client, username, receive: receives }));
    socket.onopen = begin;
    socket.onmessage = receive;
    socket.onclose = end;
  }

  function begin() {
    line.works();
    for (const { message } of unanswered.values()) socket.send(JSON.stringify(message));
    leave();
  }

  function receive({ data }) {
    const { events, answer } = unframe(data);
    if (events) line.receive({ events });
    else unanswered.get(answer.mid)?.settle(answer);
  }

  function end() {
    for (const { settle } of unanswered.values()) settle({ error: LOST, stored: "unknown" });
    line.lost();
  }

  function send(message) {
    return new Promise((resolve, reject) => {
      const settle = ({ id, duplicate, error, stored }) => {
        unanswered.delete(message.mid);
        leave();
        error ? reject(new NotSent(error.code, error.message, stored)) : resolve({ id, duplicate });
      };
      const state = socket?.readyState ?? WebSocket.CONNECTING; // while connecting, it is sent later
      if (state > WebSocket.OPEN) return settle({ error: LOST, stored: false });
      unanswered.set(message.mid, { message, settle });
      if (state === WebSocket.OPEN) socket.send(JSON.stringify(message));
    });
  }

  function close() {
    line.close();
    leave();
  }

  function leave() { // but neither during the handshake nor before every send has a reply
    if (line.closed && !unanswered.size && socket?.readyState === WebSocket.OPEN) socket.close();
  }

  return { send, close };
}
