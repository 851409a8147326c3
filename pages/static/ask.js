/**
 * An action of the teacher. A refusal is shown beside its button, until an action there succeeds.
 */

import { _ } from "./i18n.js";
import { post } from "./techniques/shared.js";

/** Post `fields`, and resolve to the answer; to null when the lab refuses, and `alert` then has the reason. */
export async function ask(alert, path, fields) {
  try {
    const answer = await post(path, fields);
    alert.textContent = "";
    return answer;
  } catch ({ code, message }) {
    alert.textContent = code === "unreachable" ? _("state.retrying") : message;
    return null;
  }
}
