/**
 * The box in which one says something to all lanes. A view: how it is sent, it is told.
 */

import { uuid4 } from "../guest.js";
import { _ } from "../i18n.js";

/** Let the form send by `send({mid, username, body})`; `onFailed` hears why, or null when all is well. */
export function bindSpeaker(form, send, onFailed) {
  let draft = null; // kept while its sending fails, so that a second try doubles nothing
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const box = form.elements.body;
    if (!box.value.trim()) return;
    if (draft?.body !== box.value) draft = { mid: uuid4(), username: _("compare.username"), body: box.value };
    try {
      await send(draft);
      [box.value, draft] = ["", null];
      onFailed(null);
    } catch (error) {
      onFailed(error.message);
    }
  });
}
