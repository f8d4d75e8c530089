"use strict";
/**
 * The arithmetic of the page: shapes, padding and cross-correlation as torch.nn.Conv2d defines them,
 * and the weights that torch draws for a seed. No part of it knows of the page.
 *
 * @typedef {{height: number, width: number, planes: Float32Array[]}} Picture
 * @typedef {{outChannels: number, kernel: number[], stride: number[], padding: number[], mode: string,
 *   dilation: number[], groups: number}} Layer  Sizes are [height, width], padding [top, bottom, left, right].
 * @typedef {{weight: Float32Array, bias: Float32Array|null}} Bank  Weights by filter, plane, row and column.
 */
const Convolve = (() => {
  /** Pixels that one window covers along an axis. */
  const span = (taps, dilation) => dilation * (taps - 1) + 1;

  /** Number of windows along an axis; below 1 where none fits. */
  const outputLength = (input, taps, stride, before, after, dilation) =>
    Math.floor((input + before + after - span(taps, dilation)) / stride) + 1;

  /** Size [height, width] of the maps. */
  function outputSize(height, width, layer) {
    const [top, bottom, left, right] = layer.padding;
    return [
      outputLength(height, layer.kernel[0], layer.stride[0], top, bottom, layer.dilation[0]),
      outputLength(width, layer.kernel[1], layer.stride[1], left, right, layer.dilation[1]),
    ];
  }

  /**
   * Why a layer does not fit an input, with what would be legal; an empty text where it fits.
   *
   * @param {number} channels @param {number} height @param {number} width @param {Layer} layer
   */
  function reason(channels, height, width, layer) {
    const whole = (name, values, least) =>
      values.every((value) => Number.isInteger(value) && value >= least)
        ? ""
        : `${name} takes whole numbers from ${least} on.`;
    const wrong =
      whole("out_channels", [layer.outChannels], 1) ||
      whole("kernel_size", layer.kernel, 1) ||
      whole("stride", layer.stride, 1) ||
      whole("dilation", layer.dilation, 1) ||
      whole("padding", layer.padding, 0) ||
      whole("groups", [layer.groups], 1);
    if (wrong) return wrong;
    if (channels % layer.groups || layer.outChannels % layer.groups) {
      const legal = [];
      for (let n = 1; n <= Math.min(channels, layer.outChannels); n++)
        if (channels % n === 0 && layer.outChannels % n === 0) legal.push(n);
      return `groups must divide the ${channels} channels and the ${layer.outChannels} filters; legal here: ${legal.join(", ")}.`;
    }
    const [top, bottom, left, right] = layer.padding;
    const spare = { reflect: 1, circular: 0 }[layer.mode];
    for (const [name, length, before, after] of [
      ["height", height, top, bottom],
      ["width", width, left, right],
    ]) {
      if (spare !== undefined && Math.max(before, after) > length - spare)
        return `${layer.mode} padding of the ${name} may be ${length - spare} at most.`;
    }
    const [h, w] = outputSize(height, width, layer);
    for (const [name, windows, length, axis, before, after] of [
      ["height", h, height, 0, top, bottom],
      ["width", w, width, 1, left, right],
    ]) {
      if (windows < 1) {
        const spanned = span(layer.kernel[axis], layer.dilation[axis]);
        const missing = spanned - length - before - after;
        return `the kernel spans ${spanned} pixels of ${length + before + after} along the ${name}; pad by ${missing} more, or make it smaller.`;
      }
    }
    return "";
  }

  /** Where the pixel of a padded axis comes from; -1 where it is a zero. */
  function source(index, length, mode) {
    if (index >= 0 && index < length) return index;
    if (mode === "replicate") return index < 0 ? 0 : length - 1;
    if (mode === "circular") return ((index % length) + length) % length;
    if (mode === "reflect") return index < 0 ? -index : 2 * (length - 1) - index;
    return -1;
  }

  /** Sources of the inputs under one tap, for every window along an axis. */
  function sources(count, tap, stride, dilation, before, length, mode) {
    const found = new Int32Array(count);
    for (let window = 0; window < count; window++)
      found[window] = source(window * stride + tap * dilation - before, length, mode);
    return found;
  }

  /** The windows from `first` to `last` whose pixels under one tap lie evenly, window x at `x * step + offset`. */
  function run(found, step) {
    let first = 0;
    while (first < found.length && found[first] < 0) first++;
    const offset = first < found.length ? found[first] - first * step : 0;
    let last = first;
    while (last < found.length && found[last] === last * step + offset) last++;
    return { first, last, offset };
  }

  /** Add what one tap makes of the windows from `first` to `last`, wherever their pixels come from. */
  function oneTap(sum, values, weight, start, found, first, last) {
    for (let x = first; x < last; x++) if (found[x] >= 0) sum[x] += weight * values[start + found[x]];
  }

  /** Add what three neighbouring taps make of every window. */
  function threeTaps(sum, values, weight, at, start, columns, runs, kx, step) {
    const [a, b, c] = [runs[kx], runs[kx + 1], runs[kx + 2]];
    const first = Math.max(a.first, b.first, c.first);
    const last = Math.max(first, Math.min(a.last, b.last, c.last));
    const [u, v, w] = [weight[at], weight[at + 1], weight[at + 2]];
    for (let tap = 0; tap < 3; tap++) {
      oneTap(sum, values, weight[at + tap], start, columns[kx + tap], 0, Math.min(first, sum.length));
      oneTap(sum, values, weight[at + tap], start, columns[kx + tap], last, sum.length);
    }
    let [i, j, k] = [a, b, c].map((run) => start + run.offset + first * step);
    for (let x = first; x < last; x++, i += step, j += step, k += step)
      sum[x] += u * values[i] + v * values[j] + w * values[k];
  }

  /** Add what the taps of a 3x3 kernel make of every window: as `threeTaps`, and in half of its time. */
  function nineTaps(sum, values, weight, at, starts, columns, runs, step) {
    const [a, b, c] = runs;
    const first = Math.max(a.first, b.first, c.first);
    const last = Math.max(first, Math.min(a.last, b.last, c.last));
    for (let tap = 0; tap < 9; tap++) {
      const start = starts[Math.floor(tap / 3)];
      oneTap(sum, values, weight[at + tap], start, columns[tap % 3], 0, Math.min(first, sum.length));
      oneTap(sum, values, weight[at + tap], start, columns[tap % 3], last, sum.length);
    }
    const [p, q, r] = starts;
    let [i, j, k] = [a, b, c].map((one) => one.offset + first * step);
    const [w0, w1, w2, w3, w4, w5, w6, w7, w8] = weight.subarray(at, at + 9);
    for (let x = first; x < last; x++, i += step, j += step, k += step)
      sum[x] +=
        w0 * values[p + i] + w1 * values[p + j] + w2 * values[p + k] +
        w3 * values[q + i] + w4 * values[q + j] + w5 * values[q + k] +
        w6 * values[r + i] + w7 * values[r + j] + w8 * values[r + k];
  }

  /**
   * Cross-correlate: the maps, and on request what every plane adds to the map `partsOf`.
   *
   * @param {Picture} picture @param {Layer} layer @param {Bank} bank @param {number} [partsOf]
   * @returns {{height: number, width: number, maps: Float32Array[], parts: Float32Array[]}}
   */
  function correlate(picture, layer, bank, partsOf = -1) {
    const { height, width, planes } = picture;
    const [h, w] = outputSize(height, width, layer);
    const [kh, kw] = layer.kernel;
    const inGroup = planes.length / layer.groups;
    const filtersInGroup = layer.outChannels / layer.groups;
    const rows = [];
    const columns = [];
    for (let ky = 0; ky < kh; ky++)
      rows.push(sources(h, ky, layer.stride[0], layer.dilation[0], layer.padding[0], height, layer.mode));
    for (let kx = 0; kx < kw; kx++)
      columns.push(sources(w, kx, layer.stride[1], layer.dilation[1], layer.padding[2], width, layer.mode));
    const runs = columns.map((found) => run(found, layer.stride[1]));
    const maps = [];
    const parts = [];
    const sum = new Float64Array(w);
    const before = new Float64Array(w);
    for (let filter = 0; filter < layer.outChannels; filter++) {
      const map = new Float32Array(h * w);
      const group = Math.floor(filter / filtersInGroup);
      const bias = bank.bias ? bank.bias[filter] : 0;
      const wanted = filter === partsOf;
      for (let plane = 0; wanted && plane < inGroup; plane++) parts.push(new Float32Array(h * w));
      for (let y = 0; y < h; y++) {
        sum.fill(bias);
        for (let plane = 0; plane < inGroup; plane++) {
          const values = planes[group * inGroup + plane];
          if (wanted) before.set(sum);
          for (let ky = 0; ky < kh; ky++) {
            const row = rows[ky][y];
            if (row < 0) continue;
            const start = row * width;
            const at = ((filter * inGroup + plane) * kh + ky) * kw;
            if (kh === 3 && kw === 3 && ky === 0 && rows[1][y] >= 0 && rows[2][y] >= 0) {
              const starts = [start, rows[1][y] * width, rows[2][y] * width];
              nineTaps(sum, values, bank.weight, at, starts, columns, runs, layer.stride[1]);
              break;
            }
            let kx = 0;
            // Three taps at a time load and store every sum once, which halves the time.
            for (; kx + 2 < kw; kx += 3)
              threeTaps(sum, values, bank.weight, at + kx, start, columns, runs, kx, layer.stride[1]);
            for (; kx < kw; kx++) oneTap(sum, values, bank.weight[at + kx], start, columns[kx], 0, w);
          }
          if (wanted) for (let x = 0; x < w; x++) parts[plane][y * w + x] = sum[x] - before[x];
        }
        map.set(sum, y * w);
      }
      maps.push(map);
    }
    return { height: h, width: w, maps, parts };
  }

  /**
   * Write one output value as the products that it is the sum of.
   *
   * @returns {{planes: {plane: number, sum: number, cells: {y: number, x: number, row: number, column: number,
   *   value: number, weight: number, product: number}[]}[], bias: number, total: number}}
   */
  function products(picture, layer, bank, filter, y, x) {
    const inGroup = picture.planes.length / layer.groups;
    const group = Math.floor(filter / (layer.outChannels / layer.groups));
    const [kh, kw] = layer.kernel;
    const bias = bank.bias ? bank.bias[filter] : 0;
    let total = bias;
    const planes = [];
    for (let plane = 0; plane < inGroup; plane++) {
      const cells = [];
      let sum = 0;
      for (let ky = 0; ky < kh; ky++)
        for (let kx = 0; kx < kw; kx++) {
          const row = y * layer.stride[0] + ky * layer.dilation[0] - layer.padding[0];
          const column = x * layer.stride[1] + kx * layer.dilation[1] - layer.padding[2];
          const from = source(row, picture.height, layer.mode);
          const at = source(column, picture.width, layer.mode);
          const value = from < 0 || at < 0 ? 0 : picture.planes[group * inGroup + plane][from * picture.width + at];
          const weight = bank.weight[((filter * inGroup + plane) * kh + ky) * kw + kx];
          sum += value * weight;
          cells.push({ y: ky, x: kx, row, column, value, weight, product: value * weight });
        }
      total += sum;
      planes.push({ plane: group * inGroup + plane, sum, cells });
    }
    return { planes, bias, total };
  }

  /** The outputs that one input pixel feeds, with the tap that each meets it with (padding by zeros). */
  function fed(layer, height, width, y, x) {
    const [h, w] = outputSize(height, width, layer);
    const axis = (index, taps, stride, dilation, before, count) => {
      const found = [];
      for (let tap = 0; tap < taps; tap++) {
        const at = index + before - tap * dilation;
        if (at >= 0 && at % stride === 0 && at / stride < count) found.push({ at: at / stride, tap });
      }
      return found;
    };
    const found = [];
    for (const row of axis(y, layer.kernel[0], layer.stride[0], layer.dilation[0], layer.padding[0], h))
      for (const column of axis(x, layer.kernel[1], layer.stride[1], layer.dilation[1], layer.padding[2], w))
        found.push({ y: row.at, x: column.at, tap: [row.tap, column.tap] });
    return found;
  }

  /** The Mersenne Twister of Matsumoto and Nishimura (1998), as torch and numpy seed it with one number. */
  function words(seed) {
    const state = new Uint32Array(624);
    state[0] = seed >>> 0;
    for (let i = 1; i < 624; i++) {
      const before = state[i - 1] ^ (state[i - 1] >>> 30);
      state[i] = Math.imul(1812433253, before) + i;
    }
    let at = 624;
    return () => {
      if (at === 624) {
        for (let i = 0; i < 624; i++) {
          const mixed = (state[i] & 0x80000000) | (state[(i + 1) % 624] & 0x7fffffff);
          state[i] = state[(i + 397) % 624] ^ (mixed >>> 1) ^ (mixed & 1 ? 0x9908b0df : 0);
        }
        at = 0;
      }
      let word = state[at++];
      word ^= word >>> 11;
      word ^= (word << 7) & 0x9d2c5680;
      word ^= (word << 15) & 0xefc60000;
      return (word ^ (word >>> 18)) >>> 0;
    };
  }

  /** The weights and biases of torch.manual_seed(seed); torch.nn.Conv2d(...), bit for bit. */
  function seeded(channels, layer, seed, withBias) {
    const next = words(seed);
    const fanIn = (channels / layer.groups) * layer.kernel[0] * layer.kernel[1];
    const draw = (count, bound) => {
      const low = Math.fround(-bound);
      const width = Math.fround(Math.fround(bound) - low);
      const found = new Float32Array(count);
      for (let i = 0; i < count; i++) found[i] = (next() & 0xffffff) * 2 ** -24 * width + low;
      return found;
    };
    const gain = Math.sqrt(2.0 / (1 + Math.sqrt(5) ** 2));
    const weight = draw(layer.outChannels * fanIn, Math.sqrt(3.0) * (gain / Math.sqrt(fanIn)));
    return { weight, bias: withBias ? draw(layer.outChannels, 1 / Math.sqrt(fanIn)) : null };
  }

  return { span, outputLength, outputSize, reason, source, correlate, products, fed, seeded };
})();
if (typeof module !== "undefined") module.exports = Convolve;
