"""Chromium, a small web server and a reader, for the tests of the built site."""

import contextlib
import functools
import http.server
import os
import shutil
import threading

import pytest
from playwright.sync_api import sync_playwright

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
NEEDS_CHROMIUM = pytest.mark.skipif(
    not CHROMIUM and not os.environ.get("CI"),
    reason="THE SITE WAS NOT TESTED IN A BROWSER: install Chromium (Debian: chromium) or name it in CHROMIUM",
)
DESKTOP, PHONE, SMALL_PHONE, PAPER = 1280, 375, 320, 718  # the last one: A4 at 96 dots an inch, margins of 1 cm
FRONT, CHAPTER = "index.html", "chapters/decode-breakdown.html"
_ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync",
    # The network is off: no name but this machine's own number is ever found.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)  # fmt: skip


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files without a line for each."""

    def log_message(self, *words):
        """Say nothing."""


@contextlib.contextmanager
def serve(folder, handler=Quiet):
    """Address of a server of a folder, on this machine only."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(handler, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def chromium():
    """Headless Chromium without a network."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=_ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


def settle(page):
    """Wait until formulas are typeset and fonts are there."""
    page.evaluate("() => window.MathJax?.startup?.promise.then(() => null)")
    page.evaluate("() => document.fonts.ready.then(() => null)")


def pages(site):
    """Published pages, as paths inside the site."""
    found = (path.relative_to(site) for path in site.rglob("*.html"))
    return sorted(path.as_posix() for path in found if path.parts[0] not in ("_static", "_sources"))


# The theme looks at a page again 0.3 s after its last change or resize, by the clock of the page: so do we, a little
# later, since a busy machine knows no better.
QUIET = """() => new Promise(done => requestAnimationFrame(() => {
  let timer;
  const again = () => { clearTimeout(timer); timer = setTimeout(done, 350); };
  new MutationObserver(again).observe(document.getElementById("main-content") ?? document.body,
                                      { subtree: true, childList: true });
  addEventListener("resize", again);
  again();
}))"""


class Reader:
    """A page of the browser that remembers what went wrong and what was asked for."""

    def __init__(self, browser, **more):
        self.context = browser.new_context(
            **{"viewport": {"width": DESKTOP, "height": 900}, "reduced_motion": "reduce", **more}
        )
        self.page = self.context.new_page()
        self.wrong, self.asked = [], []
        self.page.on(
            "console", lambda message: message.type in ("warning", "error") and self.wrong.append(message.text)
        )
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("requestfailed", self.failed)
        self.page.on("request", lambda request: self.asked.append(request.url))

    def failed(self, request):
        """Remember a request that went wrong; one that ended because its page was left is no fault of the site."""
        if request.failure != "net::ERR_ABORTED":
            self.wrong.append(f"failed: {request.url}, {request.failure}")

    def open(self, url):
        """Load a page; what was remembered starts anew."""
        self.wrong.clear(), self.asked.clear()
        self.page.goto(url)
        settle(self.page)

    def width(self, pixels):
        """Change the width, as turning a phone does, and wait until the theme has looked again."""
        self.page.set_viewport_size({"width": pixels, "height": 800})
        self.page.evaluate(QUIET)

    def theme(self, name):
        """Show the light or the dark colours."""
        self.page.evaluate(
            "name => { document.documentElement.dataset.theme = document.documentElement.dataset.mode = name; }", name
        )


def tell(problems):
    """Fail with all problems, one a line."""
    if problems := list(problems):
        pytest.fail("\n".join(problems), pytrace=False)
