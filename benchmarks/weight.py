"""How much the published site weighs, and what each page loads: ``.venv/bin/python -m benchmarks.weight``.

It needs Chromium, builds the book if something changed, and ends with an error above a limit; ``--write`` puts the
tables into ``README.md``.  Sizes depend on no clock, so a busy machine tells the same.
"""

import argparse
import datetime
import sys

from benchmarks.build import BOOK, write
from llmpower.book import build, pdf, weight

_HEADING = "## Weight of the site"


def tables(kinds, pages):
    """What the README shows."""
    everything = sum(number for number, _ in kinds.values()), sum(size for _, size in kinds.values())
    lines = ["| kind of file | number | MB |", "|:--|--:|--:|"]
    for kind, (number, size) in {**kinds, "all": everything}.items():
        lines.append(f"| {kind.lstrip('.') or 'no ending'} | {number} | {size / 1e6:.2f} |")
    lines += ["", "| page, with all that it loads | files | kB | kB packed |", "|:--|--:|--:|--:|"]
    for name, (number, plain, packed) in pages.items():
        lines.append(f"| {name} | {number} | {plain / 1e3:,.0f} | {packed / 1e3:,.0f} |")
    site, page, packed = (limit / 1e3 for limit in (weight.SITE_BYTES, weight.PAGE_BYTES, weight.PACKED_BYTES))
    limits = f"At most {site:,.0f} kB are allowed for the site, {page:,.0f} for a page, {packed:,.0f} for a packed one."
    return "\n".join([*lines, "", f"{datetime.date.today()}. {limits}"])


def main():
    """Measure, print the tables, and tell what is too heavy."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="put the tables into benchmarks/README.md")
    arguments = parser.parse_args()
    from playwright.sync_api import sync_playwright

    site = build.build(BOOK)[0].parent
    names = sorted(path.relative_to(site).as_posix() for path in site.rglob("*.html"))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=pdf.browser(), args=["--no-sandbox", "--disable-gpu"])
        pages = {name: weight.loaded(browser, site / name) for name in names}
        browser.close()
    kinds = weight.kinds(site)
    text = tables(kinds, pages)
    print(text)
    if arguments.write:
        write(text, _HEADING, "python -m benchmarks.weight --write")
    sys.exit("\n".join(weight.too_heavy(kinds, pages)) or None)


if __name__ == "__main__":
    main()
