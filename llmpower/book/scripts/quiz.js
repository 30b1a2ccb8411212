// Draws the numbers of a page's questions and checks answers.  A page's own script, made by `llmpower build`, holds the
// questions and the programs that compute what is right, and what comes out of well-known slips.
globalThis.livingQuiz = (() => {
  const pages = {}, state = new WeakMap();
  const among = (list) => list[Math.floor(Math.random() * list.length)];
  const filled = (template, texts) => template.replace(/\{(\w+)\}/g, (_, name) => texts[name] ?? "–");

  function draw(field, question, compute, first) {
    const drawn = Object.entries(question.draw).map(([name, options]) => [name, first ? options[0] : among(options)]);
    const results = compute(Object.fromEntries(drawn.map(([name, [value]]) => [name, value])));
    const texts = Object.fromEntries(drawn.map(([name, [, text]]) => [name, text]));
    question.also.forEach(([name, unit], at) => (texts[name] = livingNumbers.text(results[at], unit)));
    const [answer, ...mistakes] = results.slice(question.also.length);
    if (!question.choices.length) texts.answer = [livingNumbers.text(answer, "1"), question.unit].filter(Boolean).join(" ");
    // Choices keep the order in which they stand on the page; its texts say which is which.
    const order = [...field.querySelectorAll(".choice span")];
    const places = state.get(field)?.places ?? order.map((span) => question.choices.findIndex(([words]) => filled(words, texts) === span.textContent));
    state.set(field, { answer, mistakes, texts, places });
    if (first) return;
    field.querySelector(".ask").textContent = filled(question.ask, texts);
    order.forEach((span, at) => (span.textContent = filled(question.choices[places[at]][0], texts)));
    for (const input of field.querySelectorAll("input")) input.type === "radio" ? (input.checked = false) : (input.value = "");
    tell(field, "", "");
  }

  function tell(field, verdict, words) {
    field.dataset.verdict = verdict;
    field.querySelector("output").textContent = words;
  }

  // What a text may mean, its unit left aside if it is the one that is asked for: a comma parts thousands, or begins
  // the decimals, as some languages have it.
  function read(text, unit) {
    const own = unit.replace("µ", "u");
    let plain = text.trim().replace("µ", "u").replace(/−/g, "-").replace(/(?<=\d)[ \u00a0\u202f](?=\d{3}\b)/g, "");
    if (own && plain.endsWith(own)) plain = plain.slice(0, -own.length).trim();
    plain = plain.replace(/\s*[x×*]\s*10\s*(\^|\*\*)\s*/, "e");
    const thousands = /^[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d*)?$/.test(plain) ? [plain.replaceAll(",", "")] : [];
    return [...thousands, plain.replace(",", ".")].filter(Boolean).map(Number).filter((value) => !Number.isNaN(value));
  }

  function check(field, question) {
    const { answer, mistakes, texts, places } = state.get(field);
    if (question.choices.length) {
      const chosen = field.querySelector("input:checked");
      if (!chosen) return tell(field, "open", "Choose one of them.");
      const place = places[chosen.value];
      return place ? tell(field, "wrong", `Not this one: ${filled(question.choices[place][1], texts)}.`) : tell(field, "right", `Right. ${filled(question.how, texts)}`);
    }
    const given = read(field.querySelector("input").value, question.unit);
    if (!given.length) return tell(field, "open", `Write a number${question.unit && ` in ${question.unit}`}, such as 12.5 or 3e6.`);
    const near = (value) => given.some((one) => Math.abs(one - value) <= question.within * Math.abs(value));
    if (near(answer)) return tell(field, "right", `Right. ${filled(question.how, texts)}`);
    const slips = question.slips[Math.abs(answer) > 1 ? 1 : 0].map(([factor, words]) => [answer * factor, words]);
    const known = [...mistakes.map((value, at) => [value, filled(question.mistakes[at], texts)]), ...slips, [-answer, "the sign is wrong"]];
    const words = known.find(([value]) => near(value))?.[1];
    return tell(field, "wrong", words ? `Not yet: ${words}.` : `Not yet. An answer within ${question.within * 100} % counts as right.`);
  }

  const parts = (field) => {
    const [questions, programs] = pages[field.form.dataset.page];
    const at = questions.findIndex(({ id }) => id === field.dataset.question);
    return [questions[at], programs[at]];
  };
  return {
    define: (name, ...page) => (pages[name] = page),
    begin: (form) => form.querySelectorAll("fieldset").forEach((field) => draw(field, ...parts(field), true)),
    again: (field) => draw(field, ...parts(field), false),
    check: (field) => check(field, parts(field)[0]),
  };
})();
