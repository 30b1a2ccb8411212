"""The page of a sweep in a browser: small multiples, a table that sorts and searches, nothing from elsewhere."""

import pytest

from llmpower.sweep import points
from tests.book.browser import CHROMIUM, Reader, chromium
from tests.conftest import BOOK


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    out = tmp_path_factory.mktemp("sweep") / "out"
    swept = [("batch", "1,2,8,16"), ("accelerator", "h100-sxm,b200"), ("model", "llama-3.1-8b,llama-3.1-405b")]
    asked = {"grid": swept, "together": (), "fixed": [("context_tokens", "2000")], "file": None}
    points.sweep(BOOK, "decode-breakdown", out, asked, jobs=1, say=lambda line: None)
    assert CHROMIUM, "CI is set, but there is no Chromium"
    with chromium() as browser:
        reader = Reader(browser)
        reader.open((out / "summary.html").as_uri())
        yield reader.page
        reader.context.close()


def column(page, name):
    heads = page.locator("thead th").all_inner_texts()
    cells = page.locator(f"tbody tr:visible td:nth-child({heads.index(name) + 1})")
    return cells.all_inner_texts()


def test_a_head_sorts_by_numbers_and_once_more_the_other_way(page):
    page.get_by_role("button", name="power_w [W]").click()
    shown = [text for text in column(page, "power_w [W]") if text]
    values = [float(text.split()[0].replace(",", "")) * (1000 if "kW" in text else 1) for text in shown]
    assert len(values) == 8 and values == sorted(values)
    # What is empty comes last.
    assert column(page, "power_w [W]")[:8] == shown
    head = page.locator("th[aria-sort]")
    assert head.inner_text() == "power_w [W]" and head.get_attribute("aria-sort") == "ascending"
    page.get_by_role("button", name="power_w [W]").click()
    assert column(page, "power_w [W]") == [*shown[::-1], *[""] * 8]


def test_search_leaves_the_rows_with_all_words(page):
    page.get_by_label("Search").fill("b200 8b")
    assert set(column(page, "accelerator")) == {"b200"} and set(column(page, "model")) == {"llama-3.1-8b"}
    assert page.locator("#found").inner_text() == "4 of 16"
    page.get_by_label("Search").fill("")
    assert len(column(page, "batch")) == 16


def test_multiples_are_drawn_and_named(page):
    words = page.locator("figure svg text").all_inner_texts() or page.locator("figure").inner_html()
    # Two machines by colour or line, two networks by the other.
    assert page.locator("figure svg").count() == 1 and page.locator("figcaption .sample").count() == 4
    assert "b200" in page.locator("figcaption").inner_text() and words
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") == 390
