"use strict";
/** The form: it shows the state, and asks the store for another one. */
const Drawer = (() => {
  const { $, element } = Dom;

  /** Show a state. @param {State} state */
  function fill(state) {
    for (const id of Settings.NUMBERS) $(id).value = state[id];
    for (const id of Settings.CHOICES) $(id).value = state[id];
    for (const id of Settings.SWITCHES) $(id).checked = state[id];
  }

  /** The state that the form asks for. @param {State} state @returns {State} */
  function wanted(state) {
    /** @type {any} */
    const found = { ...state };
    for (const id of Settings.NUMBERS) found[id] = $(id).value === "" ? NaN : Number($(id).value);
    for (const id of Settings.CHOICES) found[id] = $(id).value;
    for (const id of Settings.SWITCHES) found[id] = $(id).checked;
    return found;
  }

  /** Show a message at its field, below the form if that has none, or remove it. @param {Trouble} trouble */
  function tell({ text, field: key }) {
    for (const one of document.querySelectorAll("[aria-invalid]"))
      for (const name of ["aria-invalid", "aria-describedby"]) one.removeAttribute(name);
    const why = $("why");
    const field = text ? Dom.keyed(key) : null;
    // A message in a closed drawer would not be seen.
    const place = field && !field.closest("[hidden]") && field.closest("fieldset label, .kernel");
    if (place && field) {
      field.setAttribute("aria-invalid", "true");
      field.setAttribute("aria-describedby", "why");
      place.after(why);
    } else $("troubles").append(why);
    why.textContent = text;
  }

  /** @param {Data} data @param {Stored} store */
  function start(data, store) {
    $("preset").append(
      ...(data.given ? [new Option("of this page", "page")] : []),
      new Option("drawn by seed", "seed"),
      ...data.presets.map((preset) => new Option(preset.name, preset.name)),
    );
    $("colormap").append(...Looks.names().map((name) => new Option(name, name)));
    if (![...$("limits").options].some(({ value }) => value === data.state.limits))
      $("limits").append(new Option(data.state.limits, data.state.limits));
    $("choice").hidden = !data.single;
    const open = (/** @type {boolean} */ wanted) => {
      $("drawer").hidden = !wanted;
      $("openDrawer").setAttribute("aria-expanded", String(wanted));
      document.body.classList.toggle("drawn", wanted);
      ($("closeDrawer").contains(document.activeElement) || !wanted ? $("openDrawer") : $("closeDrawer")).focus({ preventScroll: true });
    };
    $("openDrawer").addEventListener("click", () => open($("drawer").hidden));
    $("closeDrawer").addEventListener("click", () => open(false));
    $("undo").addEventListener("click", store.undo);
    $("redo").addEventListener("click", store.redo);
    $("reset").addEventListener("click", store.reset);
    store.subscribe(() => {
      $("undo").disabled = !store.canUndo();
      $("redo").disabled = !store.canRedo();
    });
    for (const id of [...Settings.NUMBERS, ...Settings.CHOICES, ...Settings.SWITCHES])
      $(id).addEventListener("change", () => {
        const { state, input } = store.now();
        store.attempt(Settings.follow(state, wanted(state), id, data, input.picture), id);
      });
    $("controls").addEventListener("submit", (/** @type {Event} */ event) => event.preventDefault());
  }

  // --- pictures

  /** Read a picture of the user; return what went wrong. @param {Blob} file @param {Data} data @param {Stored} store */
  async function load(file, data, store) {
    const tell = (/** @type {string} */ text) => store.tell(text, "upload");
    const wrong = Pictures.reason(data);
    if (wrong) return tell(`Not taken: ${wrong}`);
    let image;
    try {
      // The stored colours, as convviz reads them.
      image = await createImageBitmap(file, { colorSpaceConversion: "none" });
    } catch {
      return tell("Not taken: the browser cannot read this picture.");
    }
    const { height, width } = image;
    let pixels, read;
    try {
      const ink = element("canvas", { width, height }).getContext("2d", { willReadFrequently: true });
      ink.drawImage(image, 0, 0);
      pixels = ink.getImageData(0, 0, width, height).data;
      read = Pictures.read(pixels, height, width, data);
    } catch {
      return tell(`Not taken: this browser does not have the memory for a picture of ${height}x${width}.`);
    }
    const { words, ...other } = read;
    const taken = store.replace({ ...other, source: { path: file instanceof File ? file.name : "picture.png", words } }, "upload");
    // A canvas stores colours multiplied by their opacity.
    if (taken && pixels.some((/** @type {number} */ level, /** @type {number} */ at) => at % 4 === 3 && level < 255))
      tell("This picture is partly transparent: browsers lose part of such colours, so the command makes other maps.");
  }

  /** @param {Data} data @param {Stored} store @param {Input} first */
  function startPictures(data, store, first) {
    $("upload").addEventListener("change", (/** @type {any} */ event) => event.target.files[0] && load(event.target.files[0], data, store));
    $("original").addEventListener("click", () => store.replace(first, "upload"));
    document.addEventListener("paste", (event) => {
      const file = [...(event.clipboardData?.files || [])].find((one) => one.type.startsWith("image/"));
      if (file) load(file, data, store);
    });
    store.subscribe((now) => ($("original").hidden = now.input === first));
  }

  return { start, startPictures, fill, tell };
})();
