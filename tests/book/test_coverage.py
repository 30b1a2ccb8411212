"""Every part and statement of the article is treated in its section."""

import re

from llmpower.book.coverage import coverage
from llmpower.book.files import find_book
from llmpower.facts.claims import claims


def test_every_part_of_the_article_has_its_section():
    """Line after line, without a gap, to the end of the article; each section is there."""
    import nbformat

    blocks = coverage()
    assert blocks[0].first_line == 1 and blocks[-1].last_line == 288
    for one, following in zip(blocks, blocks[1:]):
        assert one.first_line <= one.last_line and following.first_line == one.last_line + 1
    for one in blocks:
        notebook = nbformat.read(find_book(None) / f"{one.page}.ipynb", as_version=4)
        text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
        assert re.search(rf"^##+ {re.escape(one.section)}$", text, re.MULTILINE), f"{one.page}: {one.section}"


def test_every_statement_is_treated_where_its_part_is():
    for id, one in claims().items():
        (block,) = [block for block in coverage() if block.first_line <= one.line <= block.last_line]
        page = block.page.removeprefix("chapters/")
        # The title, the end of scaling and the waste of an H100 are told apart from the lines they stand in.
        assert one.chapter == page or id in ("C01", "C05", "C99", "C102"), f"{id}: {one.chapter}, {page}"
