"""The table of names: symbol, unit, range and help of every quantity, wherever it stands."""

import functools
from dataclasses import dataclass

from llmpower.facts.tables import rows

_COLUMNS = "name,symbol,unit,type,low,high,choices,help".split(",")


@dataclass(frozen=True)
class Quantity:
    """What a name means everywhere; the ends of the range are in its unit."""

    name: str
    symbol: str
    unit: str
    type: str
    low: float | None
    high: float | None
    choices: tuple
    help: str


@functools.cache
def quantities():
    """All quantities by name; a malformed row is a `FactError`."""
    table = {}
    for cells in rows("quantities.csv", _COLUMNS):
        name, row = cells.text("name"), cells.row
        if name in table:
            raise cells.wrong("name", "a name not given before")
        ends = (cells.number(end, empty=True) for end in ("low", "high"))
        choices = tuple(filter(None, row["choices"].split(";")))
        table[name] = Quantity(name, row["symbol"], row["unit"], cells.text("type"), *ends, choices, cells.text("help"))
    return table
