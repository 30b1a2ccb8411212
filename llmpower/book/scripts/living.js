// Offers to move the numbers of a page; everything else is loaded when a reader first reaches for it.
(() => {
  const place = document.currentScript.src.replace(/living\.js.*$/, "living/");
  const loaded = {};
  const load = (name) =>
    (loaded[name] ??= new Promise((done, failed) => {
      const script = document.createElement("script");
      Object.assign(script, { src: place + name, onload: done, onerror: failed });
      document.head.append(script);
    }));

  document.addEventListener("DOMContentLoaded", () => {
    const quiz = document.querySelector("form.quiz");
    let known;
    const ask = () =>
      (known ??= (async () => {
        for (const name of ["numbers.js", "page.js", "quiz.js", `${quiz.dataset.page}.quiz.js`]) await load(name);
        livingQuiz.begin(quiz);
      })());
    quiz?.addEventListener("focusin", ask, { once: true });
    quiz?.addEventListener("submit", async (event) => {
      event.preventDefault();
      // With Enter in a field its own question is meant, not the first one.
      const field = (document.activeElement.closest?.("form.quiz fieldset") ?? event.submitter.closest("fieldset"));
      await ask();
      livingQuiz.check(field);
    });
    quiz?.addEventListener("click", async ({ target }) => {
      if (target.dataset.do !== "again") return;
      await ask();
      livingQuiz.again(target.closest("fieldset"));
    });
    const panel = document.querySelector("details.living");
    if (!panel) return;
    // At the end of the article it can stay in sight while any part of the page is read.
    document.querySelector(".bd-article").append(panel);
    panel.hidden = false;
    document.documentElement.classList.add("moves");
    let begun;
    const begin = () =>
      (begun ??= (async () => {
        for (const name of ["numbers.js", "figures.js", "page.js", `${panel.dataset.page}.js`]) await load(name);
        livingPage.begin(panel);
      })());
    const boxes = [panel, ...document.querySelectorAll(".tag_follows figure")];
    for (const box of boxes) {
      const picture = box.querySelector("img");
      if (picture) picture.tabIndex = 0;
      for (const event of ["pointerenter", "pointerdown", "focusin", "toggle"]) box.addEventListener(event, begin, { once: true });
    }
    const follow = async () => {
      if (!location.hash.startsWith("#~")) return;
      await begin();
      livingPage.restore(location.hash);
      panel.open = true;
    };
    addEventListener("hashchange", follow);
    follow();
  });
})();
