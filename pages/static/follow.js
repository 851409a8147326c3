/**
 * A box that scrolls and shows what is new: it stays at its end while the reader is there, and anywhere else at the
 * lines that the reader sees. Knows nothing of messages.
 */

const NEAR_PX = 80; // a reader who scrolls down and comes so near to the end is at the end
const EXACT_PX = 2; // positions are rounded, and are fractions of a pixel when the page is zoomed

/**
 * Keep a `list` in place inside the `box` that scrolls it. Returns `{change, follow}`: `change(edit)` calls `edit`,
 * which may change the list, and `follow()` goes to the end.
 */
export function followed(list, box) {
  let seen = null; // the visible lines, and how far below the top of the box each is; null: the reader is at the end
  let position = 0; // where we have put the box: at any other position, the reader has scrolled
  let known = ""; // how large it was then: a browser that lays it out anew may also move it

  /** Notice where the reader has scrolled, which is neither what we did nor what a new layout did. */
  function look() {
    if (known !== size()) return restore();
    const moved = box.scrollTop - position;
    if (Math.abs(moved) < EXACT_PX || !box.clientHeight) return;
    position = box.scrollTop;
    const below = box.scrollHeight - box.clientHeight - position;
    seen = below < (moved > 0 ? NEAR_PX : EXACT_PX) ? null : visible();
  }

  function visible() {
    const { top, bottom } = box.getBoundingClientRect();
    const lines = Array.from(list.children, (line) => [line, line.getBoundingClientRect()]);
    return lines.filter(([, rect]) => rect.bottom > top && rect.top < bottom).map(([line, rect]) => [line, rect.top - top]);
  }

  /** Go back to where the reader was: the end, or the first of the lines seen that is still in the list. */
  function restore() {
    if (!box.clientHeight) return;
    const by = seen ? moved() : box.scrollHeight;
    if (Math.abs(by) >= 1) box.scrollTop += by; // else a scroll that is under way goes on
    [position, known] = [box.scrollTop, size()];
  }

  function size() {
    return [box.scrollHeight, box.clientHeight, box.clientWidth].join();
  }

  function moved() {
    const [line, before] = seen.find(([{ isConnected }]) => isConnected) ?? [];
    return line ? line.getBoundingClientRect().top - box.getBoundingClientRect().top - before : -box.scrollTop;
  }

  function change(edit) {
    look();
    edit();
    restore();
  }

  function follow() {
    seen = null;
    restore();
  }

  box.addEventListener("scroll", look);
  const resized = new ResizeObserver(restore);
  resized.observe(list); // it is wrapped anew when the page is zoomed or turned
  resized.observe(box); // it shrinks when a phone shows its keyboard
  return { change, follow };
}
