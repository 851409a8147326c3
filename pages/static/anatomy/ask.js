/**
 * A question to the lab about bytes.
 */

import { address } from "../techniques/shared.js";

/** The JSON of an answer, perhaps `{error}`; null when the lab cannot be reached, or the page is being left. */
export async function ask(path, parameters = {}) {
  try {
    return await (await fetch(address(path, parameters))).json();
  } catch {
    return null;
  }
}
