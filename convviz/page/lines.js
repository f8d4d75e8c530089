"use strict";
/**
 * Lines over the stage that follow one value: from the window to the lens, from the partial sums to the cell of the map.
 *
 * @typedef {{x: number, y: number, width: number, height: number}} Rect
 * @typedef {{d: string, kind: "zoom"|"flow"}} Line
 * @typedef {{picture: Rect, lens: Rect, partial: Rect|null}} Places
 */
const Lines = (() => {
  const { $ } = Dom;
  const SVG = "http://www.w3.org/2000/svg";

  /** The two edges of a magnified part. @param {Rect} from @param {Rect} to @returns {Line} */
  const zoom = (from, to) => ({
    d: `M${from.x + from.width},${from.y} L${to.x},${to.y} M${from.x + from.width},${from.y + from.height} L${to.x},${to.y + to.height}`, kind: "zoom",
  });

  /** A curve from the right side of one part to the left side of another. @param {Rect} from @param {Rect} to @returns {Line} */
  function flow(from, to) {
    const [x1, y1] = [from.x + from.width, from.y + from.height / 2];
    const [x2, y2] = [to.x, to.y + to.height / 2];
    const bend = (x2 - x1) / 2;
    return { d: `M${x1},${y1} C${x1 + bend},${y1} ${x2 - bend},${y2} ${x2},${y2}`, kind: "flow" };
  }

  /** A place of an element inside another, not scrolled. @param {Element} one @param {Element} inside @returns {Rect} */
  function rectOf(one, inside) {
    const [a, b] = [one.getBoundingClientRect(), inside.getBoundingClientRect()];
    return { x: a.left - b.left, y: a.top - b.top, width: a.width, height: a.height };
  }

  /** Draw so many paths; those that are there are used again. @param {Line[]} lines */
  function draw(lines) {
    const svg = $("lines");
    while (svg.children.length > lines.length) svg.lastChild.remove();
    while (svg.children.length < lines.length) svg.append(document.createElementNS(SVG, "path"));
    lines.forEach(({ d, kind }, at) => {
      const path = svg.children[at];
      for (const [name, value] of [["d", d], ["class", kind]]) if (path.getAttribute(name) !== value) path.setAttribute(name, value);
    });
  }

  /** Where the parts are on the screen, until something moves. @type {{rows: Places[], map: Rect, sum: Rect, reason: Rect|null}|null} */
  let places = null;

  /** The parts are elsewhere now. */
  const move = () => (places = null);

  /** Draw the lines of an output. @param {Now} now @param {{seen: Reading, place: number[]}} what @param {Built} built */
  function connect(now, { seen: { window: box, channel }, place }, { plan, parts }) {
    if (plan.stacked) return draw([]);
    const stage = $("stage");
    places = places || {
      rows: parts.map(({ picture, lens: canvas, sum, partial }) => ({
        picture: rectOf(picture.canvas, stage),
        lens: rectOf(canvas, stage),
        partial: sum && partial ? rectOf(partial.canvas, stage) : null,
      })),
      map: rectOf(Panes.map().canvas, stage),
      sum: rectOf($("sigma"), stage),
      reason: null,
    };
    // The reason of another value has another length.
    const reason = stage.querySelector(".reason");
    if (reason) places.reason = rectOf(reason, stage);
    /** @param {Pane} pane @param {Rect} rect @param {Mark} mark @returns {Rect} */
    const on = (pane, rect, mark) => {
      const found = Panes.boxOf(pane, mark);
      const inside = (/** @type {number} */ value, /** @type {number} */ most) => Math.max(0, Math.min(value, most));
      const [x, y] = [inside(found.x, rect.width), inside(found.y, rect.height)];
      return { x: rect.x + x + 2, y: rect.y + y + 2, width: inside(found.width, rect.width - x), height: inside(found.height, rect.height - y) };
    };
    const plain = { colour: "", width: 0 };
    const cell = on(Panes.map(), places.map, { rows: [place[0], place[0]], columns: [place[1], place[1]], ...plain });
    const drawn = [];
    for (const [at, one] of parts.entries()) {
      const { picture, lens: where, partial } = places.rows[at];
      if (box && !one.lens.hidden && (channel === undefined || channel === one.row.channel)) {
        const [top, left] = [box.top, box.left];
        const from = on(one.picture, picture, { rows: [top, top + box.height - 1], columns: [left, left + box.width - 1], ...plain });
        const { left: gutter, top: above } = Plan.GUTTER;
        drawn.push(zoom(from, { x: where.x + gutter / 5, y: where.y + above, width: 0, height: where.height - above }));
      }
      if (partial) drawn.push(flow(partial, places.sum));
      else if (box && !one.lens.hidden && at === 0) drawn.push(flow(places.reason || where, cell));
    }
    if (places.sum.width) drawn.push(flow(places.sum, cell));
    draw(drawn);
  }

  return { connect, move };
})();
