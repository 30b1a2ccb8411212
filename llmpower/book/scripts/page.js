// Makes a page follow its controls.  A page's own script, made from the chapter by `llmpower build`, holds its inputs,
// what it shows, and the program that computes all of it: the operations of the Python formulas, one by one.
const L = {
  positive: (x, yes, no) => (x > 0 ? yes : no),
  table: (pattern, values) => Array.from(pattern, (sign) => values[sign.charCodeAt(0) - (sign > "\\" ? 36 : 35)]),
  interpolate(x, ...known) {
    const half = known.length / 2;
    if (Number.isNaN(x)) return x;
    let at = half - 1;
    while (at >= 0 && x < known[at]) at--;
    if (at < 0 || at === half - 1) return known[half + Math.max(at, 0)];
    const slope = (known[half + at + 1] - known[half + at]) / (known[at + 1] - known[at]);
    return slope * (x - known[at]) + known[half + at];
  },
};

const livingPage = (() => {
  let page, compute, panel, controls, told, results;
  const state = {}, printed = {};
  const query = (selector) => [...document.querySelectorAll(selector)];
  const make = (name, properties = {}, ...inside) => {
    const { data, ...plain } = properties, one = Object.assign(document.createElement(name), plain);
    for (const [key, value] of Object.entries(data ?? {})) one.setAttribute(key, value);
    one.append(...inside);
    return one;
  };
  const tied = (text) => text.replace(/(?<=\d) (?=[^\d(])(?!to )/g, "\u00a0");
  const changed = () => Object.keys(page.inputs).filter((name) => state[name] !== printed[name]);
  const moves = () => Object.fromEntries(changed().map((name) => [name, state[name]]));
  // What holds in another state.
  function elsewhere(values, asked) {
    results = compute({ ...printed, ...values });
    const found = asked();
    results = compute(state);
    return found;
  }
  const valueOf = (place) => (Array.isArray(place) ? place[0] : results[place]);

  // Numbers as people read them.
  function shown([how, ...what]) {
    if (how === "words") return what[1][valueOf(what[0])] ?? "–";
    if (how === "format") {
      const value = valueOf(what[0]), whole = ["", ",", "d"].includes(what[1]) && Number.isInteger(value);
      return Number.isNaN(value) ? "–" : livingNumbers.format(value, whole ? what[1].replace("d", "") + "d" : what[1]);
    }
    const unit = what.at(-1), [central, low, high] = what.slice(0, -1).map(valueOf);
    if (Number.isNaN(central)) return "–";
    return livingNumbers.text(low === undefined ? central : { low, central, high }, unit);
  }

  // A value of a control, as people read it.
  function read(name, value) {
    const { options, high, unit } = page.inputs[name];
    if (options) return options[value] || "not given";
    if (value === null) return "not given";
    return high === undefined ? value : `${livingNumbers.format(value, ",.12g")}${unit && ` ${unit}`}`;
  }

  // Controls.
  const LOGARITHMIC = 100, STEPS = 400;
  function scale({ low, high, whole }) {
    const zero = low === 0 ? (whole ? 1 : high / 1e6) : 0, wide = high + zero > LOGARITHMIC * (low + zero) && low >= 0;
    const rounded = (value) => {
      const three = whole ? Math.round(Number(value.toPrecision(3))) : Number(value.toPrecision(3));
      return Math.min(high, Math.max(low, three));
    };
    return {
      at: (step) => rounded(wide ? (low + zero) * ((high + zero) / (low + zero)) ** (step / STEPS) - zero : low + ((high - low) * step) / STEPS),
      step: (value) => Math.round(STEPS * (wide ? Math.log((value + zero) / (low + zero)) / Math.log((high + zero) / (low + zero)) : (value - low) / (high - low))),
    };
  }

  function control(name, input) {
    const id = `living-${name}`, label = make("label", { htmlFor: id, title: input.help }, input.label);
    if (input.options) {
      const options = input.options.map((_, place) => make("option", { value: place }, read(name, place)));
      const select = make("select", { id }, ...options);
      select.addEventListener("change", () => set({ [name]: Number(select.value) }));
      return { row: make("div", {}, label, select), show: () => (select.value = state[name]) };
    }
    const unit = input.unit ? ` ${input.unit}` : "";
    if (input.high === undefined) {
      const field = make("input", { id, type: "text", spellcheck: false });
      field.addEventListener("change", () => set({ [name]: field.value }));
      return { row: make("div", {}, label, field), show: () => (field.value = state[name]) };
    }
    const { low, high, whole } = input, { at, step } = scale(input);
    const range = make("input", { type: "range", min: 0, max: STEPS, data: { "aria-label": input.label } });
    const field = make("input", { id, type: "number", min: low, max: high, step: "any", inputMode: "decimal", placeholder: input.optional ? "not given" : "" });
    const allowed = make("small", {}, `${livingNumbers.format(low, ",.6g")} to ${livingNumbers.format(high, ",.15g")}${unit}`);
    range.addEventListener("input", () => {
      // Where a step of the slider is less than one, the next whole number is meant.
      const to = Number(range.value), value = at(to), way = whole && value === state[name] ? Math.sign(to - step(value)) : 0;
      set({ [name]: Math.min(high, Math.max(low, value + way)) });
    });
    field.addEventListener("change", () => {
      // A browser gives nothing for what is no number.
      const empty = field.value.trim() === "" && !field.validity.badInput, value = empty ? NaN : Number(field.value);
      const none = empty && input.optional, good = none || value >= low && value <= high && (!whole || Number.isInteger(value));
      field.setAttribute("aria-invalid", !good);
      field.setCustomValidity(good ? "" : `allowed is ${whole ? "a whole number" : "a number"} from ${allowed.textContent}`);
      field.reportValidity();
      if (good) set({ [name]: none ? null : value });
    });
    const show = () => {
      field.value = state[name];
      field.setAttribute("aria-invalid", false);
      field.setCustomValidity("");
      if (state[name] === null) range.value = 0;
      else if (at(Number(range.value)) !== state[name]) range.value = step(state[name]);
      range.setAttribute("aria-valuetext", read(name, state[name]));
    };
    return { row: make("div", {}, label, make("span", {}, field, unit), range, allowed), show };
  }

  let title;
  function build() {
    title = panel.firstElementChild.textContent;
    // Paper has the printed numbers, whose figures, tables and command go together.
    let held;
    addEventListener("beforeprint", () => {
      held = { ...state };
      set(printed, false);
    });
    addEventListener("afterprint", () => set(held, false));
    // Choices first: they are low, and decide most.
    const sorted = Object.entries(page.inputs).sort(([, one], [, other]) => (one.high !== undefined) - (other.high !== undefined));
    controls = sorted.map(([name, input]) => control(name, input));
    told = make("output", { data: { "aria-live": "polite" } });
    const button = (words, act) => {
      const one = make("button", { type: "button", title: words === "keep" ? "keep these numbers beside the next ones" : "" }, words);
      one.addEventListener("click", act);
      return one;
    };
    const copied = (text) => async ({ target }) => {
      const words = target.textContent;
      await navigator.clipboard.writeText(text()).then(() => (target.textContent = "copied"), () => prompt(words, text()));
      setTimeout(() => (target.textContent = words), 1500);
    };
    const buttons = make("div", { className: "living-buttons" },
      button("reset", () => ((kept = []), set(printed))),
      ...(page.compared.length ? [button("keep", keep)] : []),
      button("copy link", copied(() => location.href)),
      button("copy command", copied(command)));
    const code = make("code", { className: "living-command", tabIndex: 0 });
    // What was done, and what can be, stays in sight; the controls go by below it.
    panel.append(make("div", { className: "living-body" },
      make("div", { className: "living-head" }, told, buttons, code),
      make("div", { className: "living-controls" }, ...controls.map(({ row }) => row))));
    controls.push({ show: () => (code.textContent = command()) });
    equations();
  }

  // What gives these numbers on the command line.
  function command() {
    const typed = (name) => page.inputs[name].options?.[state[name]] ?? state[name] ?? "";
    const quoted = (text) => (/^[\w.,+-]*$/.test(text) ? text : `'${String(text).replaceAll("'", "'\\''")}'`);
    const given = Object.keys(page.inputs).filter((name) => page.inputs[name].given || state[name] !== printed[name]);
    return [`llmpower run ${page.name}`, ...given.map((name) => `-p ${name}=${quoted(typed(name))}`)].join(" ");
  }

  // State in the address: untrusted, so a number of the range or one of the choices, and text only as text.
  function restore(hash) {
    const [now, ...others] = hash.slice(2).split("~").slice(0, 3).map(allowed);
    kept = others.map((values) => Object.fromEntries(Object.entries(values).filter(([name, one]) => one !== page.inputs[name].value)));
    set(now, false);
  }

  function allowed(text) {
    const found = new URLSearchParams(text), values = {};
    for (const [name, input] of Object.entries(page.inputs)) {
      const given = found.get(name);
      values[name] = input.value;
      if (given === null) continue;
      if (input.options) {
        const place = input.options.indexOf(given);
        if (place >= 0) values[name] = place;
      } else if (input.high === undefined) values[name] = given.slice(0, 200);
      else if (input.optional && given === "") values[name] = null;
      else {
        const value = /^[-+.\de]+$/i.test(given) ? Number(given) : NaN;
        if (value >= input.low && value <= input.high && (!input.whole || Number.isInteger(value))) values[name] = value;
      }
    }
    return values;
  }

  function remember() {
    const written = (values) => String(new URLSearchParams(Object.entries(values).map(([name, one]) => [name, page.inputs[name].options?.[one] ?? one ?? ""])));
    history.replaceState(null, "", changed().length || kept.length ? `#~${[moves(), ...kept].map(written).join("~")}` : "#");
  }

  // Let everything follow.
  function set(values, write = true) {
    Object.assign(state, values);
    results = compute(state);
    const moved = new Set(changed());
    // Some choices are not followed: then all that moves needs a run.
    const again = Object.entries(page.inputs).some(([name, one]) => one.again?.includes(state[name]));
    document.querySelector(".bd-article").classList.toggle("again", again);
    page.outputs.forEach(([how, ...what], place) => {
      if (how === "case") {
        const yes = valueOf(what[0]) > 0;
        for (const [holds, end] of [[yes, 1], [!yes, 0]])
          for (const one of query(`.c${place}-${end}`)) {
            one.dataset.printed ??= !one.classList.contains("off");
            one.classList.toggle("off", !holds);
            one.classList.toggle("turned", String(holds) !== one.dataset.printed);
          }
        return;
      }
      const text = tied(shown([how, ...what]));
      for (const one of query(`.k${place}`)) {
        one.dataset.printed ??= one.textContent;
        one.textContent = text;
        one.classList.toggle("moved", text !== one.dataset.printed);
      }
    });
    const seen = (selector) => query(selector).filter((one) => !one.closest(".off, #parameters-used")).length;
    let stale = 0;
    page.waits.forEach((names, place) => {
      const waits = names.some((name) => moved.has(name));
      for (const one of query(`.w${place}, .tag_w${place}`)) {
        stale += one.classList.toggle("stale", waits) && one.textContent !== "";
        one.title = waits ? "needs a run: the command stands at the controls" : "";
      }
    });
    for (const { show } of controls) show();
    for (const one of panel.querySelectorAll("[id]")) one.closest("div").classList.toggle("changed", moved.has(one.id.slice(7)));
    const few = (count, one, many) => `${count} ${count === 1 ? one : many}`;
    const places = seen(".moved") + seen(".turned");
    const changes = places ? few(places, "place of the text", "places of the text") : Object.keys(page.figures).length ? "Figures alone" : "Nothing of the text";
    const greyed = stale ? `; ${few(stale, "greyed part needs", "greyed parts need")} a run.` : ".";
    told.textContent = again ? "This choice needs a run of the command." : moved.size
      ? `${changes} changed${greyed}`
      : "These are the numbers as printed.";
    compare();
    panel.firstElementChild.textContent = again ? "Move the numbers of this page: this choice needs a run" : title;
    draw();
    if (write) remember();
  }

  // States side by side: the present one, and up to two that were kept.
  let kept = [], table;
  function keep() {
    kept = [...kept, moves()].slice(-2);
    set({});
  }

  function compare() {
    if (!page.compared.length) return;
    // Slides need not have that table.
    table ??= (query(`.k${page.compared[0][1]}`)[0]?.closest(".cell") ?? panel.lastElementChild).appendChild(make("div", { className: "living-compare", tabIndex: 0, data: { role: "region", "aria-label": "states side by side" } }));
    const named = (values) => Object.entries(values).map(([name, one]) => make("div", {}, `${page.inputs[name].label}: ${tied(read(name, one))}`));
    const columns = [...kept, moves()];
    const texts = columns.map((values) => elsewhere(values, () => page.compared.map(([, place]) => tied(shown(page.outputs[place])))));
    const head = make("tr", {}, make("td"), ...columns.map((values, at) => make("th", { scope: "col" },
      ...(at === kept.length ? ["now"] : Object.keys(values).length ? named(values) : ["as printed"]))));
    const rows = page.compared.map(([label], at) => make("tr", {}, make("th", { scope: "row" }, label), ...texts.map((one) => make("td", {}, one[at]))));
    table.replaceChildren(...(kept.length ? [make("table", { className: "table" }, make("thead", {}, head), make("tbody", {}, ...rows))] : []));
  }

  // Figures.
  const drawn = {};
  const said = (parts) => parts.map((part) => (typeof part === "string" ? part : Array.isArray(part)
    ? said(valueOf(part[0]) > 0 ? part[1] : part[2]) : shown(page.outputs[part]))).join("");
  async function draw() {
    for (const [name, figure] of Object.entries(page.figures)) {
      if (!document.getElementById(name)) continue;
      const { spec, fields, heads, rows, alt, kept } = figure, moved = changed();
      const filled = () => rows.map((row) => Object.fromEntries(fields.map((field, at) => [field, valueOf(row[at])])));
      if (drawn[name] === undefined) {
        drawn[name] = null;
        await livingFigures.ready();
        drawn[name] = livingFigures.draw(document.getElementById(name), spec, filled());
        return draw();
      }
      if (!drawn[name]) continue;
      const now = filled(), table = livingFigures.table(now, fields, heads), stands = alt && !moved.some((one) => kept.includes(one));
      const words = moved.length && (stands ? said(alt) : "This figure has moved: its data and the text have its numbers.");
      figure.printed ??= elsewhere({}, () => livingFigures.table(filled(), fields, heads));
      livingFigures.update(drawn[name], now, words, table !== figure.printed && `${page.name}.${name}.moved.csv`, table);
    }
  }

  // Equations with the reader's numbers.
  function equations() {
    for (const [label, { latex, of, terms, result, kept: list }] of Object.entries(page.equations)) {
      const box = document.getElementById(`equation-${label}`);
      if (!box) continue;
      const shown = make("div", { className: `living-equation ${list}`, data: { "aria-live": "polite" } });
      const number = ([place, unit]) => {
        const value = valueOf(place), size = Math.abs(value), scaled = livingNumbers.scales[unit];
        const printed = scaled ? unit : unit.replace("2", "²").replace("3", "³").replace("usd", "USD");
        if (!scaled && size > 0 && size < Infinity && (size < 1e-3 || size >= 1e7)) {
          const [digits, exponent] = value.toExponential(2).split("e");
          return `${digits} \\times 10^{${Number(exponent)}}${unit === "1" ? "" : `\\,\\text{${printed}}`}`;
        }
        const text = Number.isNaN(value) ? "–" : livingNumbers.text(value, printed);
        return `\\text{${text.replaceAll("%", "\\%")}}`;
      };
      const write = () => {
        if (!button.getAttribute("aria-pressed").startsWith("t")) return;
        const filled = latex.replace(/@(\d+)@/g, (_, at) => `{${number(terms[at])}}`);
        shown.textContent = `\\[${filled} = ${number(result)}\\]`;
        // The keyboard scrolls what is wider than the page.
        MathJax.typesetPromise([shown]).then(() => (shown.tabIndex = shown.scrollWidth > shown.clientWidth ? 0 : -1));
      };
      const button = make("button", { type: "button", className: "living-with", data: { "aria-pressed": "false" } }, of ? `with the numbers of ${of}` : "with these numbers");
      button.addEventListener("click", () => {
        const on = button.getAttribute("aria-pressed") === "false";
        button.setAttribute("aria-pressed", on);
        if (on) write();
        else shown.textContent = "";
      });
      box.after(button, shown);
      controls.push({ show: write });
    }
  }

  return {
    // Called by the page's own script.
    define(described, program) {
      page = described;
      // What is not given is no number.
      compute = (values) => program(Object.fromEntries(Object.entries(values).map(([name, one]) => [name, one ?? NaN])));
    },
    begin(where) {
      panel = where;
      for (const [name, one] of Object.entries(page.inputs)) printed[name] = state[name] = one.value;
      build();
      set({}, false);
    },
    restore,
    // For tests: what the page computes for a state.
    texts: (values) => {
      results = compute({ ...state, ...values });
      return page.outputs.map((one) => (one[0] === "case" ? valueOf(one[1]) > 0 : shown(one)));
    },
  };
})();
