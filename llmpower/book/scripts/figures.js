// Figures that move: Vega draws a compiled figure in the place of its picture, and again with other rows.
window.livingFigures = (() => {
  "use strict";
  const VEGA = new URL("vega.js", document.currentScript.src).href;
  const KEYS = { ArrowRight: ["x", 1], ArrowLeft: ["x", -1], ArrowUp: ["y", -1], ArrowDown: ["y", 1] };

  function element(name, kind, before) {
    const made = document.createElement(name);
    made.className = kind;
    before.after(made);
    return made;
  }

  // Vega is long: it is loaded when somebody first moves a control.
  let loading;
  const ready = () =>
    (loading ??= new Promise((loaded, failed) => {
      const script = document.createElement("script");
      Object.assign(script, { src: VEGA, onload: loaded, onerror: failed });
      document.head.append(script);
    }));

  // Vega marks the rows it is given, so that it gets its own; their places tell which is which.
  const copies = rows => rows.map((row, place) => ({ ...row, place_of_row: place }));

  const written = value =>
    typeof value === "number" ? value.toLocaleString("en", { maximumSignificantDigits: 3 }) : String(value ?? "–");

  // Once Vega is ready: a picture in a box becomes a figure with its proportions; it keeps its own scale, as the picture does.
  function draw(box, spec, rows) {
    const picture = box.querySelector("img");
    const explored = spec.usermeta?.explorer;
    const ratio = picture.naturalHeight / picture.naturalWidth || spec.height / spec.width;
    const place = element("div", "moving", picture);
    // Who has reached the picture with the keyboard goes on in the figure.
    const held = document.activeElement === picture;
    picture.removeAttribute("tabindex");
    picture.parentNode.classList.add("moves");
    const sized = { ...spec, height: Math.round(spec.width * ratio) };
    const view = new vega.View(vega.parse(sized), { renderer: "svg", container: place });
    place.setAttribute("role", explored ? "application" : "img");
    place.querySelector("svg").setAttribute("aria-hidden", "true");
    const { href, textContent, ariaLabel } = box.querySelector(".figure-data") ?? {};
    const handle = { place, view, spec, box, alt: picture.alt, printed: { href, textContent, ariaLabel, download: "" } };
    if (explored) explore(handle);
    if (held) {
      place.tabIndex = explored ? 0 : -1;
      place.focus();
    }
    update(handle, rows);
    return handle;
  }

  // Draws other rows, says what they show, and offers them under the name of a file; without that, what was printed.
  function update(handle, rows, words, file, text) {
    const { box, place, printed, alt, spec } = handle, more = spec.usermeta?.explorer ? " Arrow keys go from point to point." : "";
    const moved = { textContent: `${printed.textContent}, as moved`, ariaLabel: `${printed.ariaLabel}, as moved`, download: file };
    const held = file ? { ...moved, href: `data:text/csv;charset=utf-8,${encodeURIComponent(text)}` } : printed;
    Object.assign(box.querySelector(".figure-data") ?? {}, held);
    place.setAttribute("aria-label", `${words || alt} Moves with the controls.${more}`);
    handle.rows = rows;
    handle.view.data("rows", copies(rows));
    if (handle.output) tell(handle, handle.chosen < rows.length ? handle.chosen : -1);
    return handle.view.runAsync();
  }

  // The rows of a figure as CSV.
  function table(rows, fields, heads) {
    const cell = value => (value == null || Number.isNaN(value) ? "" : /[",\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);
    return [heads, ...rows.map(row => fields.map(field => row[field]))].map(row => `${row.map(cell).join(",")}\n`).join("");
  }

  // Points on the screen: the place of each row, and its middle.
  function dots(handle) {
    return [...handle.place.querySelectorAll(".explored_marks path")].map(dot => {
      const { left, right, top, bottom } = dot.getBoundingClientRect();
      return { row: dot.__data__.datum.place_of_row, x: (left + right) / 2, y: (top + bottom) / 2 };
    });
  }

  function tell(handle, row) {
    handle.chosen = row;
    handle.view.data("selected", row < 0 ? [] : [{ ...handle.rows[row] }]);
    const lines = row < 0 ? [] : handle.spec.usermeta.tell.map(([label, field]) => `${label}: ${written(handle.rows[row][field])}`);
    handle.output.textContent = lines.join("\n");
  }

  function select(handle, row) {
    tell(handle, row);
    return handle.view.runAsync();
  }

  function nearest(handle, event) {
    const far = dot => Math.hypot(dot.x - event.clientX, dot.y - event.clientY);
    const found = dots(handle).reduce((best, dot) => (far(dot) < far(best) ? dot : best), { x: 1e9, y: 1e9, row: -1 });
    if (found.row !== handle.chosen) select(handle, found.row);
  }

  // The next point to a side; the first one if none is selected.
  function step(handle, [side, way]) {
    const line = dots(handle).sort((one, other) => one[side] - other[side]).map(dot => dot.row);
    const at = line.indexOf(handle.chosen);
    const next = at < 0 ? 0 : Math.min(line.length - 1, Math.max(0, at + way));
    if (line.length) select(handle, line[next]);
  }

  function explore(handle) {
    const { place } = handle;
    handle.chosen = -1;
    handle.output = element("output", "told", place);
    handle.output.setAttribute("aria-live", "polite");
    handle.output.style.minHeight = `${1.4 * handle.spec.usermeta.tell.length}em`;
    place.tabIndex = 0;
    place.addEventListener("pointermove", event => nearest(handle, event));
    place.addEventListener("pointerdown", event => nearest(handle, event));
    place.addEventListener("keydown", event => {
      if (event.key in KEYS) step(handle, KEYS[event.key]);
      else if (event.key === "Escape") select(handle, -1);
      else return;
      event.preventDefault();
    });
  }

  return { ready, draw, update, table };
})();
