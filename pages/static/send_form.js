/**
 * The text field. A message that failed stays in it, with the reason; sent again it keeps its mid, so it is stored
 * once.
 */

import { _ } from "./i18n.js";

const PATIENCE_MS = 10_000; // a send without a response for so long counts as failed

/** Make `form` send by `send({mid, username, body})`, with `name()` as the username and `newMid()` for each message. */
export function sendForm(form, reason, name, send, newMid) {
  let draft = null; // the message being sent, or whose sending failed
  const [box, button] = [form.elements.body, form.elements.send];

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (!box.value.trim()) return;
    if (draft?.body !== box.value) draft = { mid: newMid(), body: box.value };
    button.disabled = true;
    try {
      await Promise.race([send({ ...draft, username: name() }), late()]);
      if (box.value === draft.body) box.value = "";
      draft = null;
      show("");
    } catch (error) {
      show(`${why(error)} ${_(`room.stored_${error.stored}`)}`, _("room.again"));
    }
    button.disabled = false;
  });

  box.addEventListener("input", () => show(""));
  button.disabled = false; // from here on this program sends, and not the browser

  function show(text, next = _("room.send")) {
    reason.textContent = text;
    button.textContent = next;
  }
}

/** The reason in the user's language; without a text for it, the server's own sentence. */
function why({ code, message }) {
  const text = _(`room.error_${code}`);
  return text.startsWith("room.") ? message : text;
}

function late() {
  const error = Object.assign(new Error(), { code: "late", stored: "unknown" });
  return new Promise((_resolve, reject) => setTimeout(reject, PATIENCE_MS, error));
}
