"""Where the book treats each part of the article it starts from."""

import functools
import re
from dataclasses import dataclass

from llmpower.facts.tables import rows


@dataclass(frozen=True)
class Block:
    """A part of the article, the heading it stands under there, and the section of the book that treats it.

    The lines put statements into parts; they are those of a text copy, so no page shows them.
    """

    first_line: int
    last_line: int
    block: str
    heading: str
    page: str
    section: str


@functools.cache
def coverage():
    """Where the book treats each part of the article, in the order of its lines."""
    blocks = []
    for cells in rows("coverage.csv"):
        first, last = (cells.whole(column) for column in ("first_line", "last_line"))
        cells.key("page")
        blocks.append(Block(first, last, *(cells.text(column) for column in ("block", "heading", "page", "section"))))
    return tuple(blocks)


def part(claim):
    """Part of the article in which a statement stands."""
    return next(block for block in coverage() if block.first_line <= claim.line <= block.last_line)


def sections(cells):
    """Text of each section of a notebook, by its heading."""
    text, heading = {}, ""
    for cell in cells:
        for line in cell.source.splitlines():
            if cell.cell_type != "code" and (found := re.match(r"#+ (.+)$", line)):
                heading = found[1]
            text[heading] = text.get(heading, "") + line + "\n"
    return text


def treated(claim, text):
    """Section of its chapter that treats a statement: one that names it, or else the one with all verdicts.

    text: the `sections` of the chapter. A section that says "Judges C01" in a comment goes before others, then the
    section of the statement's part; the introduction, where the chapter only quotes, does not count.
    """
    _, _introduction, *others = text
    naming = [section for section in others if re.search(rf"\b{claim.id}\b", text[section])]
    judges = re.compile(rf"Judges\b.*\b{claim.id}\b")
    naming.sort(key=lambda section: (not judges.search(text[section]), section != part(claim).section))
    return (naming or [section for section in others if "claims_of(" in text[section]])[0]
