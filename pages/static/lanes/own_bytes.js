/**
 * The bytes of a message that this page has sent: asked for on /live, shown in a dialog. Loaded at the first click.
 */

import { _ } from "../i18n.js";
import { on, send } from "../live.js";
import { BytesDialog } from "./bytes_dialog.js";

const PATIENCE_MS = 5_000;
const REASONS = { forbidden: "room.bytes_unknown", not_found: "room.bytes_gone" };

const dialog = new BytesDialog(document.getElementById("wire"));
let wanted = null; // the mid whose bytes are awaited
let timer;

/** Open the dialog with the bytes of a message that was sent by the technique `mode`. */
export function showBytes(mid, mode) {
  wanted = mid;
  dialog.open(mode, _("room.bytes_title"), _("state.connecting"));
  ask();
  clearTimeout(timer);
  timer = setTimeout(() => wanted === mid && dialog.say(_("state.retrying")), PATIENCE_MS);
}

function ask() {
  if (wanted) send({ type: "bytes", mid: wanted }, false);
}

on("status", ({ state }) => state === "waiting" && ask()); // the connection was lost before the answer

on("bytes", ({ mid, error, parts = [], units = [], left_out }) => {
  if (mid !== wanted) return;
  wanted = null;
  const key = error ? (REASONS[error.code] ?? "state.retrying") : `room.bytes_${left_out ? "partly" : "all"}`;
  dialog.say(_(key));
  dialog.show({ parts, units });
});
