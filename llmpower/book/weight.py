"""How much a site weighs, and what a browser loads for one of its pages, against limits."""

import collections
import gzip
import pathlib
import urllib.parse

from llmpower.book.fresh import files_in

SITE_BYTES, PAGE_BYTES, PACKED_BYTES = 22_000_000, 2_200_000, 700_000
# Formulas and typefaces come late, and pictures may wait until somebody scrolls to them.
_COMPLETE = """async () => {
  await window.MathJax?.startup?.promise;
  await document.fonts.ready;
  document.querySelectorAll("img").forEach(one => { one.loading = "eager"; });
}"""


def kinds(site):
    """Ending -> number of files and their bytes, the heaviest first."""
    found = collections.defaultdict(lambda: (0, 0))
    for path in files_in(site).values():
        number, size = found[path.suffix]
        found[path.suffix] = number + 1, size + path.stat().st_size
    return dict(sorted(found.items(), key=lambda kind: -kind[1][1]))


def loaded(browser, path):
    """Number of the files that a browser of Playwright loads for a page, their bytes, and those of each when packed."""
    page, asked = browser.new_page(), set()
    page.on("request", lambda request: asked.add(urllib.parse.urlsplit(request.url)))
    page.goto(path.as_uri())
    page.evaluate(_COMPLETE)
    page.wait_for_load_state("networkidle")
    page.close()
    files = {pathlib.Path(urllib.parse.unquote(url.path)) for url in asked if url.scheme == "file"}
    contents = [file.read_bytes() for file in files]
    return len(contents), sum(map(len, contents)), sum(len(gzip.compress(content)) for content in contents)


def too_heavy(kinds, pages):
    """A line for each limit that is broken."""
    sizes = [("the site", sum(size for _, size in kinds.values()), SITE_BYTES)]
    for name, (_, plain, packed) in pages.items():
        sizes += [(name, plain, PAGE_BYTES), (f"{name}, packed", packed, PACKED_BYTES)]
    return [f"{name}: {size:,} bytes, {limit:,} are allowed" for name, size, limit in sizes if size > limit]
