/**
 * Which messages get their number in the picture: each n-th, so that no two numbers overlap.
 */

const STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000];
const ROOM = 1.5; // numbers come back only when there is more space than they need, so that they do not flicker

/** The smallest step with a distance of `width` between all shown numbers; `places` are `[n, x]`, from left to right. */
function fitting(places, width) {
  const fits = (step) => {
    const shown = places.filter(([n]) => n % step === 0);
    return shown.every(([, x], i) => i === 0 || x - shown[i - 1][1] >= width);
  };
  return STEPS.find(fits) ?? STEPS.at(-1);
}

/** The step for this picture, given that of the last one. */
export function stepOf(places, width, last = 1) {
  const step = fitting(places, width);
  return step < last ? Math.min(last, fitting(places, width * ROOM)) : step;
}
