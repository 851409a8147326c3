/**
 * The positions and colours of the lanes, read from the table under the picture.
 */

const COLOURS = { ink: "--ink", soft: "--soft", paper: "--paper", line: "--line" };

/** The places of the lanes inside `box`, in its own pixels, with the colours of the current theme. */
export function places(box) {
  const origin = box.getBoundingClientRect();
  const style = getComputedStyle(box);
  const colours = Object.entries(COLOURS).map(([name, key]) => [name, style.getPropertyValue(key).trim()]);
  const size = parseFloat(getComputedStyle(document.documentElement).fontSize) * 0.8;
  const rows = [...box.querySelectorAll("[data-lane]")];
  const inside = ({ left, top, width, height }) => ({
    x: left - origin.left,
    y: top - origin.top,
    width,
    height,
  });
  return {
    ...Object.fromEntries(colours),
    size,
    font: `${size}px ${style.fontFamily}`,
    axis: inside(box.querySelector("#axis").getBoundingClientRect()),
    lanes: rows.map((row) => ({
      mode: row.dataset.lane,
      verb: row.dataset.verb,
      colour: getComputedStyle(row).getPropertyValue("--technique").trim(),
      ...inside(row.querySelector(".time").getBoundingClientRect()),
    })),
  };
}
