/**
 * Try a technique in this network, with a connection of its own that is closed afterwards. It names no client, so
 * presence does not count it. Knows no technique by name.
 */

const FIRST_MS = 3_000; // a technique that works brings a message within this time
const STEADY_MS = 2_000; // and its connection is not cut for this time
const NO_HISTORY = "1-1"; // the cursor of a history that is gone: the server sends a reset at once

/** The cursor before the last message, so that the server sends at least one event at once. */
export function before(cursor) {
  if (!cursor) return NO_HISTORY;
  const [epoch, n] = cursor.split("-");
  return `${epoch}-${Math.max(0, n - 1)}`;
}

/**
 * Receive by a technique for a moment, after the cursor `after`. Resolves to "works", or to what failed: "blocked"
 * (the request fails), "held" (no event arrives) or "cut" (connected, then the connection ends).
 */
export async function trial(mode, after, pace) {
  const technique = await import(`./techniques/${mode}.js`).catch(() => null);
  if (!technique) return "blocked";
  return new Promise((resolve) => {
    let [opened, received] = [false, false];
    let connection, timer;
    const finish = (result) => {
      clearTimeout(timer);
      resolve(result);
      setTimeout(() => connection.close()); // the connection may report before `connect` has returned
    };
    const onEvents = () => {
      if (received) return;
      received = true;
      clearTimeout(timer);
      timer = setTimeout(finish, STEADY_MS, "works");
    };
    const onStatus = (state) => {
      opened ||= state === "waiting";
      if (state === "retrying") finish(opened ? "cut" : "blocked");
    };
    timer = setTimeout(finish, FIRST_MS, "held");
    connection = technique.connect({ after, onEvents, onStatus, pace });
  });
}
