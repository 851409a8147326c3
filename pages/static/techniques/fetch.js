/**
 * HTTP streaming: a response that never ends, read line by line.
 *
 * Uses fetch() and the reader of its body, which returns each piece as it arrives. Costs one connection that is
 * always open, and a line end around each message. Server side: lab/techniques/fetch.py.
 */

import { Line, address, post } from "./shared.js";

const PATH = "/fetch";
const SILENCE_MS = 40_000; // the server sends an empty line every 15 s; after two missed ones we reconnect

/** How many of the browser's six HTTP/1.1 connections to one server it holds. */
export const HOLDS = 1;

/** The events whose line is complete, and the beginning of the next line. */
export function unframe(text) {
  const lines = text.split("\n");
  const rest = lines.pop();
  return { events: lines.filter(Boolean).map((line) => JSON.parse(line)), rest };
}

/** Send a message. */
export function send(message) {
  return post(PATH, message);
}

/** Receive events after the cursor `after`, until closed. */
export function connect({ after, onEvents, onStatus, client, username }) {
  const line = new Line({ after, onEvents, onStatus }, open);
  let connection, watch;

  async function open() {
    connection = new AbortController();
    const url = address(PATH, { after: line.cursor, client, username });
    const answer = await fetch(url, { signal: connection.signal }).catch(() => null); // no server, or closed
    try {
      if (answer?.ok) await read(answer.body.getReader());
    } finally {
      disconnect();
      line.lost();
    }
  }

  async function read(reader) {
    const decoder = new TextDecoder();
    let rest = "";
    for (let piece = await next(reader); !piece.done; piece = await next(reader)) {
      const found = unframe(rest + decoder.decode(piece.value, { stream: true }));
      rest = found.rest;
      line.receive(found);
      if (line.bye) return; // it is the last event of a response
    }
  }

  function next(reader) {
    clearTimeout(watch);
    watch = setTimeout(disconnect, SILENCE_MS);
    return reader.read().catch(() => ({ done: true })); // the connection was lost
  }

  function disconnect() {
    clearTimeout(watch);
    connection?.abort();
  }

  function close() {
    line.close();
    disconnect();
  }

  return { send, close };
}
