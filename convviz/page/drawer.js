"use strict";
/** The settings: a form that shows the state, and asks the store for another one. */
const Drawer = (() => {
  const { $, element } = Dom;
  const { ROWS } = Limits;
  const MODES = { zeros: "zeros", reflect: "the mirrored picture (reflect)", replicate: "the nearest pixel (replicate)", circular: "the opposite side (circular)" };
  const CHANNEL_SCALES = { shared: "one scale for all", own: "each its own scale" };
  const SCALES = { map: "each map", layer: "all maps of a layer", global: "all maps of the page" };

  /** @type {Form} */
  const form = { linked: new Set(), same: false };
  /** How far each field may go; found when it is needed. @type {Map<string, Limit>} */
  let reaches = new Map();
  let dragged = ""; // the field whose slider moves

  /** @type {Data} */
  let data;
  /** @type {Stored} */
  let store;

  const isOpen = () => !$("drawer").hidden;

  /** @param {Setting} row @param {string} id */
  function reachOf(row, id) {
    const known = reaches.get(id);
    if (known) return known;
    const { state, input } = store.now();
    const found = Limits.reach(state, row, id, form, data, input.picture);
    reaches.set(id, found);
    return found;
  }

  // --- asking

  /**
   * Ask for a value; what follows while a slider is dragged belongs to one moment of the history.
   *
   * @param {Setting} row @param {string} id @param {number} value @param {boolean} [drags]
   */
  function ask(row, id, value, drags = false) {
    if (row.name === "padding") form.same = false;
    const { state, input } = store.now();
    const wanted = Limits.wanted(state, row, id, value, form, data, input.picture);
    const goesOn = drags && dragged === id;
    if (drags) dragged = id;
    return goesOn ? store.amend(wanted, id) : store.change(wanted, id);
  }

  /** Ask for what a choice or a switch says. @param {Partial<State>} change @param {string} id */
  function choose(change, id) {
    const { state, input } = store.now();
    if (!store.attempt(Settings.follow(state, { ...state, ...change }, id, data, input.picture), id)) fill(store.now());
  }

  /** One value for all fields of a row, or one for each. @param {Setting} row @param {boolean} linked */
  function link(row, linked) {
    const first = row.ids[0];
    const value = store.now().state[first];
    if (linked) form.linked.add(row.name);
    else form.linked.delete(row.name);
    const uneven = row.ids.some((id) => store.now().state[id] !== value);
    if (linked && uneven && !ask(row, first, value)) form.linked.delete(row.name);
    fill(store.now());
  }

  // --- building

  /** A field with its slider. @param {Setting} row @param {string} id @param {string} side */
  function line(row, id, side) {
    const name = `${row.words}${side ? `, ${side}` : ""} (${row.torch})`;
    const slider = element("input", { type: "range", id: `${id}Slider`, min: 0, step: 1, ariaLabel: `${name}, slider` });
    const field = element("input", { type: "number", id, inputMode: "numeric", ariaLabel: name });
    field.setAttribute("aria-describedby", `${row.name}Note`);
    slider.addEventListener("input", () => {
      ask(row, id, reachOf(row, id).values[Number(slider.value)], true);
      note(row, id);
    });
    slider.addEventListener("change", () => (dragged = ""));
    field.addEventListener("change", () => ask(row, id, field.value === "" ? NaN : Number(field.value)));
    field.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      const step = { ArrowUp: 1, ArrowDown: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      const value = Limits.next(reachOf(row, id), Number(field.value), step);
      if (value !== undefined && ask(row, id, value)) seen(field, String(value));
      note(row, id);
    });
    field.addEventListener("focus", () => note(row, id));
    return element("div", { className: "line" }, element("span", { className: "side" }, side), slider, field);
  }

  /** @param {Setting} row */
  function rowOf(row) {
    const { name, words, torch, hint, ids, sides } = row;
    const head = element("p", { className: "name", id: `${name}Name` }, `${words} `, element("code", {}, torch));
    if (ids.length > 1) {
      const toggle = element("button", { type: "button", className: "link", id: `${name}Link` }, "linked");
      toggle.title = `one value for ${sides.join(", ").replace(/, (\w+)$/, " and $1")}`;
      toggle.addEventListener("click", () => link(row, !form.linked.has(name)));
      head.append(toggle);
    }
    if (name === "padding") {
      const same = element("button", { type: "button", className: "link", id: "same" }, "same");
      same.addEventListener("click", () => keep(!form.same));
      head.append(same);
    }
    const made = element("div", { className: "setting", id: `${name}Row` }, head,
      ...ids.map((id, at) => line(row, id, sides[at])),
      element("p", { className: "hint", id: `${name}Note` }, hint));
    made.setAttribute("role", "group");
    made.setAttribute("aria-labelledby", `${name}Name`);
    made.addEventListener("focusout", () => ($(`${name}Note`).textContent = hint));
    return made;
  }

  /** Keep the size of the picture by padding, or not any longer. @param {boolean} same */
  function keep(same) {
    form.same = same;
    if (!same) return fill(store.now());
    const { state } = store.now();
    const padding = Limits.samePadding(state);
    if (new Set(Object.values(padding)).size > 1) form.linked.delete("padding");
    if (!store.change(padding, "padTop")) form.same = false;
    fill(store.now());
  }

  /** @param {string} id @param {string} words @param {string} torch @param {Record<string, string>} names */
  function choice(id, words, torch, names) {
    const select = element("select", { id }, ...Object.entries(names).map(([value, text]) => new Option(text, value)));
    select.addEventListener("change", () => choose({ [id]: select.value }, id));
    return element("label", { className: "setting" }, element("span", { className: "name" }, `${words} `, ...(torch ? [element("code", {}, torch)] : [])), select);
  }

  /** @param {"bias"|"flip"} id @param {string} words @param {string} torch @param {string} hint */
  function toggle(id, words, torch, hint) {
    const box = element("input", { id, type: "checkbox" });
    box.addEventListener("change", () => choose({ [id]: box.checked }, id));
    const label = element("label", { className: "switch" }, box, element("span", { className: "name" }, `${words} `, element("code", {}, torch)));
    return element("div", { className: "setting" }, label, element("p", { className: "hint" }, hint));
  }

  function seedRow() {
    const field = element("input", { type: "number", id: "seed", inputMode: "numeric", min: 0, max: 2 ** 32 - 1, ariaLabel: "seed of the random weights (manual_seed)" });
    field.addEventListener("change", () => choose({ seed: field.value === "" ? NaN : Number(field.value) }, "seed"));
    const other = element("button", { type: "button", id: "otherSeed" }, "other weights");
    other.addEventListener("click", () => choose({ seed: (store.now().state.seed + 1) % 2 ** 32 }, "seed"));
    return element("div", { className: "setting", id: "seedRow" },
      element("p", { className: "name" }, "seed of the random weights ", element("code", {}, "manual_seed")),
      element("div", { className: "line" }, other, field));
  }

  /** @param {string} legend @param {HTMLElement[]} rows */
  const part = (legend, ...rows) => element("fieldset", {}, element("legend", {}, legend), ...rows);

  function build() {
    const [filters, kernel, stride, padding, dilation, groups] = ROWS.map(rowOf);
    const layer = element("div", { id: "choice" },
      part("Weights", Presets.build(data, (preset) => choose({ preset }, "preset")), seedRow()),
      part("Filters", filters, kernel, toggle("bias", "bias: one number added to each map", "bias", "Each filter has a bias of its own.")),
      part("Windows", stride, padding, choice("mode", "padding holds", "padding_mode", MODES)),
      part("Rarely changed", dilation, groups,
        toggle("flip", "rotate the kernels by 180 degrees", "flip", "True convolution; torch does not rotate them.")));
    layer.hidden = !data.single;
    const limits = ["percentile", "minmax", "symmetric"];
    const limitNames = [...limits, ...(limits.includes(data.state.limits) ? [] : [data.state.limits])];
    const named = (/** @type {string[]} */ names) => Object.fromEntries(names.map((name) => [name, name]));
    $("controls").append(layer, part("Colours",
      choice("colormap", "colours", "", named(Looks.names())),
      choice("limits", "ends of the scale", "", named(limitNames)),
      choice("channelScale", "channels", "", CHANNEL_SCALES),
      choice("scale", "maps: one scale for", "", SCALES)));
  }

  // --- showing

  /** Show a value, unless the user is typing another one. @param {any} field @param {string} text */
  function seen(field, text) {
    if (field !== document.activeElement || field.value === field.dataset.seen || field.value === text) field.value = text;
    field.dataset.seen = text;
  }

  /** Say at the end of what is legal why it ends there. @param {Setting} row @param {string} id */
  function note(row, id) {
    const { least, most, below, above } = reachOf(row, id);
    const value = /** @type {any} */ (store.now().state)[id];
    $(`${row.name}Note`).textContent = value >= most && above ? `${value} is the most: ${above}`
      : value <= least && below ? `${value} is the least: ${below}` : row.hint;
  }

  /** Show the state of a row. @param {Setting} row @param {State} state */
  function fillRow(row, state) {
    if (row.ids.some((id) => state[id] !== state[row.ids[0]])) form.linked.delete(row.name);
    const linked = form.linked.has(row.name);
    $(`${row.name}Link`)?.setAttribute("aria-pressed", String(linked));
    row.ids.forEach((id, at) => {
      const field = $(id);
      const place = field.parentElement;
      place.hidden = linked && at > 0;
      place.querySelector(".side").textContent = linked ? row.all : row.sides[at];
      if (place.hidden) return;
      const { values, least, most } = reachOf(row, id);
      Object.assign(field, { min: least, max: most === Infinity ? "" : most });
      seen(field, String(state[id]));
      const slider = $(`${id}Slider`);
      Object.assign(slider, { max: values.length - 1, value: values.indexOf(state[id]), disabled: values.length < 2 });
      slider.setAttribute("aria-valuetext", String(state[id]));
    });
  }

  /** Show what is chosen. @param {Now} now */
  function fill({ state }) {
    reaches = new Map();
    if (!isOpen()) return;
    for (const id of /** @type {const} */ (["mode", "colormap", "limits", "scale", "channelScale"])) $(id).value = state[id];
    for (const id of Settings.SWITCHES) $(id).checked = state[id];
    if (!data.single) return;
    seen($("seed"), String(state.seed));
    $("seedRow").hidden = state.preset !== "seed";
    Presets.fill(state, data);
    form.same = form.same && Limits.isSame(state);
    for (const row of ROWS) fillRow(row, state);
    $("same").setAttribute("aria-pressed", String(form.same));
    $("same").title = state.strideH === 1 && state.strideW === 1
      ? "pad so that the maps have the size of the picture"
      : "as at stride 1, the only one for which torch takes padding=\"same\"";
  }

  /** Show a message at its field, above the stage if that has none, or remove it. @param {Trouble} trouble */
  function tell({ text, field: key }) {
    for (const one of document.querySelectorAll("[aria-invalid]")) one.removeAttribute("aria-invalid");
    for (const one of document.querySelectorAll("[aria-errormessage]")) one.removeAttribute("aria-errormessage");
    const why = $("why");
    const field = text ? Dom.keyed(key) : null;
    // A message in a closed part would not be seen.
    const hidden = !field || field.closest("[hidden], details:not([open]) > :not(summary)");
    if (!hidden) {
      field.setAttribute("aria-invalid", "true");
      field.setAttribute("aria-errormessage", "why");
    }
    // A row of the stage has no room for a sentence.
    const place = !hidden && field.closest(".line, details, label");
    if (place) place.after(why);
    else $("troubles").append(why);
    why.textContent = text;
  }

  /** Count the weights that were typed. @param {State} state */
  function count({ edits }) {
    const typed = Object.keys(edits).length;
    $("edited").hidden = !typed;
    $("edited").textContent = `${Words.many(typed, "weight")} edited · reset`;
  }

  /** Show the settings, or not. @param {boolean} there */
  function open(there) {
    $("drawer").hidden = !there;
    document.body.classList.toggle("drawn", there);
    $("openDrawer").setAttribute("aria-expanded", String(there));
    fill(store.now());
    // A message moves to its field, or away from it.
    tell(store.now().trouble);
    // The stage has another width.
    window.dispatchEvent(new Event("resize"));
  }

  /** @param {string} id @param {() => void} act @param {() => boolean} [can] */
  function tool(id, act, can = () => true) {
    // A button that is disabled would lose the focus.
    $(id).addEventListener("click", () => can() && act());
  }

  /** Whether keys type text here. @param {Element|null} one */
  const types = (one) => one instanceof HTMLInputElement && !["range", "radio", "checkbox", "file"].includes(one.type);

  /** @param {KeyboardEvent} event */
  function keys(event) {
    const focused = /** @type {any} */ (document.activeElement);
    const { seen: shown = "" } = focused?.dataset || {};
    const changed = types(focused) && focused.value !== shown;
    if (event.key === "Escape" && types(focused) && (changed || focused.hasAttribute("aria-invalid"))) {
      focused.value = shown;
      store.tell("");
      // Others have nothing to do with this key any more.
      event.stopImmediatePropagation();
    } else if (event.key === "Escape" && $("drawer").contains(focused)) {
      open(false);
      $("openDrawer").focus();
      event.stopImmediatePropagation();
    } else if ((event.ctrlKey || event.metaKey) && "zy".includes(event.key.toLowerCase()) && !changed) {
      event.preventDefault();
      if (event.key.toLowerCase() === "y" || event.shiftKey) store.redo();
      else store.undo();
    }
  }

  /** @param {Data} given @param {Stored} asked */
  function start(given, asked) {
    [data, store] = [given, asked];
    build();
    for (const row of ROWS)
      if (row.ids.length > 1 && row.ids.every((id) => data.state[id] === data.state[row.ids[0]])) form.linked.add(row.name);
    tool("openDrawer", () => open(!isOpen()));
    tool("closeDrawer", () => {
      open(false);
      $("openDrawer").focus();
    });
    tool("undo", store.undo, store.canUndo);
    tool("redo", store.redo, store.canRedo);
    tool("reset", store.reset);
    tool("edited", () => store.change({ edits: {} }));
    document.addEventListener("keydown", keys);
    $("controls").addEventListener("submit", (/** @type {Event} */ event) => event.preventDefault());
    store.subscribe((now, before) => {
      if (now.state !== before.state || now.input !== before.input) fill(now);
      if (now.trouble !== before.trouble) tell(now.trouble);
      if (now.state !== before.state) count(now.state);
      $("undo").setAttribute("aria-disabled", String(!store.canUndo()));
      $("redo").setAttribute("aria-disabled", String(!store.canRedo()));
    });
  }

  return { start, open };
})();
