"""A small book to break; a browser, the site in it, and somebody who reads."""

import os
import shutil

import pytest

from tests.book.browser import CHROMIUM, Reader, chromium, serve
from tests.book.small import small_book
from tests.conftest import Copy, alone


@pytest.fixture(scope="module")
def small_copy(tmp_path_factory):
    """A small book that is built: once for all processes, since runs and sites are known by content, not by place."""
    # Beside the folders of the test processes, which share one of this run.
    mine, base = tmp_path_factory.mktemp("small") / "book", tmp_path_factory.getbasetemp()
    once = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "small-once"
    with alone(f"{once}.lock"):
        if not once.exists():
            small_book(once / "book").built()
    shutil.copytree(once / "book", mine)
    copy = Copy(mine)
    copy.kept = once / "book" / "_build"
    return copy


@pytest.fixture(scope="module")
def browser():
    """One browser for all tests."""
    assert CHROMIUM, "CI is set, but there is no Chromium"
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def address(site):
    """Of a web server that holds the site."""
    with serve(site) as address:
        yield address


@pytest.fixture
def reader(browser):
    """A reader who has never been here."""
    reader = Reader(browser)
    yield reader
    reader.context.close()
