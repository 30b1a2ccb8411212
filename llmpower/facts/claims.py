"""The article's statements, one record each, as printed and as recomputed."""

import functools
from dataclasses import dataclass

from llmpower.facts.catalog import UNITS, UnknownName, _Cell, _rows

# The set-up the article describes: its 70B at 16 bit, alone, on one H100, at 32K.
ARTICLE_CASE = {
    "model": "llama-3.1-70b", "batch": 1, "context_tokens": 32768, "weight_format": "bf16", "kv_format": "bf16",
}  # fmt: skip

VERDICTS = (
    "reproduces", "arithmetic slip", "unit slip", "inconsistent with itself",
    "contradicted by source", "outdated", "unsupported", "definition needed",
)  # fmt: skip
_COLUMNS = "id,line,quote,value,low,high,unit,chapter,verdict,recomputed,source,verified,note".split(",")


@dataclass(frozen=True)
class Claim:
    """One statement of the article; `value` in the unit the article prints."""

    id: str
    line: int
    quote: str
    value: float | None
    low: float | None
    high: float | None
    unit: str
    chapter: str
    verdict: str
    recomputed: str
    source: str
    verified: str
    note: str

    @property
    def printed(self):
        """Value and unit as the article prints them."""
        return f"{self.value:g} {self.unit}"

    @property
    def si(self):
        """Value in the SI unit."""
        return self.value * UNITS[self.unit][1]

    @property
    def sources(self):
        """Keys of ``references.bib``."""
        return tuple(filter(None, self.source.split(";")))


def _claim(line, row):
    cell = _Cell("claims.csv", line, row)
    cell.one_of("verdict", VERDICTS, "a verdict")
    for column in ("id", "quote", "unit", "chapter", "recomputed"):
        cell.text(column)
    cell.date("verified")
    if len(row["quote"].split()) > 12:
        raise cell.wrong("quote", "at most 12 words")
    numbers = {column: cell.number(column, empty=True) for column in ("value", "low", "high")}
    return Claim(**{**row, **numbers, "line": int(cell.number("line"))})


@functools.cache
def claims():
    """All statements of the article by id, in the order of the article's lines.

    Returns
    -------
    claims : dict of Claim

    Raises
    ------
    FactError
        For a malformed row of ``data/claims.csv``.
    """
    return {row["id"]: _claim(line, row) for line, row in _rows("claims.csv", _COLUMNS)}


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
    """Where the book treats each part of the article.

    Returns
    -------
    blocks : tuple of Block
        In the order of the article's lines.

    Raises
    ------
    FactError
        For a malformed row of ``data/coverage.csv``.
    """
    blocks = []
    for line, row in _rows("coverage.csv", [*Block.__dataclass_fields__]):
        cell = _Cell("coverage.csv", line, row)
        first, last = (int(cell.number(column)) for column in ("first_line", "last_line"))
        blocks.append(Block(first, last, cell.text("block"), cell.text("page"), cell.text("section")))
    return tuple(blocks)


def claim(id):
    """One statement of the article.

    Parameters
    ----------
    id : str
        Such as ``"C30"``.

    Returns
    -------
    claim : Claim

    Raises
    ------
    UnknownName
        If there is no such statement.

    Examples
    --------
    >>> claim("C30").value, claim("C30").unit
    (22.4, 'mJ')
    """
    if id not in claims():
        raise UnknownName(f"no claim is called {id!r}; there are C01 to C{len(claims())}")
    return claims()[id]
