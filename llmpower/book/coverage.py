"""Where the book treats each part of the article it starts from."""

import functools
from dataclasses import dataclass

from llmpower.facts.tables import rows


@dataclass(frozen=True)
class Block:
    """A run of the article's lines and the section of the book that treats it."""

    first_line: int
    last_line: int
    block: str
    page: str
    section: str


@functools.cache
def coverage():
    """Where the book treats each part of the article, in the order of its lines."""
    blocks = []
    for cells in rows("coverage.csv"):
        first, last = (cells.whole(column) for column in ("first_line", "last_line"))
        cells.key("page")
        blocks.append(Block(first, last, *(cells.text(column) for column in ("block", "page", "section"))))
    return tuple(blocks)
