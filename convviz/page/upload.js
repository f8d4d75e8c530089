"use strict";
/** Another picture: chosen, pasted or dropped. It stays in the browser, and links say that they do not hold it. */
const Upload = (() => {
  const { $, element } = Dom;
  const OWN_WAY = "the browser shows such colours in its own way, so the command makes slightly other maps";

  /** @type {Data} */
  let data;
  /** @type {Stored} */
  let store;
  /** @type {Input} */
  let first;
  /** @type {Input|null} */
  let told = null; // the picture that the heading names

  const nameOf = (/** @type {Input} */ { source }) => source.path.split("/").pop() || source.path;

  /**
   * The samples of a file as they are stored, upright; `remark` is what a browser makes differently.
   *
   * @param {Blob} file @returns {Promise<Raster & {remark: string}>}
   */
  async function decoded(file) {
    const bytes = new Uint8Array(await file.arrayBuffer());
    const png = await Png.read(bytes);
    if (png) return { ...png, remark: "" };
    const components = Pictures.components(bytes);
    // The stored colours, as convviz reads them.
    const image = await createImageBitmap(file, { colorSpaceConversion: "none" });
    const { height, width } = image;
    const ink = element("canvas", { width, height }).getContext("2d", { willReadFrequently: true });
    ink.drawImage(image, 0, 0);
    const samples = ink.getImageData(0, 0, width, height).data;
    // A canvas stores colours multiplied by their opacity.
    const clear = !components && samples.some((/** @type {number} */ level, /** @type {number} */ at) => at % 4 === 3 && level < 255);
    const remark = clear ? `partly transparent: ${OWN_WAY}` : components === 4 ? `CMYK: ${OWN_WAY}` : "";
    return { height, width, samples, count: 4, full: 255, grey: components === 1, remark };
  }

  /** Read a picture of the user. @param {Blob} file */
  async function load(file) {
    const tell = (/** @type {string} */ text) => store.tell(`Not taken: ${text}`, "upload");
    const wrong = Pictures.reason(data);
    if (wrong) return tell(wrong);
    let found, read;
    try {
      found = await decoded(file);
      const { samples, height, width, ...form } = found;
      const unfit = Pictures.reason(data, form.grey);
      if (unfit) return tell(unfit);
      read = Pictures.read(samples, height, width, data, form);
    } catch (error) {
      return tell(error instanceof RangeError
        ? "this browser does not have the memory for this picture."
        : "the browser cannot read this picture.");
    }
    const { words, scaled, ...other } = read;
    const about = [scaled, found.remark].filter(Boolean).map((one) => `; ${one}`).join("");
    store.replace({ ...other, source: { path: file instanceof File ? file.name : "picture.png", words, about } }, "upload");
  }

  /** What an address says about the picture. @param {Now} now */
  const named = ({ input }) => (input === first ? "" : `picture=${encodeURIComponent(nameOf(input))}`);

  /** The address of what is shown, with the name of the picture that it does not hold. @param {string} address @param {Now} now */
  const address = (address, now) => [address, named(now)].filter(Boolean).join(address === "#" ? "" : "&");

  /** What an address does not hold; empty if it holds everything. @param {string} hash */
  function missing(hash) {
    const name = new URLSearchParams(hash.slice(1)).get("picture");
    return name && nameOf(store.now().input) !== name
      ? `This link was made with ${name}, which it does not hold: choose or drop that file to see the same.`
      : "";
  }

  /** Say which picture is shown. @param {Now} now */
  function tell({ input }) {
    if (input === told) return;
    told = input;
    const name = nameOf(input);
    const { picture: { height, width, channels }, names, source: { about = "", drawn = false } } = input;
    /** @type {any} */ (document.querySelector("h1")).textContent = name;
    document.title = `${name}: convviz`;
    const own = input !== first;
    // The words about a drawing stand beside its field: above it, they would push the field away under the pointer.
    $("picture").hidden = !own || drawn;
    if ($("picture").hidden) return $("pictureAbout").replaceChildren();
    $("pictureAbout").textContent = `${name}: ${height}x${width} pixels, ${Words.many(channels.length, "channel")} (${names.join(", ")})${about}. ` +
      "It stays in this browser; a link to this page holds the settings, not the picture.";
  }

  /** The picture among dropped or pasted things. @param {DataTransfer|null} carried */
  const among = (carried) => [...(carried?.files || [])].find((one) => one.type.startsWith("image/"));

  function listen() {
    document.addEventListener("paste", (event) => {
      const file = among(event.clipboardData);
      if (file) load(file);
    });
    const carries = (/** @type {DragEvent} */ event) => event.dataTransfer?.types.includes("Files");
    document.addEventListener("dragover", (event) => {
      if (!carries(event)) return;
      event.preventDefault();
      document.body.classList.add("dropping");
    });
    document.addEventListener("dragleave", (event) => event.relatedTarget || document.body.classList.remove("dropping"));
    document.addEventListener("drop", (event) => {
      document.body.classList.remove("dropping");
      if (!carries(event)) return;
      event.preventDefault();
      const file = among(event.dataTransfer);
      if (file) load(file);
      else store.tell("Not taken: what was dropped is not a picture.", "upload");
    });
  }

  /** @param {Data} given @param {Stored} asked @param {Input} own */
  function start(given, asked, own) {
    [data, store, first] = [given, asked, own];
    const upload = element("input", { id: "upload", type: "file", accept: "image/*" });
    $("controls").append(element("fieldset", {}, element("legend", {}, "Picture"),
      element("label", { className: "setting" }, element("span", { className: "name" }, "another picture"), upload),
      element("p", { className: "hint" }, "Or paste one, or drop it on the page. It stays in the browser.")));
    const original = element("button", { type: "button", id: "original" }, `back to ${nameOf(first)}`);
    $("troubles").before(element("p", { id: "picture", hidden: true },
      element("span", { id: "pictureAbout", role: "status" }), " ", original));
    upload.addEventListener("change", () => upload.files[0] && load(upload.files[0]));
    original.addEventListener("click", () => {
      upload.value = "";
      store.replace(first, "upload");
    });
    listen();
    store.subscribe((now, before) => {
      if (now.shown !== before.shown) tell(now);
    });
  }

  return { start, address, missing };
})();
