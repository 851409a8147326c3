/**
 * A scrolling box that follows new lines: it stays at its end while the user is there, and otherwise at the lines that
 * the user sees. Knows nothing of messages.
 */

const NEAR_PX = 80; // so near to the end counts as the end
const EXACT_PX = 2; // positions are rounded, and are fractions of a pixel when the page is zoomed

/**
 * Keep a `list` in place inside the `box` that scrolls it. Returns `{change, follow}`: `change(edit)` calls `edit`,
 * which may change the list, and `follow()` goes to the end.
 */
export function followed(list, box) {
  let seen = null; // the visible lines, and how far below the top of the box each is; null: the user is at the end
  let position = 0; // the position that this code has set: at any other, the user has scrolled
  let known = ""; // its size then: a browser may also move it when it repeats the layout

  /** Notice where the user has scrolled, and ignore scrolling by this code or by a new layout. */
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

  /** Restore the user's position: the end, or the first of the visible lines that is still in the list. */
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
  resized.observe(list); // it is wrapped again when the page is zoomed or turned
  resized.observe(box); // it shrinks when a phone shows its keyboard
  return { change, follow };
}
