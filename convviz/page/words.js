"use strict";
/** The words of the page: how many kernels and maps, the shape calculation, the command, the program. */
const Words = (() => {
  /** A number in few characters. @param {number} value @param {number} [digits] */
  function short(value, digits = 4) {
    if (Number.isInteger(value) && Math.abs(value) < 1e7) return String(value === 0 ? 0 : value);
    return Math.abs(value) < 1e-3 ? value.toExponential(1) : String(Number(value.toPrecision(digits)));
  }

  /** A number in at most so many characters: digits are left out, never cut off. @param {number} value @param {number} chars */
  function fit(value, chars) {
    if (!Number.isFinite(value)) return Number.isNaN(value) ? "NaN" : value > 0 ? "inf" : "-inf";
    const first = short(value, 3);
    if (first.length <= chars) return first;
    return seek(first, value, chars, true) || power(value, chars) || seek(first, value, chars, false) || power(value, Infinity);
  }

  /** A number as one digit and a power of ten; empty if that does not fit. @param {number} value @param {number} chars */
  function power(value, chars) {
    const text = value.toExponential(0).replace("e+", "e");
    return text.length <= chars ? text : "";
  }

  /** The first form of a number that fits; a `fair` one does not make a small fraction look like a whole number, nor like 0. @param {string} first @param {number} value @param {number} chars @param {boolean} fair */
  function seek(first, value, chars, fair) {
    const bare = (/** @type {string} */ text) => text.replace(/^(-?)0\./, "$1.");
    const fits = (/** @type {string} */ text) => text.length <= chars && (!fair ||
      (Number.isInteger(value) || Math.abs(value) > 9 || text.includes(".")) && near(Number(text)));
    // As near as one digit and a power of ten is: both take five characters.
    const near = (/** @type {number} */ one) => Math.abs(one - value) <= Math.abs(value) / 8 || one === Number(value.toExponential(0));
    const forms = [() => short(value, 2), () => bare(first), () => bare(short(value, 2)),
      ...[4, 3, 2, 1, 0].flatMap((digits) => [() => value.toFixed(digits), () => bare(value.toFixed(digits))])];
    // One after the other: most numbers fit in one of the first forms.
    for (const form of forms) if (fits(form())) return form();
    return "";
  }

  /** A float32 so that it is read back as the same. @param {number} value */
  const exact = (value) => String(Number(value.toPrecision(9)));

  /**
   * Numbers as a tensor of torch, which takes whole ones for integers unless told: the rows of a kernel below each other.
   *
   * @param {Float32Array} values @param {number[]} [shape]
   */
  function tensor(values, shape = [values.length]) {
    let at = 0;
    const number = () => {
      const value = values[at++];
      return Number.isFinite(value) ? exact(value) : `float("${value}")`;
    };
    /** @param {number[]} sizes @param {string} indent @returns {string} */
    const nested = ([count, ...rest], indent) =>
      `[${Array.from({ length: count }, () => (rest.length ? nested(rest, `${indent} `) : number())).join(rest.length ? `,\n${indent} ` : ", ")}]`;
    const row = shape.length === 1;
    return `torch.tensor(${row ? "" : "\n    "}${nested(shape, "    ")},${row ? " " : "\n    "}dtype=torch.float32${row ? "" : ",\n"})`;
  }

  /** @param {number} count @param {string} word */
  const many = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;

  /** @param {Layer} layer @param {number[]} input @param {number[]} output */
  function sentence(layer, input, output) {
    const channels = input[0] / layer.groups;
    return `${many(layer.outChannels, "filter")} x ${many(channels, "channel")} = ` +
      `${many(layer.outChannels * channels, "two-dimensional kernel")} -> ${many(layer.outChannels, "feature map")}; ` +
      `${input.join("x")} -> ${output.join("x")}`;
  }

  /** The shape calculation. @param {Layer} layer @param {number} height @param {number} width */
  function shape(layer, height, width) {
    const [top, bottom, left, right] = layer.padding;
    /** @param {string} name @param {number} axis @param {number} n @param {number} before @param {number} after */
    const along = (name, axis, n, before, after) => {
      const [k, s, d] = [layer.kernel[axis], layer.stride[axis], layer.dilation[axis]];
      const room = n + before + after - Convolve.span(k, d);
      const indent = " ".repeat(name.length);
      return `${name} = floor((i + p + p' - d(k - 1) - 1) / s) + 1\n` +
        `${indent} = floor((${n} + ${before} + ${after} - ${d}*(${k} - 1) - 1) / ${s}) + 1\n` +
        `${indent} = floor(${room} / ${s}) + 1 = ${Math.floor(room / s) + 1}`;
    };
    return `${along("height", 0, height, top, bottom)}\n\n${along("width", 1, width, left, right)}`;
  }

  /** @param {Pair} pair */
  const pair = ([h, w]) => (h === w ? String(h) : `${h}x${w}`);

  /** A word of a shell. @param {string} text */
  const quoted = (text) => (/[^\w./:=,-]/.test(text) ? `'${text.replaceAll("'", "'\\''")}'` : text);

  /** The begin of a command: a path is never an option, whatever it begins with. @param {Source} source */
  const run = ({ path }) => `convviz run ${quoted(path.length > 1 && path.startsWith("-") ? `./${path}` : path)}`;

  /** How maps become colours, as options. @param {State} state */
  const painted = (state) => [
    ...(state.colormap === "gray" ? [] : [`--colormap ${quoted(state.colormap)}`]),
    ...(state.limits === "percentile" ? [] : [`--limits${state.limits.startsWith("-") ? "=" : " "}${state.limits}`]),
    ...(state.scale === "map" ? [] : [`--scale ${state.scale}`]),
  ];

  // What arrives at a layer of a network, as a command stores it and the next one reads it.
  const ARRIVED = "arrived.npz";

  /** Whether a layer is as the page came. @param {State} state @param {Data} data */
  const untouched = (state, data) =>
    !Object.keys(state.edits).length && state.preset === "page" && !state.flip && state.bias === data.state.bias &&
    JSON.stringify(Settings.layerOf(state)) === JSON.stringify(Settings.layerOf({ ...state, ...data.state }));

  /** The command that makes the same maps. @param {State} state @param {Data} data @param {Weights} weights @param {Source} source */
  function command(state, data, weights, source) {
    if (!data.arrives) return ofLayer(state, data, weights, source);
    // A layer of a network has its settings there: with others, it is a layer by itself on what arrived.
    const whole = [run(source), ...data.words, ...source.words];
    if (untouched(state, data)) return [...whole, ...painted(state)].join(" ");
    const arrived = { ...source, path: `${ARRIVED}:input`, words: [] };
    return `${[...whole, `--save ${ARRIVED}`].join(" ")}\n${ofLayer(state, data, weights, arrived)}`;
  }

  /** The command of a layer by itself. @param {State} state @param {Data} data @param {Weights} weights @param {Source} source */
  function ofLayer(state, data, weights, source) {
    const layer = Settings.layerOf(state);
    const found = [run(source), ...source.words];
    const preset = data.presets.some(({ name }) => name === state.preset);
    // A bias that was taken away leaves numbers that no file of the user has.
    const typed = Object.keys(state.edits).length > 0
      || (state.preset === "page" && (data.arrives || (data.state.bias && !state.bias)));
    if (typed) found.push("-K kernels.json");
    // A 2-D kernel makes one map in every group.
    else if (preset) found.push(...Array(layer.outChannels / layer.groups).fill(`-K ${state.preset}`));
    else if (state.preset === "page") found.push(...data.words);
    else {
      found.push(`-O ${layer.outChannels}`);
      if (pair(layer.kernel) !== "3") found.push(`-k ${pair(layer.kernel)}`);
      if (state.seed) found.push(`--seed ${state.seed}`);
      if (!state.bias) found.push("--no-bias");
    }
    // A layer of kernels has a bias only where it is given.
    if (typed && weights.bias && weights.bias.some(Boolean))
      found.push(`--bias-values=${Array.from(weights.bias, exact).join(",")}`);
    if (pair(layer.stride) !== "1") found.push(`-s ${pair(layer.stride)}`);
    const [top, bottom, left, right] = layer.padding;
    if (layer.padding.some(Boolean))
      found.push(top === bottom && left === right ? `-p ${pair([top, left])}` : `-p ${layer.padding.join(",")}`);
    if (layer.mode !== "zeros") found.push(`--padding-mode ${layer.mode}`);
    if (pair(layer.dilation) !== "1") found.push(`-d ${pair(layer.dilation)}`);
    if (layer.groups > 1) found.push(`-g ${layer.groups}`);
    // Typed kernels are saved as they are seen, turned already.
    if (state.flip && !typed) found.push("--flip");
    return [...found, ...painted(state)].join(" ");
  }

  /** The weights as `convviz run -K kernels.json` reads them. @param {Layer} layer @param {Weights} weights @param {number} channels */
  function kernels(layer, weights, channels) {
    const [kh, kw] = layer.kernel;
    let at = 0;
    /** @param {number[]} sizes @returns {any} */
    const nested = ([count, ...rest]) =>
      Array.from({ length: count }, () => (rest.length ? nested(rest) : Number(exact(weights.weight[at++]))));
    return JSON.stringify(nested([layer.outChannels, channels / layer.groups, kh, kw]));
  }

  /** The lines of a program that make `x` of a picture, and what they import. @param {Data} data @param {Source} source */
  function reading({ path, program: { imports, read, other } }, source) {
    if (!read.length || source.path === path) return { imports, read };
    const [height, width] = source.words.find((word) => word.startsWith("--resize "))?.match(/\d+/g) || [];
    const form = `${source.words.includes("--mode gray") ? "gray" : "rgb"}${height ? " resized" : ""}`;
    const given = (other[form] || []).map((line) =>
      line.replace("SIZE", `(${width}, ${height})`).replace("'PICTURE'", () => JSON.stringify(source.path)));
    return { imports, read: given };
  }

  /** The PyTorch program of a layer. @param {State} state @param {Data} data @param {Weights} weights @param {Input} input */
  function code(state, data, weights, { picture, source }) {
    const layer = Settings.layerOf(state);
    const channels = picture.channels.length;
    const [top, bottom, left, right] = layer.padding;
    const even = top === bottom && left === right;
    /** @param {Pair} of */
    const tuple = ([h, w]) => `(${h}, ${w})`;
    const drawn = state.preset === "seed" && !Object.keys(state.edits).length;
    const { imports, read } = reading(data, source);
    const needed = new Set(read.length ? imports : []);
    const lines = read.length ? [...read, ""] : [];
    if (drawn) lines.push(`torch.manual_seed(${state.seed})`);
    const more = [
      `stride=${tuple(layer.stride)}`,
      even ? `padding=${tuple([top, left])}` : "",
      `dilation=${tuple(layer.dilation)}`,
      `groups=${layer.groups}`,
      `bias=${state.bias ? "True" : "False"}`,
      layer.mode === "zeros" || !even ? "" : `padding_mode="${layer.mode}"`,
    ].filter(Boolean);
    lines.push(`layer = torch.nn.Conv2d(${channels}, ${layer.outChannels}, ${tuple(layer.kernel)}, ${more.join(", ")})`);
    if (drawn && state.flip) lines.push("layer.weight.data = layer.weight.data.flip(2, 3)");
    else if (!drawn) {
      if (weights.weight.length <= 500)
        lines.push(`layer.weight.data = ${tensor(weights.weight, [layer.outChannels, channels / layer.groups, ...layer.kernel])}`);
      else {
        lines.push(`layer.weight.data = torch.tensor(json.loads(Path("kernels.json").read_text()), dtype=torch.float32)  # saved by the button above`);
        for (const one of ["import json", "from pathlib import Path"]) needed.add(one);
      }
      if (weights.bias) lines.push(`layer.bias.data = ${tensor(weights.bias)}`);
    }
    if (!even) {
      const mode = layer.mode === "zeros" ? "constant" : layer.mode;
      lines.push(`x = torch.nn.functional.pad(x, (${left}, ${right}, ${top}, ${bottom}), mode="${mode}")`);
    }
    lines.push(`maps = layer(x)  # x: (1, ${channels}, ${picture.height}, ${picture.width})`);
    return [...needed, "import torch", "", ...lines].join("\n");
  }

  // What a variable of Python cannot be called, or is called already.
  const TAKEN = ("False None True and as assert async await break class continue def del elif else except finally for " +
    "from global if import in is lambda nonlocal not or pass raise return try while with yield torch x " +
    "json Path np Image ImageOps image channels stacked archive mean std top left load_file stored classes best").split(" ");

  /** The command of a network. @param {State} state @param {Data} data @param {Source} source */
  const netCommand = (state, data, source) => [run(source), ...data.words, ...source.words, ...painted(state)].join(" ");

  /** Channels one after the other, each input cut to a shape around its centre. @param {string[]} inputs @param {number[] | null} shape */
  function concat(inputs, shape) {
    /** @param {string} one @param {number} axis */
    const along = (one, axis) => {
      const first = `(${one}.shape[${axis + 1}] - ${shape?.[axis]}) // 2`;
      return `${first} : ${first} + ${shape?.[axis]}`;
    };
    return `torch.cat([${inputs.map((one) => (shape ? `${one}[:, :, ${along(one, 1)}, ${along(one, 2)}]` : one)).join(", ")}], 1)`;
  }

  /** The PyTorch program of a network. @param {Step[]} layers @param {Data} data @param {Source} source */
  function netCode(layers, data, source) {
    const { opened, stored } = data.program;
    const { imports, read } = reading(data, source);
    const load = [];
    let last = "";
    /** @type {Map<string, string>} */
    const made = new Map([["input", "x"]]);
    const taken = new Set(TAKEN);
    const build = [];
    const run = [];
    for (const { name, kind, text, inputs, options, shape } of layers) {
      // Names of torch may hold dots, or begin with a digit.
      let called = name.replace(/\W/g, "_").replace(/^(?=\d)/, "layer");
      while (taken.has(called) || taken.has(`${called}_out`)) called += "_";
      const output = `${called}_out`;
      taken.add(called).add(output);
      const given = inputs.map((one) => /** @type {string} */ (made.get(one)));
      made.set(name, output);
      const joined = kind === "Add" ? given.join(" + ") : kind === "Concat" ? concat(given, options.crop ? shape : null) : "";
      if (!joined) build.push(`${called} = ${text}`);
      run.push(`${output} = ${joined || `${called}(${given.join(", ")})`}`);
      for (const [array, values] of Object.entries(stored[name] || {})) load.push(`    ${called}.${array}.copy_(${values})`);
      last = output;
    }
    run[0] += `  # x: (${[1, ...data.shape].join(", ")})`;
    const classes = data.classes.length
      ? ["", `classes = ${JSON.stringify(data.classes)}`, `best = int(${last}[0].argmax())`, `print(f"{classes[best]} ({${last}[0, best]:.4g})")`]
      : [];
    return [
      ...(read.length || opened ? imports : []), "import torch", "", ...read, ...(read.length ? [""] : []),
      ...(data.origin ? [data.origin] : []), ...build,
      ...(load.length ? ["", opened, "with torch.no_grad():", ...load] : []), "", ...run, ...classes,
    ].join("\n");
  }

  return { short, fit, exact, many, sentence, shape, command, kernels, code, netCommand, netCode };
})();
