"use strict";
/**
 * The arithmetic of a convolution: shapes, padding and cross-correlation as torch.nn.Conv2d defines them,
 * and the weights that torch draws for a seed. Nothing here uses the page.
 *
 * A `Pair` is [height, width], a `Padding` [top, bottom, left, right]; weights are ordered by filter, channel, row and column.
 * `filters` are the filters to compute, by default all, `partialOf` the one of them whose partial maps are wanted.
 *
 * @typedef {{height: number, width: number, channels: Float32Array[]}} Picture
 * @typedef {[number, number]} Pair
 * @typedef {[number, number, number, number]} Padding
 * @typedef {{outChannels: number, kernel: Pair, stride: Pair, padding: Padding, mode: string, dilation: Pair,
 *   groups: number}} Layer
 * @typedef {{weight: Float32Array, bias: Float32Array|null}} Weights
 * @typedef {{height: number, width: number, maps: Float32Array[], partials: Float32Array[]}} Made
 * @typedef {{y: number, x: number, row: number, column: number, value: number, weight: number, product: number}} Cell
 * @typedef {{channels: {channel: number, sum: number, cells: Cell[]}[], bias: number, total: number}} Sum
 * @typedef {{first: number, last: number, offset: number}} Run
 */
const Convolve = (() => {
  /** Pixels that one window covers along an axis. @param {number} kernel @param {number} dilation */
  const span = (kernel, dilation) => dilation * (kernel - 1) + 1;

  /**
   * Number of windows along an axis; below 1 where none fits.
   *
   * @param {number} input @param {number} kernel @param {number} stride @param {number} before @param {number} after
   * @param {number} dilation
   */
  const outputLength = (input, kernel, stride, before, after, dilation) =>
    Math.floor((input + before + after - span(kernel, dilation)) / stride) + 1;

  /** Size of the maps. @param {number} height @param {number} width @param {Layer} layer @returns {Pair} */
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
    /** @param {string} name @param {number[]} values @param {number} least */
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
      return `groups must divide the ${channels} channels and the ${layer.outChannels} filters; valid values: ${legal.join(", ")}.`;
    }
    const [top, bottom, left, right] = layer.padding;
    const axes = [
      { name: "height", length: height, before: top, after: bottom },
      { name: "width", length: width, before: left, after: right },
    ];
    const spare = layer.mode === "reflect" ? 1 : layer.mode === "circular" ? 0 : null;
    for (const { name, length, before, after } of axes)
      if (spare !== null && Math.max(before, after) > length - spare)
        return `${layer.mode} padding of the ${name} may be ${length - spare} at most.`;
    for (const [axis, { name, length, before, after }] of axes.entries()) {
      const spanned = span(layer.kernel[axis], layer.dilation[axis]);
      const room = length + before + after;
      if (spanned > room)
        return `the kernel spans ${spanned} pixels of ${room} along the ${name}; pad by ${spanned - room} more, or make it smaller.`;
    }
    return "";
  }

  /**
   * Where the pixel of a padded axis comes from; -1 where it is a zero.
   *
   * @param {number} index @param {number} length @param {string} mode
   */
  function source(index, length, mode) {
    if (index >= 0 && index < length) return index;
    if (mode === "replicate") return index < 0 ? 0 : length - 1;
    if (mode === "circular") return ((index % length) + length) % length;
    if (mode === "reflect") return index < 0 ? -index : 2 * (length - 1) - index;
    return -1;
  }

  /**
   * Sources of the inputs under one weight, for every window along an axis.
   *
   * @param {number} count @param {number} at @param {number} stride @param {number} dilation @param {number} before
   * @param {number} length @param {string} mode
   */
  function sources(count, at, stride, dilation, before, length, mode) {
    const found = new Int32Array(count);
    for (let window = 0; window < count; window++)
      found[window] = source(window * stride + at * dilation - before, length, mode);
    return found;
  }

  /**
   * The windows from `first` to `last` whose pixels under one weight lie evenly, window x at `x * step + offset`.
   *
   * @param {Int32Array} found @param {number} step @returns {Run}
   */
  function run(found, step) {
    let first = 0;
    while (first < found.length && found[first] < 0) first++;
    const offset = first < found.length ? found[first] - first * step : 0;
    let last = first;
    while (last < found.length && found[last] === last * step + offset) last++;
    return { first, last, offset };
  }

  /**
   * Add the products of one weight for the windows from `first` to `last`, wherever their pixels come from.
   *
   * @param {Float64Array} sum @param {Float32Array} values @param {number} weight @param {number} start
   * @param {Int32Array} found @param {number} first @param {number} last
   */
  function oneWeight(sum, values, weight, start, found, first, last) {
    for (let x = first; x < last; x++) if (found[x] >= 0) sum[x] += weight * values[start + found[x]];
  }

  /**
   * Add the products of three neighbouring weights for every window.
   *
   * @param {Float64Array} sum @param {Float32Array} values @param {Float32Array} weight @param {number} at
   * @param {number} start @param {Int32Array[]} columns @param {Run[]} runs @param {number} kx @param {number} step
   */
  function threeWeights(sum, values, weight, at, start, columns, runs, kx, step) {
    const a = runs[kx], b = runs[kx + 1], c = runs[kx + 2];
    const first = Math.max(a.first, b.first, c.first);
    const last = Math.max(first, Math.min(a.last, b.last, c.last));
    const u = weight[at], v = weight[at + 1], w = weight[at + 2];
    for (let next = 0; next < 3; next++) {
      oneWeight(sum, values, weight[at + next], start, columns[kx + next], 0, Math.min(first, sum.length));
      oneWeight(sum, values, weight[at + next], start, columns[kx + next], last, sum.length);
    }
    let i = start + a.offset + first * step, j = start + b.offset + first * step, k = start + c.offset + first * step;
    for (let x = first; x < last; x++, i += step, j += step, k += step) sum[x] += u * values[i] + v * values[j] + w * values[k];
  }

  /**
   * Add the products of a 3x3 kernel for every window: as `threeWeights`, in half of its time.
   *
   * @param {Float64Array} sum @param {Float32Array} values @param {Float32Array} weight @param {number} at
   * @param {number[]} starts @param {Int32Array[]} columns @param {Run[]} runs @param {number} step
   */
  function nineWeights(sum, values, weight, at, starts, columns, runs, step) {
    const a = runs[0], b = runs[1], c = runs[2];
    const first = Math.max(a.first, b.first, c.first);
    const last = Math.max(first, Math.min(a.last, b.last, c.last));
    for (let next = 0; next < 9; next++) {
      const start = starts[Math.floor(next / 3)];
      oneWeight(sum, values, weight[at + next], start, columns[next % 3], 0, Math.min(first, sum.length));
      oneWeight(sum, values, weight[at + next], start, columns[next % 3], last, sum.length);
    }
    // Destructuring here, once per row, took more time than all products.
    const w0 = weight[at], w1 = weight[at + 1], w2 = weight[at + 2];
    const w3 = weight[at + 3], w4 = weight[at + 4], w5 = weight[at + 5];
    const w6 = weight[at + 6], w7 = weight[at + 7], w8 = weight[at + 8];
    let i = a.offset + first * step, j = b.offset + first * step, k = c.offset + first * step;
    const p = starts[0], q = starts[1], r = starts[2];
    if (step === 1 && j === i + 1 && k === i + 2) {
      // Neighbouring windows share six of their nine pixels: to load those once halves the time again.
      let u0 = values[p + i], u1 = values[p + j], m0 = values[q + i], m1 = values[q + j], l0 = values[r + i], l1 = values[r + j];
      for (let x = first; x < last; x++, k++) {
        const u2 = values[p + k], m2 = values[q + k], l2 = values[r + k];
        sum[x] += w0 * u0 + w1 * u1 + w2 * u2 + w3 * m0 + w4 * m1 + w5 * m2 + w6 * l0 + w7 * l1 + w8 * l2;
        u0 = u1, u1 = u2, m0 = m1, m1 = m2, l0 = l1, l1 = l2;
      }
      return;
    }
    for (let x = first; x < last; x++, i += step, j += step, k += step)
      sum[x] +=
        w0 * values[p + i] + w1 * values[p + j] + w2 * values[p + k] +
        w3 * values[q + i] + w4 * values[q + j] + w5 * values[q + k] +
        w6 * values[r + i] + w7 * values[r + j] + w8 * values[r + k];
  }

  /**
   * A channel with its padding.
   *
   * @param {Float32Array} values @param {number} height @param {number} width @param {Padding} padding @param {string} mode
   * @returns {{values: Float32Array, height: number, width: number}}
   */
  function padded(values, height, width, [top, bottom, left, right], mode) {
    const [tall, wide] = [height + top + bottom, width + left + right];
    const made = new Float32Array(tall * wide);
    // Beside the image; inside it, rows are copied whole.
    const beside = [...Array(left).keys(), ...Array.from({ length: right }, (_, x) => left + width + x)]
      .map((x) => ({ x, from: source(x - left, width, mode) })).filter(({ from }) => from >= 0);
    for (let y = 0; y < tall; y++) {
      const row = source(y - top, height, mode);
      if (row < 0) continue;
      made.set(values.subarray(row * width, (row + 1) * width), y * wide + left);
      for (const { x, from } of beside) made[y * wide + x] = values[row * width + from];
    }
    return { values: made, height: tall, width: wide };
  }

  /**
   * Cross-correlate: the maps, and on request the partial maps of the filter `partialOf`; of all filters, or some, and
   * of all rows, or those from one to another. After each row of a map, `told` learns which share is done.
   *
   * @param {Picture} picture @param {Layer} layer @param {Weights} weights
   * @param {{partialOf?: number, filters?: number[], rows?: Pair, told?: (share: number) => void}} [wanted] @returns {Made}
   */
  function correlate(picture, layer, weights, { partialOf = -1, filters = [...Array(layer.outChannels).keys()], rows: among, told = () => {} } = {}) {
    const { height, width, channels } = picture;
    const [h, w] = outputSize(height, width, layer);
    const [from, to] = among || [0, h];
    const [kh, kw] = layer.kernel;
    const inGroup = channels.length / layer.groups;
    const filtersInGroup = layer.outChannels / layer.groups;
    const rows = [];
    const columns = [];
    for (let ky = 0; ky < kh; ky++)
      rows.push(sources(h, ky, layer.stride[0], layer.dilation[0], layer.padding[0], height, layer.mode));
    for (let kx = 0; kx < kw; kx++)
      columns.push(sources(w, kx, layer.stride[1], layer.dilation[1], layer.padding[2], width, layer.mode));
    const runs = columns.map((found) => run(found, layer.stride[1]));
    const maps = [];
    const partials = [];
    const sum = new Float64Array(w);
    const before = new Float64Array(w);
    for (const [at, filter] of filters.entries()) {
      const map = new Float32Array((to - from) * w);
      const group = Math.floor(filter / filtersInGroup);
      const bias = weights.bias ? weights.bias[filter] : 0;
      const wanted = filter === partialOf;
      for (let channel = 0; wanted && channel < inGroup; channel++) partials.push(new Float32Array((to - from) * w));
      for (let y = from; y < to; y++) {
        sum.fill(bias);
        for (let channel = 0; channel < inGroup; channel++) {
          const values = channels[group * inGroup + channel];
          if (wanted) before.set(sum);
          for (let ky = 0; ky < kh; ky++) {
            const row = rows[ky][y];
            if (row < 0) continue;
            const start = row * width;
            const at = ((filter * inGroup + channel) * kh + ky) * kw;
            if (kh === 3 && kw === 3 && ky === 0 && rows[1][y] >= 0 && rows[2][y] >= 0) {
              const starts = [start, rows[1][y] * width, rows[2][y] * width];
              nineWeights(sum, values, weights.weight, at, starts, columns, runs, layer.stride[1]);
              break;
            }
            let kx = 0;
            // Three weights at a time load and store every sum once, which halves the time.
            for (; kx + 2 < kw; kx += 3)
              threeWeights(sum, values, weights.weight, at + kx, start, columns, runs, kx, layer.stride[1]);
            for (; kx < kw; kx++) oneWeight(sum, values, weights.weight[at + kx], start, columns[kx], 0, w);
          }
          if (!wanted) continue;
          const partial = partials[channel];
          for (let x = 0, at = (y - from) * w; x < w; x++, at++) partial[at] = sum[x] - before[x];
        }
        map.set(sum, (y - from) * w);
        told((at + (y + 1 - from) / (to - from)) / filters.length);
      }
      maps.push(map);
    }
    return { height: h, width: w, maps, partials };
  }

  /**
   * Write one output value as the products that it is the sum of.
   *
   * @param {Picture} picture @param {Layer} layer @param {Weights} weights @param {number} filter @param {number} y
   * @param {number} x @returns {Sum}
   */
  function products(picture, layer, weights, filter, y, x) {
    const inGroup = picture.channels.length / layer.groups;
    const group = Math.floor(filter / (layer.outChannels / layer.groups));
    const [kh, kw] = layer.kernel;
    const bias = weights.bias ? weights.bias[filter] : 0;
    let total = bias;
    const channels = [];
    for (let channel = 0; channel < inGroup; channel++) {
      const cells = [];
      let sum = 0;
      for (let ky = 0; ky < kh; ky++)
        for (let kx = 0; kx < kw; kx++) {
          const row = y * layer.stride[0] + ky * layer.dilation[0] - layer.padding[0];
          const column = x * layer.stride[1] + kx * layer.dilation[1] - layer.padding[2];
          const from = source(row, picture.height, layer.mode);
          const at = source(column, picture.width, layer.mode);
          const value = from < 0 || at < 0 ? 0 : picture.channels[group * inGroup + channel][from * picture.width + at];
          const weight = weights.weight[((filter * inGroup + channel) * kh + ky) * kw + kx];
          sum += value * weight;
          cells.push({ y: ky, x: kx, row, column, value, weight, product: value * weight });
        }
      total += sum;
      channels.push({ channel: group * inGroup + channel, sum, cells });
    }
    return { channels, bias, total };
  }

  /**
   * The outputs that one input pixel feeds, with the weight that multiplies it in each: through the padding too.
   *
   * @param {Layer} layer @param {number} height @param {number} width @param {number} y @param {number} x
   */
  function fed(layer, height, width, y, x) {
    const [h, w] = outputSize(height, width, layer);
    /** @param {number} axis @param {number} count @param {number} before @param {number} length @param {number} index */
    const along = (axis, count, before, length, index) => {
      const found = [];
      for (let window = 0; window < count; window++)
        for (let at = 0; at < layer.kernel[axis]; at++) {
          const place = window * layer.stride[axis] + at * layer.dilation[axis] - before;
          if (source(place, length, layer.mode) === index) found.push({ window, at });
        }
      return found;
    };
    const columns = along(1, w, layer.padding[2], width, x);
    return along(0, h, layer.padding[0], height, y).flatMap((row) =>
      columns.map((column) => ({ y: row.window, x: column.window, weight: [row.at, column.at] })),
    );
  }

  /** The Mersenne Twister of Matsumoto and Nishimura (1998), as torch and numpy seed it. @param {number} seed */
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

  /**
   * The weights and biases of torch.manual_seed(seed); torch.nn.Conv2d(...), bit for bit.
   *
   * @param {number} channels @param {Layer} layer @param {number} seed @param {boolean} withBias @returns {Weights}
   */
  function seeded(channels, layer, seed, withBias) {
    const next = words(seed);
    const fanIn = (channels / layer.groups) * layer.kernel[0] * layer.kernel[1];
    /** @param {number} count @param {number} bound */
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

  return { span, outputLength, outputSize, reason, source, padded, correlate, products, fed, seeded };
})();
