"""What pages that move cost: ``.venv/bin/python -m benchmarks.living``.

It needs Chromium, builds the book if something changed, and prints the lines of the scripts that are written by hand
and, for each page, the size of its own script plain and packed, the time from the first touch of its controls until
they are there, and that of one move, median of 20.
"""

import argparse
import gzip
import pathlib
import statistics

from benchmarks.build import BOOK
from llmpower.book import build, pdf

_MOVES = 20
_TOUCH = """async () => {
  const begun = performance.now(), panel = document.querySelector(".living");
  panel.open = true;
  while (!document.querySelector(".living-command")?.textContent) await new Promise(done => setTimeout(done));
  return performance.now() - begun;
}"""
# A move ends when the page has been laid out again.
_MOVE = """moves => {
  const range = document.querySelector(".living input[type=range]"), times = [];
  for (let at = 0; at < moves; at++) {
    range.value = 100 + 10 * at;
    const begun = performance.now();
    range.dispatchEvent(new Event("input"));
    document.body.getBoundingClientRect();
    times.push(performance.now() - begun);
  }
  return times;
}"""


def main():
    """Print all of it."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    from playwright.sync_api import sync_playwright

    for script in sorted((BOOK / "llmpower" / "book" / "scripts").glob("*.js")):
        print(f"{script.name}: {len(script.read_text(encoding='utf-8').splitlines())} lines by hand")
    site = build.build(BOOK)[0].parent
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=pdf.browser(), args=["--no-sandbox", "--disable-gpu"])
        for own in sorted((site / "_static" / "living").glob("*.js")):
            if (path := page_of(site, own.stem)).exists():
                page = browser.new_page()
                page.goto(path.as_uri())
                touch, moves = page.evaluate(_TOUCH), page.evaluate(_MOVE, _MOVES)
                page.close()
                plain = own.read_bytes()
                sizes = f"{len(plain) / 1e3:,.0f} kB, {len(gzip.compress(plain, mtime=0)) / 1e3:,.0f} kB packed"
                print(f"{own.stem}: {sizes}; ready {touch:.0f} ms, a move {statistics.median(moves):.1f} ms")
        browser.close()


def page_of(site: pathlib.Path, name):
    """The page of a chapter."""
    return site / "index.html" if name == "index" else site / "chapters" / f"{name}.html"


if __name__ == "__main__":
    main()
