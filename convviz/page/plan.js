"use strict";
/**
 * The sizes of the stage, so that all of it is in view: from the room that there is, nothing else.
 *
 * Of a `Room`, `span` is what one window covers, `extent` the padded input, both in pixels of the input; `terms` are the
 * lines of the sum, `tiles` the channels without a row. A `Plan` is in pixels of the screen; `lens` has `rows` x `columns`
 * cells. `stacked` means one column: the parts of a row may wrap, and the map is below them.
 *
 * @typedef {{width: number, height: number, rows: number, kernel: Pair, span: Pair, extent: Pair, conv: boolean,
 *   terms: number, tiles: number}} Room
 * @typedef {{stacked: boolean, picture: number, lens: {rows: number, columns: number, width: number, height: number},
 *   kernel: {width: number, height: number}, pictures: boolean, partial: number, map: number,
 *   result: number, gap: number}} Plan
 */
const Plan = (() => {
  const LENS = 9;
  const MOST_LENS = 65;
  // A kernel of more values is a picture.
  const MOST_NUMBERS = 25;
  // Narrower screens have narrower gaps.
  const NARROW = 1150;
  const ROW_GAP = 10;
  const GUTTER = { left: 24, top: 12 };
  const LINE = 21;

  /** @param {number} low @param {number} value @param {number} high */
  const within = (low, value, high) => Math.max(low, Math.min(high, value));

  /** The number of cells that a lens shows along an axis. @param {number} span @param {number} extent */
  const lensLength = (span, extent) => Math.min(MOST_LENS, Math.max(span, Math.min(extent, span <= LENS ? LENS : span + 2)));

  /** The parts of a row at a size between the smallest, 0, and the largest, 1. @param {Room} room @param {number} size */
  function parts({ rows, height, kernel: [kh, kw], span, extent, conv }, size) {
    const tall = height / rows - ROW_GAP;
    const between = (/** @type {number} */ least, /** @type {number} */ most) => Math.round(least + (most - least) * size);
    const lens = { rows: lensLength(span[0], extent[0]), columns: lensLength(span[1], extent[1]) };
    const high = within(2, Math.floor((tall - GUTTER.top - 2) / lens.rows), 40);
    // Cells with numbers are wider than they are high; those of a large window have none.
    const wide = lens.columns > 11 ? Math.min(between(6, 46), high) : Math.min(between(21, 46), Math.max(Math.floor(high * 1.6), 21));
    const pictures = kh * kw > MOST_NUMBERS;
    const side = Math.min(between(84, 260), tall - 58) / Math.max(kh, kw);
    const numbers = { width: between(kw > 3 ? 28 : 32, 68), height: within(15, Math.floor((tall - 8) / kh), between(24, 40)) };
    return {
      picture: Math.min(between(72, 340), Math.floor(tall) - 18),
      lens: { ...lens, width: wide, height: Math.min(high, wide) },
      kernel: !conv ? { width: between(40, 90), height: 20 } : pictures ? { width: side, height: side } : numbers,
      pictures, partial: Math.min(between(62, 130), Math.floor(tall) - 24),
    };
  }

  /** @param {Room} room @returns {Plan} */
  function of(room) {
    const { width, height, kernel: [, kw], terms, tiles, conv } = room;
    const gap = width < NARROW ? 6 : 10;
    // Seven gaps and three signs in a row, the room for the lines to the lens, and the sign of the sum.
    const between = 7 * gap + 3 * 12 + 2 * gap + 34 + 2 * gap + 4;
    const widthOf = (/** @type {ReturnType<typeof parts>} */ one) =>
      one.picture + GUTTER.left + 2 + one.lens.columns * one.lens.width + (conv ? 2 * kw * (one.kernel.width + 0.5) + one.partial : 220) + between;
    const least = tiles ? 290 : width < NARROW ? 200 : 240;
    const below = (terms + 1) * LINE + 100 + (tiles ? 10 + 29 * Math.ceil(tiles / 12) : 0);
    const map = Math.round(within(150, Math.min(width * 0.26, height - below), 420));
    const result = Math.max(map, least);
    let [low, high] = [0, 1];
    if (widthOf(parts(room, 0)) > width - result) return stacked(room);
    for (let step = 0; step < 12; step++) {
      const middle = (low + high) / 2;
      if (widthOf(parts(room, middle)) > width - result) high = middle;
      else low = middle;
    }
    return { stacked: false, map, result, gap, ...parts(room, low) };
  }

  /** One column, for narrow screens. @param {Room} room @returns {Plan} */
  function stacked({ width, kernel: [kh, kw], span, extent, conv }) {
    const lens = { rows: lensLength(span[0], extent[0]), columns: lensLength(span[1], extent[1]) };
    const picture = within(84, width * 0.28, 180);
    const wide = Math.floor(within(6, (width - picture - GUTTER.left - 14) / lens.columns, 30));
    const pictures = kh * kw > MOST_NUMBERS;
    const cell = within(6, (width - 72) / (2 * kw), pictures ? 130 / kw : 56);
    return {
      stacked: true, gap: 8, result: width, picture, pictures, partial: 72, map: width < 700 ? 112 : 220,
      lens: { ...lens, width: wide, height: Math.min(wide, 26) },
      kernel: conv ? { width: cell, height: pictures ? cell : 26 } : { width: 60, height: 20 },
    };
  }

  return { of, GUTTER };
})();
