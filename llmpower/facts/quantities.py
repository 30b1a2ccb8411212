"""The table of names: symbol, unit, range and help of every quantity, wherever it stands."""

import functools
from dataclasses import dataclass

from llmpower.facts.tables import Named, rows
from llmpower.facts.units import UNITS

_TYPES = ("int", "float", "text", "choice", "model", "accelerator", "format")


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

    def checked(self, cells, column, value):
        """A number of a table, once it is known to lie in the range."""
        if self.low is not None and value is not None and not self.low <= value <= self.high:
            raise cells.wrong(column, f"{self.low:g} to {self.high:g} {self.unit}")
        return value


@functools.cache
def quantities():
    """All quantities by name; a malformed row is a `FactError`."""
    table = Named("data/quantities.csv")
    for cells in rows("quantities.csv"):
        name, row = cells.key("name"), cells.row
        if set(row["symbol"]) & set("$<>|`"):
            raise cells.wrong("symbol", "mathematics without $, <, >, | and `")
        cells.one_of("type", [*_TYPES, *(f"{kind} list" for kind in _TYPES)], "a type")
        cells.one_of("unit", ("", *UNITS, *(unit for unit, _ in UNITS.values())), "a known unit")
        low, high = (cells.number(end, empty=True) for end in ("low", "high"))
        if (low is None) != (high is None) or (high is not None and low > high):
            raise cells.wrong("high", "an end at least as high as low, or no end at all")
        choices = tuple(filter(None, row["choices"].split(";")))
        table[name] = Quantity(name, row["symbol"], row["unit"], row["type"], low, high, choices, cells.text("help"))
    return table
