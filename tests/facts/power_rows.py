"""Rows of our own power runs as the file has them, read without the package."""

import csv

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
