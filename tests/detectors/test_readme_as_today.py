"""What the README shows of the finding is what the committed front page shows."""

import re

import nbformat

from llmpower.book import files, records, renew
from llmpower.facts.claims import claim
from tests.conftest import BOOK

README = (BOOK / "README.md").read_text(encoding="utf-8")
FRONT = files.read_notebook(BOOK / "index.ipynb")


def test_its_numbers_are_those_of_the_front_page():
    finding = README.partition(renew.PICTURE)[2].partition("\n## ")[0]
    told = re.findall(r"\d[\d.]* %(?: \([^)]*\))?", finding)
    shown = {one["text"] for one in records.shown(FRONT).values()}
    assert told[0] == f"{100 * claim('C01').value:g} %"
    assert len(told) == 4 and set(told[1:]) <= shown


def test_its_picture_and_what_that_tells_are_those_of_the_front_page(built):
    alts = {name: text for name, text, _ in records.entries(FRONT.cells, records.FIGURES)}
    assert f"![{alts['fig-headline']}]({renew.PICTURE})" in README
    executed = nbformat.read(built[1]["index"] / "executed.ipynb", as_version=4)
    assert renew.pictures(executed)[0] == (BOOK / renew.PICTURE).read_text(encoding="utf-8")
