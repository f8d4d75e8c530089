"use strict";
/**
 * The kinds of layers of a network, as torch defines them, for one image without a batch. A vector is a picture of one
 * row. Options have the names of torch; the `options` of a Conv2d are a `Layer`.
 *
 * An `Extent` is the rows and the columns that one output reads, in one channel or in all that the map depends on. A
 * `Kind` says how a layer computes its output; whether a map depends on every channel of the input, on the channel of the
 * same number in each input (the default), or on one channel of the joined inputs; which window an output has (by default
 * the pixel at its place; null where there is none); and how one value comes about, in words. Workers have no `Words`:
 * only the page asks for reasons.
 *
 * @typedef {{name: string, kind: string, text: string, inputs: string[], shape: number[], options: any,
 *   parameters: Record<string, Float32Array>}} Step
 * @typedef {{map: number, y: number, x: number}} Where
 * @typedef {{rows: number[], columns: number[], channel?: number}} Extent
 * @typedef {{compute: (step: Step, x: Picture, inputs: Picture[]) => Picture, reads?: "every"|"same"|"joined",
 *   window?: (step: Step, x: Picture, where: Where) => Extent|null,
 *   reason: (step: Step, inputs: Picture[], where: Where) => string}} Kind
 */
const Layers = (() => {
  /** A picture of zeros in the shape of an output. @param {number[]} shape @returns {Picture} */
  function blank(shape) {
    const [count, height, width] = shape.length === 3 ? shape : [1, 1, shape[0]];
    return { height, width, channels: Array.from({ length: count }, () => new Float32Array(height * width)) };
  }

  /**
   * Apply a function to every value, given with the index of its channel.
   *
   * @param {Picture} x @param {(value: number, channel: number) => number} change @returns {Picture}
   */
  const each = (x, change) => ({
    height: x.height,
    width: x.width,
    channels: x.channels.map((values, channel) => values.map((value) => change(value, channel))),
  });

  const sigmoid = (/** @type {number} */ value) => 1 / (1 + Math.exp(-value));

  /**
   * The pixels of the window of one output, clipped to the input: rows and columns.
   *
   * @param {any} options @param {Picture} x @param {number} row @param {number} column
   * @returns {Extent}
   */
  function windowOf(options, x, row, column) {
    /** @param {number} axis @param {number} at @param {number} length */
    const along = (axis, at, length) => {
      const found = [];
      for (let offset = 0; offset < options.kernel_size[axis]; offset++) {
        const place = at * options.stride[axis] - options.padding[axis] + offset * options.dilation[axis];
        if (place >= 0 && place < length) found.push(place);
      }
      return found;
    };
    return { rows: along(0, row, x.height), columns: along(1, column, x.width) };
  }

  /**
   * The part of the input whose mean is one output of AdaptiveAvgPool2d.
   *
   * @param {Picture} x @param {number[]} shape @param {number} row @param {number} column @returns {Extent}
   */
  function partOf(x, shape, row, column) {
    /** @param {number} at @param {number} count @param {number} length */
    const along = (at, count, length) => {
      const first = Math.floor((at * length) / count);
      return Array.from({ length: Math.ceil(((at + 1) * length) / count) - first }, (_, more) => first + more);
    };
    return { rows: along(row, shape[1], x.height), columns: along(column, shape[2], x.width) };
  }

  /**
   * The pixels along one axis that make an enlarged one, each with its share.
   *
   * @param {any} options @param {number} axis @param {number} at @param {number} length @returns {[number, number][]}
   */
  function nearest(options, axis, at, length) {
    const factor = options.scale_factor[axis];
    if (options.mode === "nearest") return [[Math.floor(at / factor), 1]];
    const place = Math.max((at + 0.5) / factor - 0.5, 0);
    const first = Math.floor(place);
    const second = Math.min(first + 1, length - 1);
    return place === first || second === first ? [[first, 1]] : [[first, 1 - place + first], [second, place - first]];
  }

  /**
   * The divisor of AvgPool2d: it counts the padding if the options say so, but nothing beyond the padding.
   *
   * @param {any} options @param {Picture} x @param {number} row @param {number} column
   */
  function divisor(options, x, row, column) {
    const [height, width] = [[row, x.height], [column, x.width]].map(([at, length], axis) => {
      const edge = options.count_include_pad ? options.padding[axis] : 0;
      const first = at * options.stride[axis] - options.padding[axis];
      return Math.min(first + options.kernel_size[axis], length + edge) - Math.max(first, -edge);
    });
    return height * width;
  }

  /**
   * Fill every channel: `value` makes each output from the values of its window.
   *
   * @param {Step} layer @param {Picture} x @param {(seen: number[], row: number, column: number) => number} value
   */
  function pooled(layer, x, value) {
    const made = blank(layer.shape);
    for (let row = 0; row < made.height; row++)
      for (let column = 0; column < made.width; column++) {
        const { rows, columns } = /** @type {Extent} */ (windowAt(layer, x, { map: 0, y: row, x: column }));
        x.channels.forEach((values, channel) => {
          const seen = rows.flatMap((r) => columns.map((c) => values[r * x.width + c]));
          made.channels[channel][row * made.width + column] = value(seen, row, column);
        });
      }
    return made;
  }

  const total = (/** @type {number[]} */ seen) => seen.reduce((sum, value) => sum + value, 0);

  /** Every input pixel adds its products to the outputs that its kernel reaches. @param {Step} layer @param {Picture} x */
  function transposed({ shape, options, parameters }, x) {
    const made = blank(shape);
    const [kh, kw] = options.kernel_size;
    const outputs = made.channels.length / options.groups;
    const inputs = x.channels.length / options.groups;
    made.channels.forEach((map, output) => {
      const sum = new Float64Array(map.length).fill(parameters.bias ? parameters.bias[output] : 0);
      const group = Math.floor(output / outputs);
      for (let input = group * inputs; input < (group + 1) * inputs; input++)
        for (let y = 0; y < x.height; y++)
          for (let ky = 0; ky < kh; ky++) {
            const row = y * options.stride[0] - options.padding[0] + ky * options.dilation[0];
            if (row < 0 || row >= made.height) continue;
            for (let at = 0; at < x.width; at++)
              for (let kx = 0; kx < kw; kx++) {
                const column = at * options.stride[1] - options.padding[1] + kx * options.dilation[1];
                if (column < 0 || column >= made.width) continue;
                const weight = parameters.weight[((input * outputs + (output % outputs)) * kh + ky) * kw + kx];
                sum[row * made.width + column] += x.channels[input][y * x.width + at] * weight;
              }
          }
      map.set(sum);
    });
    return made;
  }

  /** @param {Step} layer @param {Picture} x */
  function batchNorm({ options, parameters }, x) {
    const scale = Array.from(parameters.running_var, (variance, channel) =>
      (parameters.weight ? parameters.weight[channel] : 1) / Math.sqrt(variance + options.eps));
    const shift = scale.map((one, channel) => (parameters.bias ? parameters.bias[channel] : 0) - parameters.running_mean[channel] * one);
    return each(x, (value, channel) => value * scale[channel] + shift[channel]);
  }

  /** @param {Step} layer @param {Picture} x */
  function linear({ shape, parameters }, x) {
    const made = blank(shape);
    const values = x.channels[0];
    for (let output = 0; output < shape[0]; output++) {
      let sum = parameters.bias ? parameters.bias[output] : 0;
      for (let at = 0; at < values.length; at++) sum += values[at] * parameters.weight[output * values.length + at];
      made.channels[0][output] = sum;
    }
    return made;
  }

  /** Exponentials over their sum along one axis. @param {Step} layer @param {Picture} x */
  function softmax({ shape, options }, x) {
    const made = blank(shape);
    const size = shape.slice(options.axis + 1).reduce((product, one) => product * one, 1);
    const count = shape[options.axis];
    const room = x.height * x.width;
    /** @param {Picture} of @param {number} at */
    const channel = (of, at) => of.channels[Math.floor(at / room)];
    for (let first = 0; first < room * x.channels.length; first++) {
      if (Math.floor(first / size) % count) continue;
      const places = Array.from({ length: count }, (_, step) => first + step * size);
      const peak = Math.max(...places.map((at) => channel(x, at)[at % room]));
      const powers = places.map((at) => Math.exp(channel(x, at)[at % room] - peak));
      const sum = total(powers);
      places.forEach((at, step) => (channel(made, at)[at % room] = powers[step] / sum));
    }
    return made;
  }

  /** Copies of pixels, or means weighted by distance. @param {Step} layer @param {Picture} x */
  function upsampled({ shape, options }, x) {
    const made = blank(shape);
    for (let row = 0; row < made.height; row++)
      for (let column = 0; column < made.width; column++) {
        const rows = nearest(options, 0, row, x.height);
        const columns = nearest(options, 1, column, x.width);
        x.channels.forEach((values, channel) => {
          const partials = rows.flatMap(([r, high]) => columns.map(([c, wide]) => high * wide * values[r * x.width + c]));
          made.channels[channel][row * made.width + column] = total(partials);
        });
      }
    return made;
  }

  /** The channels of all inputs in order, each input cut to the shape around its centre. @param {Step} layer @param {Picture[]} inputs */
  function joined({ shape }, inputs) {
    const [, height, width] = shape;
    return { height, width, channels: inputs.flatMap((x) => {
      const [top, left] = [Math.floor((x.height - height) / 2), Math.floor((x.width - width) / 2)];
      return x.channels.map((values) => Float32Array.from({ length: height * width }, (_, at) =>
        values[(top + Math.floor(at / width)) * x.width + left + (at % width)]));
    }) };
  }

  /** The error function, by its series or, beyond 2.5, by the continued fraction of its complement: Abramowitz and Stegun (1964), 7.1.5, 7.1.14. @param {number} x */
  function erf(x) {
    // The series converges at once near 0; beyond, the complement is a continued fraction.
    const size = Math.abs(x);
    if (size > 6) return Math.sign(x);
    if (size < 2.5) {
      let [term, sum] = [x, x];
      for (let n = 1; n < 60; n++) {
        term *= (-x * x) / n;
        sum += term / (2 * n + 1);
      }
      return (2 / Math.sqrt(Math.PI)) * sum;
    }
    let fraction = size;
    for (let n = 60; n > 0; n--) fraction = size + n / 2 / fraction;
    return Math.sign(x) * (1 - Math.exp(-size * size) / (Math.sqrt(Math.PI) * fraction));
  }

  /** @param {any} options @param {number} value */
  function gelu(options, value) {
    if (options.approximate === "tanh")
      return 0.5 * value * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (value + 0.044715 * value ** 3)));
    return value * (0.5 + 0.5 * erf(value / Math.SQRT2));
  }

  /** @param {Step} layer @param {Picture} x @returns {Picture} */
  function convolved({ options, parameters }, x) {
    const made = Convolve.correlate(x, options, { weight: parameters.weight, bias: parameters.bias || null });
    return { height: made.height, width: made.width, channels: made.maps };
  }

  /** @param {Picture} x @param {Where} where */
  const valueAt = (x, { map, y, x: column }) => x.channels[Math.min(map, x.channels.length - 1)][y * x.width + column];

  /** The values of a window, as text. @param {Step} step @param {Picture} x @param {Where} where */
  function listed(step, x, where) {
    const { rows, columns } = windowAt(step, x, where) || { rows: [], columns: [] };
    const values = rows.flatMap((row) => columns.map((column) => Words.short(x.channels[where.map][row * x.width + column], 3)));
    return { count: values.length, text: values.length > 16 ? `${values.length} values` : values.join(", ") };
  }

  /** The reason of a layer that changes every value by itself. @param {(value: string, options: any) => string} text @returns {Kind["reason"]} */
  const alone = (text) => ({ options }, [x], where) => text(Words.short(valueAt(x, where)), options);

  /** @type {Kind["reason"]} */
  function linearReason({ parameters }, [{ channels: [values] }], { x }) {
    const count = values.length;
    const products = Array.from(values, (value, index) => ({ index, product: value * parameters.weight[x * count + index] }));
    const most = products.sort((a, b) => Math.abs(b.product) - Math.abs(a.product)).slice(0, 5);
    const bias = parameters.bias ? ` + bias ${Words.short(parameters.bias[x])}` : "";
    return `${count} products, the largest ${most.map(({ index, product }) => `${Words.short(product, 3)} of value ${index}`).join(", ")}${bias}`;
  }

  /** @type {Kind["reason"]} */
  function batchNormReason({ parameters, options }, [x], where) {
    const [mean, variance] = [parameters.running_mean, parameters.running_var].map((values) => Words.short(values[where.map]));
    const scale = parameters.weight ? ` * ${Words.short(parameters.weight[where.map])} + ${Words.short(parameters.bias[where.map])}` : "";
    return `(${Words.short(valueAt(x, where))} - ${mean}) / sqrt(${variance} + ${Words.short(options.eps)})${scale}`;
  }

  /** One row for each kind of layer: everything that the page knows about it. @type {Record<string, Kind>} */
  const KINDS = {
    Conv2d: { compute: convolved, reads: "every", reason: () => "the sum of the products and the bias" },
    ConvTranspose2d: {
      compute: transposed,
      reads: "every",
      window: () => null,
      reason: () => "products of every input whose kernel reaches it",
    },
    MaxPool2d: {
      compute: (step, x) => pooled(step, x, (seen) => Math.max(...seen)),
      window: ({ options }, x, { y, x: column }) => windowOf(options, x, y, column),
      reason: (step, [x], where) => `the largest of ${listed(step, x, where).text}`,
    },
    AvgPool2d: {
      compute: (step, x) => pooled(step, x, (seen, row, column) => total(seen) / divisor(step.options, x, row, column)),
      window: ({ options }, x, { y, x: column }) => windowOf(options, x, y, column),
      reason: (step, [x], where) =>
        `the sum of ${listed(step, x, where).text}, divided by ${divisor(step.options, x, where.y, where.x)}`,
    },
    AdaptiveAvgPool2d: {
      compute: (step, x) => pooled(step, x, (seen) => total(seen) / seen.length),
      window: ({ shape }, x, { y, x: column }) => partOf(x, shape, y, column),
      reason: (step, [x], where) => {
        const { text, count } = listed(step, x, where);
        return `the sum of ${text}, divided by ${count}`;
      },
    },
    BatchNorm2d: { compute: batchNorm, reason: batchNormReason },
    ReLU: { compute: (_, x) => each(x, (value) => Math.max(value, 0)), reason: alone((value) => `max(${value}, 0)`) },
    ReLU6: {
      compute: (_, x) => each(x, (value) => Math.min(Math.max(value, 0), 6)),
      reason: alone((value) => `min(max(${value}, 0), 6)`),
    },
    LeakyReLU: {
      compute: ({ options }, x) => each(x, (value) => (value >= 0 ? value : options.negative_slope * value)),
      reason: alone((value, options) => `${value}, times ${options.negative_slope} below 0`),
    },
    Dropout: { compute: (_, x) => x, reason: alone((value) => `${value}, which only training drops`) },
    SiLU: {
      compute: (_, x) => each(x, (value) => value * sigmoid(value)),
      reason: alone((value) => `${value} * sigmoid(${value})`),
    },
    GELU: {
      compute: ({ options }, x) => each(x, (value) => gelu(options, value)),
      reason: alone((value) => `${value} times the share of a normal distribution below it`),
    },
    Hardswish: {
      compute: (_, x) => each(x, (value) => (value * Math.min(Math.max(value + 3, 0), 6)) / 6),
      reason: alone((value) => `${value} * min(max(${value} + 3, 0), 6) / 6`),
    },
    Sigmoid: { compute: (_, x) => each(x, sigmoid), reason: alone((value) => `1 / (1 + exp(-(${value})))`) },
    Tanh: { compute: (_, x) => each(x, Math.tanh), reason: alone((value) => `tanh(${value})`) },
    Flatten: {
      compute: ({ shape }, x) => {
        const made = blank(shape);
        x.channels.forEach((values, channel) => made.channels[0].set(values, channel * values.length));
        return made;
      },
      reads: "every",
      window: (_, { height, width }, { x }) => {
        const at = x % (height * width);
        return { rows: [Math.floor(at / width)], columns: [at % width], channel: Math.floor(x / (height * width)) };
      },
      reason: (_, __, { x }) => `value ${x} in the order of channels, rows, columns`,
    },
    Linear: { compute: linear, reads: "every", window: () => null, reason: linearReason },
    Softmax: {
      compute: softmax,
      reads: "every",
      window: () => null,
      reason: (step, [x], where) =>
        `exp(${Words.short(valueAt(x, where))}) divided by the sum of all exponentials${step.shape.length === 1 ? "" : " along the axis"}`,
    },
    Upsample: {
      compute: upsampled,
      window: ({ options }, x, { y, x: column }) => ({
        rows: nearest(options, 0, y, x.height).map(([at]) => at),
        columns: nearest(options, 1, column, x.width).map(([at]) => at),
      }),
      reason: ({ options }) =>
        options.mode === "nearest" ? "a copy of the nearest pixel" : "a mean of the nearest pixels, weighted by distance",
    },
    Concat: {
      compute: (step, _, inputs) => joined(step, inputs),
      reads: "joined",
      reason: (_, __, { map }) => `channel ${map} of all inputs, one after the other`,
    },
    Add: {
      compute: (_, x, inputs) => ({
        height: x.height,
        width: x.width,
        channels: x.channels.map((values, channel) =>
          values.map((_, at) => inputs.reduce((sum, one) => sum + one.channels[channel][at], 0))),
      }),
      reason: (_, inputs, where) => inputs.map((x) => Words.short(valueAt(x, where))).join(" + "),
    },
  };

  /**
   * The window of one output in a channel of the input; null if the kind has none.
   *
   * @param {Step} step @param {Picture} x @param {Where} where @returns {Extent|null}
   */
  function windowAt(step, x, where) {
    const { window } = KINDS[step.kind];
    return window ? window(step, x, where) : { rows: [where.y], columns: [where.x] };
  }

  /**
   * The channels of its inputs that a map depends on.
   *
   * @param {Step} step @param {Picture[]} inputs @param {number} map @returns {{index: number, channel: number}[]}
   */
  function channelsOf({ kind }, inputs, map) {
    const { reads = "same" } = KINDS[kind];
    if (reads === "every") return inputs[0].channels.map((_, channel) => ({ index: 0, channel }));
    if (reads === "same") return inputs.map((_, index) => ({ index, channel: map }));
    return [inputs.flatMap(({ channels }, index) => channels.map((_, channel) => ({ index, channel })))[map]];
  }

  /** How one value comes about, in words. @param {Step} step @param {Picture[]} inputs @param {Where} where */
  const reason = (step, inputs, where) => KINDS[step.kind].reason(step, inputs, where);

  /**
   * Compute every layer: outputs by name. In a Map, because a layer may be called as a property of every object. After each
   * layer, `told` learns which share is done.
   *
   * @param {Picture} picture @param {Step[]} layers @param {(share: number) => void} [told] @returns {Map<string, Picture>}
   */
  function compute(picture, layers, told = () => {}) {
    const made = new Map([["input", picture]]);
    for (const [at, layer] of layers.entries()) {
      made.set(layer.name, one(layer, layer.inputs.map((name) => /** @type {Picture} */ (made.get(name)))));
      told((at + 1) / layers.length);
    }
    return made;
  }

  /** Compute one layer. @param {Step} layer @param {Picture[]} inputs */
  const one = (layer, inputs) => KINDS[layer.kind].compute(layer, inputs[0], inputs);

  return { compute, made: one, windowAt, channelsOf, reason, kinds: Object.keys(KINDS) };
})();
