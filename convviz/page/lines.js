"use strict";
/**
 * Lines over the stage that follow one value: from the window to the lens, from the partial sums to the cell of the map.
 *
 * @typedef {{x: number, y: number, width: number, height: number}} Rect
 */
const Lines = (() => {
  const SVG = "http://www.w3.org/2000/svg";

  /** @param {string} d @param {string} className */
  function path(d, className) {
    const made = document.createElementNS(SVG, "path");
    made.setAttribute("d", d);
    made.setAttribute("class", className);
    return made;
  }

  /** The two edges of a magnified part. @param {Rect} from @param {Rect} to */
  const zoom = (from, to) => path(
    `M${from.x + from.width},${from.y} L${to.x},${to.y} M${from.x + from.width},${from.y + from.height} L${to.x},${to.y + to.height}`, "zoom");

  /** A curve from the right side of one part to the left side of another. @param {Rect} from @param {Rect} to */
  function flow(from, to) {
    const [x1, y1] = [from.x + from.width, from.y + from.height / 2];
    const [x2, y2] = [to.x, to.y + to.height / 2];
    const bend = (x2 - x1) / 2;
    return path(`M${x1},${y1} C${x1 + bend},${y1} ${x2 - bend},${y2} ${x2},${y2}`, "flow");
  }

  /** A place of an element inside another, not scrolled. @param {Element} one @param {Element} inside @returns {Rect} */
  function rectOf(one, inside) {
    const [a, b] = [one.getBoundingClientRect(), inside.getBoundingClientRect()];
    return { x: a.left - b.left, y: a.top - b.top, width: a.width, height: a.height };
  }

  return { zoom, flow, rectOf };
})();
