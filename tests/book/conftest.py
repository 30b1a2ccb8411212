"""A browser, the site in it, and somebody who reads."""

import pytest

from tests.book.browser import CHROMIUM, Reader, chromium, serve


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
