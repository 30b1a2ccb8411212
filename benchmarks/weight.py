"""What a first visit of each page transfers: `python -m benchmarks.weight`, after `make book`, with Chromium.

The server compresses text as a static host does; nothing is in the browser's cache.
"""

import collections
import gzip
import pathlib
import sys
import urllib.parse

from tests.browser import Quiet, chromium, pages, serve, settle

SITE = pathlib.Path(__file__).parent.parent / "_build" / "html"
LIMIT_BYTES = 2_000_000
_TEXT = (".html", ".css", ".js", ".json", ".svg", ".ipynb", ".md", ".csv", ".txt")
_LARGEST = 3


class Host(Quiet):
    """A server that compresses text."""

    def do_GET(self):
        """Send a file, compressed if it is text."""
        path = pathlib.Path(self.translate_path(self.path))
        if not path.name.endswith(_TEXT) or not path.is_file():
            return super().do_GET()
        content = gzip.compress(path.read_bytes())
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(str(path)))
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def first_visit(browser, url):
    """Bytes that a page and all it asks for transfer, by address, heads included.

    Parameters
    ----------
    browser : playwright.sync_api.Browser
        It gets a new context, with an empty cache.
    url : str
        Where the page is served.

    Returns
    -------
    transferred : collections.Counter
        Address -> bytes.
    """
    context, requests = browser.new_context(viewport={"width": 1280, "height": 900}), []
    page = context.new_page()
    page.on("requestfinished", lambda request: requests.append(request))
    page.goto(url)
    settle(page)
    # Pictures may wait until somebody scrolls to them.
    page.evaluate("() => document.querySelectorAll('img').forEach(one => { one.loading = 'eager'; })")
    page.wait_for_load_state("networkidle")
    transferred = collections.Counter()
    for request in requests:
        sizes = request.sizes()
        transferred[request.url] += sizes["responseHeadersSize"] + sizes["responseBodySize"]
    context.close()
    return transferred


def weigh(site=SITE):
    """First visit of every page.

    Parameters
    ----------
    site : pathlib.Path
        Folder of the built site.

    Returns
    -------
    pages : dict of collections.Counter
        Page -> address inside the site -> bytes.
    """
    with chromium() as browser, serve(site, Host) as address:
        visits = {name: first_visit(browser, f"{address}/{name}") for name in pages(site)}
    return {
        name: collections.Counter({urllib.parse.urlsplit(url).path.lstrip("/"): size for url, size in visit.items()})
        for name, visit in visits.items()
    }


def _short(path):
    """Name of a file, of a hash only the beginning."""
    stem, _, ending = path.rpartition("/")[2].rpartition(".")
    return f"{stem[:24]}.{ending}"


def main():
    """Print the table; fail if a chapter is too heavy."""
    visits = weigh()
    print("| page | transferred (kB) | files | the largest (kB) |\n|:--|--:|--:|:--|")
    for name, visit in visits.items():
        largest = ", ".join(f"{_short(path)} {size / 1e3:.0f}" for path, size in visit.most_common(_LARGEST))
        print(f"| {name} | {visit.total() / 1e3:,.0f} | {len(visit)} | {largest} |")
    heavy = [
        f"{name} transfers {visit.total():,} bytes, allowed are {LIMIT_BYTES:,}"
        for name, visit in visits.items()
        if name.startswith("chapters/") and visit.total() > LIMIT_BYTES
    ]
    return "\n".join(heavy) or 0


if __name__ == "__main__":
    sys.exit(main())
