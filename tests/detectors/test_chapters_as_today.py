"""Numbers that committed chapters print, as today."""

import nbformat
import pytest

from llmpower.book import files, records
from llmpower.evidence import exam, joule
from llmpower.step.case import case
from tests.conftest import BOOK

CHAPTER = BOOK / "chapters" / "model-against-measurement.ipynb"


def test_the_committed_chapter_shows_what_the_code_finds():
    numbers = records.shown(files.read_notebook(CHAPTER))
    clean = exam.held_out()
    clean = clean[clean["anomaly"] == ""]
    assert numbers["middle"]["value"] == pytest.approx(clean["energy_error"].abs().median())
    assert numbers["inside"]["value"] == pytest.approx((clean["energy_error"].abs() < 0.2).mean())
    assert numbers["not_arithmetic"]["value"] == pytest.approx(
        1 - joule.of_case(case("llama-3.1-70b", "h100-sxm", n_accelerators=4)).share("arithmetic").central
    )


def test_the_numbers_of_the_committed_chapter_can_be_collected():
    numbers = records.shown(nbformat.read(BOOK / "chapters" / "decode-breakdown.ipynb", as_version=4))
    assert numbers["article_weights"]["text"] == "22.4 J"
    assert numbers["cache_case"]["value"] == 10_737_418_240
