"""The article's statements, one record each, as printed and as recomputed."""

import functools
from dataclasses import dataclass

from llmpower.facts.tables import Named, UnknownName, rows
from llmpower.facts.units import UNITS, to_si

# The set-up the article describes: its 70B at 16 bit, alone, on one H100, at 32K.
ARTICLE_CASE = {
    "model": "llama-3.1-70b", "batch": 1, "context_tokens": 32768, "weight_format": "bf16", "kv_format": "bf16",
}  # fmt: skip

VERDICTS = (
    "reproduces", "arithmetic slip", "unit slip", "inconsistent with itself",
    "contradicted by source", "outdated", "unsupported", "definition needed",
)  # fmt: skip
_MOST_WORDS = 12


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
        return to_si(self.value, self.unit)

    @property
    def sources(self):
        """Keys of ``data/references.bib``."""
        return tuple(filter(None, self.source.split(";")))


def _claim(cells):
    cells.one_of("verdict", VERDICTS, "a verdict")
    for column in ("id", "chapter", "source"):
        cells.key(column)
    for column in ("id", "quote", "chapter", "recomputed"):
        cells.text(column)
    cells.date("verified")
    if len(cells.row["quote"].split()) > _MOST_WORDS:
        raise cells.wrong("quote", f"at most {_MOST_WORDS} words")
    said_in_words = cells.one_of("unit", UNITS, "a known unit") == "text"
    numbers = {end: cells.number(end, empty=end != "value" or said_in_words) for end in ("value", "low", "high")}
    return Claim(**{**cells.row, **numbers, "line": cells.whole("line")})


@functools.cache
def claims():
    """All statements of the article by id, in the order of its lines; a malformed row is a `FactError`."""
    return Named("data/claims.csv", {cells.row["id"]: _claim(cells) for cells in rows("claims.csv")})


def claim(id):
    """One statement of the article by its id; `UnknownName` if there is none.

    >>> claim("C30").value, claim("C30").unit
    (22.4, 'mJ')
    """
    if id not in claims():
        raise UnknownName(f"no claim is called {id!r}; there are C01 to C{len(claims())}")
    return claims()[id]
