"""Every part and statement of the article is treated in its section, and no page speaks of lines of a text copy."""

import itertools
import json
import re

from llmpower.book import pages, report
from llmpower.book.coverage import coverage, part
from llmpower.book.files import find_book
from llmpower.facts.claims import claims

BOOK = find_book(None)
# As the article prints its headings, without those that only stand over others; what comes before the first has none.
HEADINGS = (
    "title", "introduction", "“Data Center GPUs”", "“Is Efficiency Keeping Up?”", "“Decode Power Breakdown”",
    "“Datacenter-Scale Power Consumption”", "“Constraint 1: Scale-Out Hits a Ceiling”",
    "“Constraint 2: Thermal Limits on Consumer Devices”", "“Constraint 3: Tokens Per Watt”",
    "“Three Approaches to Attacking the Power Wall”", "“The Consumer GPU Advantage”",
    "“Maximizing Power Efficiency on an RTX 4060 in Practice”", "“References”",
)  # fmt: skip


def sections(path):
    """Text, code and stored tables under each heading of a notebook, by the heading's anchor."""
    found, anchor = {}, ""
    for cell in json.loads((BOOK / path).read_text(encoding="utf-8"))["cells"]:
        for line in "".join(cell["source"]).splitlines():
            if cell["cell_type"] == "markdown" and (heading := re.match(r"#{1,3} (.+)$", line)):
                anchor = re.sub(r"[^\w -]", "", heading[1].lower()).replace(" ", "-")
            found.setdefault(anchor, []).append(line)
        found[anchor] += ["".join(out.get("data", {}).get("text/markdown", "")) for out in cell.get("outputs", ())]
    return found


def says(where, id):
    """Whether a section names a statement in its code or a comment, or has its row among the verdicts."""
    path, _, anchor = where.partition("#")
    return any(re.search(rf"\b{id}\b", text) for text in sections(path).get(anchor, ()))


def test_every_part_of_the_article_has_its_section():
    """Line after line, without a gap, to the end of the article; each section is there."""
    import nbformat

    blocks = coverage()
    assert blocks[0].first_line == 1 and blocks[-1].last_line == 288
    for one, following in zip(blocks, blocks[1:]):
        assert one.first_line <= one.last_line and following.first_line == one.last_line + 1
    for one in blocks:
        notebook = nbformat.read(BOOK / f"{one.page}.ipynb", as_version=4)
        text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
        assert re.search(rf"^##+ {re.escape(one.section)}$", text, re.MULTILINE), f"{one.page}: {one.section}"


def test_every_part_stands_under_a_heading_of_the_article():
    assert tuple(heading for heading, _ in itertools.groupby(block.heading for block in coverage())) == HEADINGS


def test_every_statement_leads_to_a_section_that_has_it():
    """The links of the page itself, held against the code and the stored outputs of the notebooks."""
    links = re.findall(r"\[(C\d+)\]\(([^)]*)\)", pages.page("coverage", BOOK, {}))
    assert sorted(id for id, _ in links) == sorted(claims())
    for id, where in links:
        assert says(where, id), f"{id} is not in {where}"
        assert where.startswith(("index", f"chapters/{claims()[id].chapter}")), f"{id}: {where}"


def test_a_wrong_pointer_would_be_seen():
    """Where four statements were sent once, to sections of other chapters."""
    assert not says("index.ipynb#memory-grows-wider-and-taller-at-a-price-in-watts", "C05")
    assert not says("index.ipynb#the-short-answer", "C01")
    for id in ("C99", "C102"):
        assert not says("chapters/tokens-per-watt.ipynb#the-factor-of-the-article-is-the-size-of-its-models", id)


def test_every_verdict_is_counted():
    tally = dict(re.findall(r"^\| ([a-z ]+) \| (\d+) \|$", pages.page("coverage", BOOK, {}), re.MULTILINE))
    assert tally.pop("all") == "113" and sum(map(int, tally.values())) == 113
    assert int(tally["unit slip"]) == sum(one.verdict == "unit slip" for one in claims().values())


def test_no_page_speaks_of_lines_of_a_text_copy(monkeypatch):
    """Readers find a quotation by its heading; the copy that was read here is not theirs."""
    printed = [pages.page("coverage", BOOK, {}), *(report.quote(id) for id in claims())]
    assert "“Decode Power Breakdown”" in report.quote("C30") and "title)" in report.quote("C01")
    monkeypatch.setattr(report, "_print", printed.append)
    for chapter in {one.chapter for one in claims().values()}:
        report.claims_of(chapter)
    assert all(part(one).heading in "".join(printed) for one in claims().values())
    for path in (BOOK / "index.ipynb", *(BOOK / "chapters").glob("*.ipynb")):
        printed += ["".join(cell["source"]) for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]]
    assert not [found for text in printed if (found := re.findall(r".{40}\blines? \d+", text))]
