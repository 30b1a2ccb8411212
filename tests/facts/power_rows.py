"""Rows of our own power runs as the file has them, read without the package, and rows made wrong."""

import csv

from llmpower.book.fresh import forget
from tests.conftest import BOOK


def rows():
    """Id -> row, numbers as numbers and nothing where nothing stands."""
    with open(BOOK / "data" / "power_runs.csv", encoding="utf-8", newline="") as lines:
        return {row["id"]: {name: _read(cell) for name, cell in row.items()} for row in csv.DictReader(lines)}


def _read(cell):
    try:
        return float(cell)
    except ValueError:
        return cell or None


def spoil(folder, id, **factors):
    """Multiply numbers of one row in a copy of the tables, and let the package read them again."""
    path = folder / "power_runs.csv"
    with open(path, encoding="utf-8", newline="") as lines:
        table = list(csv.DictReader(lines))
    (row,) = (row for row in table if row["id"] == id)
    row |= {name: repr(float(row[name]) * factor) for name, factor in factors.items()}
    with open(path, "w", encoding="utf-8", newline="") as lines:
        writer = csv.DictWriter(lines, row, lineterminator="\n")
        writer.writeheader()
        writer.writerows(table)
    forget()
