/**
 * The user of this page: a name that can be changed, and ids that are unique.
 */

import { _ } from "./i18n.js";

const KEY = "pushlab-name"; // kept per tab, so that two tabs are two users

/** The name of the user in this tab: the one from before a reload, else one with a number from the server. */
export function rememberedName(number) {
  const name = stored(() => sessionStorage.getItem(KEY)) || _("room.guest", { n: number });
  rememberName(name);
  return name;
}

/** Keep the name for this tab. */
export function rememberName(name) {
  stored(() => sessionStorage.setItem(KEY, name));
}

/** A random UUID (RFC 9562 section 5.4). Over plain http on a LAN address crypto.randomUUID does not exist. */
export function uuid4() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40; // version 4: random
  bytes[8] = (bytes[8] & 0x3f) | 0x80; // the variant that RFC 9562 describes
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/(.{8})(.{4})(.{4})(.{4})(.{12})/, "$1-$2-$3-$4-$5");
}

function stored(use) {
  try {
    return use();
  } catch {
    return null; // a browser may forbid storage; then the name lasts as long as the page
  }
}
