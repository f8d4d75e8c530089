"use strict";
/** All filters at once: a row per filter, a column per channel, a kernel in each cell, and the map at the end of the row. */
const Filters = (() => {
  const { $, element } = Dom;
  const { many } = Words;
  const MOST = 64; // rows and columns; a network may have more
  const SIDE = 30;
  const SMALL = 16; // if there are many columns
  const MANY = 20;

  /** How many kernels make how many maps. @param {Layer} conv @param {number} channels */
  function heading({ outChannels, groups }, channels) {
    const kernels = outChannels * (channels / groups);
    const each = groups > 1 ? ` (each filter reads ${many(channels / groups, "channel")} of its group)` : "";
    return `${many(outChannels, "filter")} x ${many(channels / groups, "channel")} = ${many(kernels, "kernel")} -> ${many(outChannels, "map")}${each}`;
  }

  /** @param {Shown} shown */
  function head({ conv, inputs: [input] }) {
    $("filtersSection").hidden = !conv;
    if (!conv) return;
    const channels = input.channels.length;
    const left = [[conv.outChannels, "filters"], [channels, "channels"]]
      .flatMap(([count, word]) => (Number(count) > MOST ? [`${MOST} of ${count} ${word}`] : []));
    $("filtersHead").textContent = heading(conv, channels) + (left.length ? `; shown: ${left.join(", ")}` : "");
  }

  /** @param {Now} now @param {Stored} store */
  function build(now, store) {
    const { conv, weights, inputs: [input], output, map } = /** @type {Shown} */ (now.shown);
    const { small } = now;
    if (!conv || !weights || !small) return;
    const channels = input.channels.length;
    const [rows, columns] = [Math.min(conv.outChannels, MOST), Math.min(channels, MOST)];
    const [kh, kw] = conv.kernel;
    const inGroup = channels / conv.groups;
    let peak = 0;
    for (const value of weights.weight) peak = Math.max(peak, Math.abs(value));
    const side = columns > MANY ? SMALL : SIDE;
    const table = element("table", { className: columns > MANY ? "" : "roomy" });
    const names = table.createTHead().insertRow();
    for (const name of ["", ...Array.from({ length: columns }, (_, channel) => Inspector.nameOf(now, 0, channel).replace(/^channel /, "")), "", "map"])
      names.append(name ? element("th", { scope: "col", textContent: name }) : element("td"));
    const body = table.createTBody();
    for (let filter = 0; filter < rows; filter++) {
      const row = body.insertRow();
      const button = element("button", { type: "button", textContent: String(filter), ariaLabel: `filter ${filter}` });
      button.dataset.key = `filter${filter}`;
      button.setAttribute("aria-pressed", String(filter === map));
      row.append(element("th", { scope: "row" }, button));
      row.classList.toggle("chosen", filter === map);
      row.addEventListener("click", () => filter !== store.now().state.map && store.change({ map: filter }));
      const first = Math.floor(filter / (conv.outChannels / conv.groups)) * inGroup;
      const strip = picture(weights.weight.subarray(filter * inGroup * kh * kw, (filter + 1) * inGroup * kh * kw), kh, kw, peak);
      for (let channel = 0; channel < columns; channel++) {
        const cell = row.insertCell();
        const at = channel - first;
        if (at < 0 || at >= inGroup) cell.className = "none";
        else cell.append(kernel(strip, at, kh, kw, side));
      }
      row.append(element("td", { className: "arrow", textContent: weights.bias ? "+ bias →" : "→" }),
        element("td", {}, Looks.thumbnail(now, small[filter], output)));
    }
    const scroll = [$("filters").scrollTop, $("filters").scrollLeft];
    $("filters").replaceChildren(table);
    [$("filters").scrollTop, $("filters").scrollLeft] = scroll;
  }

  /** All kernels of a filter, one below the other, as one picture. @param {Float32Array} values @param {number} kh @param {number} kw @param {number} peak */
  const picture = (values, kh, kw, peak) => Panes.canvasOf(Paint.signed(values, values.length / kw, kw, peak));

  /** One kernel of that picture. @param {HTMLCanvasElement} strip @param {number} at @param {number} kh @param {number} kw @param {number} side */
  function kernel(strip, at, kh, kw, side) {
    const scale = side / Math.max(kh, kw);
    const canvas = element("canvas", { width: Math.round(kw * scale), height: Math.round(kh * scale) });
    const ink = canvas.getContext("2d");
    ink.imageSmoothingEnabled = false;
    ink.drawImage(strip, 0, at * kh, kw, kh, 0, 0, canvas.width, canvas.height);
    return canvas;
  }

  /** @param {Stored} store */
  function start(store) {
    let seen = false;
    /** @type {Small[]|null} */
    let built = null; // the maps that are there
    // The table is made when it comes into view: it is large, and a change of weights is not to wait for it.
    const refresh = () => {
      const now = store.now();
      if (!seen || !now.small || built === now.small) return;
      built = now.small;
      build(now, store);
    };
    new IntersectionObserver((entries) => {
      seen = entries[entries.length - 1].isIntersecting;
      refresh();
    }).observe($("filtersSection"));
    store.subscribe((now, before) => {
      if (!now.shown) return;
      if (now.shown !== before.shown) head(now.shown);
      $("filters").setAttribute("aria-busy", String(!now.small));
      refresh();
    });
  }

  return { start, heading };
})();
