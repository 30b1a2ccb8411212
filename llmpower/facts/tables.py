"""Tables of ``data/``: their rows, their cells, and what is wrong with them."""

import csv
import datetime
import io
import pathlib

_PACKAGE = pathlib.Path(__file__).parent.parent
# Inside the wheel the facts lie in the package, in a checkout at the top.
DATA = next((path for path in (_PACKAGE / "data", _PACKAGE.parent / "data") if path.is_dir()), _PACKAGE / "data")

# Tables read so far; a build asks which ones a chapter depends on.
tables_read = set()


class FactError(ValueError):
    """A row of ``data/`` breaks the contract; names file, line and column."""

    exit_code = 1


class Cells:
    """The cells of one row, read as what they should be; says where a wrong one stands."""

    def __init__(self, table, line, row):
        self.table, self.line, self.row = table, line, row

    def wrong(self, column, expected):
        """An error that names the cell, what was expected and what stands there."""
        place = f"data/{self.table}, line {self.line}, column {column}"
        return FactError(f"{place}: expected {expected}, got {self.row[column]!r}")

    def number(self, column, empty=False):
        """A finite number, or None for nothing where that is allowed."""
        text = self.row[column]
        if text == "" and empty:
            return None
        try:
            value = float(text)
        except ValueError:
            raise self.wrong(column, "a number" + (" or nothing" if empty else "")) from None
        if value != value or value in (float("inf"), float("-inf")):
            raise self.wrong(column, "a finite number")
        return value

    def one_of(self, column, allowed, what):
        """One of the allowed texts."""
        if self.row[column] not in allowed:
            raise self.wrong(column, f"{what} ({', '.join(sorted(allowed))})" if len(allowed) < 40 else what)
        return self.row[column]

    def date(self, column):
        """An ISO date, or nothing."""
        text = self.row[column]
        if text:
            try:
                datetime.date.fromisoformat(text)
            except ValueError:
                raise self.wrong(column, "a date like 2026-01-31, or nothing") from None
        return text

    def text(self, column):
        """A text that is not empty."""
        if not self.row[column].strip():
            raise self.wrong(column, "some text")
        return self.row[column]


def rows(table, header=None):
    """The rows of a table as `Cells`, once its shape is checked; `header` names the columns it must have."""
    tables_read.add(table)
    try:
        text = (DATA / table).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FactError(f"data/{table}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if text.count("\n") < 2:
        raise FactError(f"data/{table}: expected a line of columns and at least one row")
    with io.StringIO(text, newline="") as file:
        reader = csv.reader(file)
        found = next(reader)
        if header and found != header:
            raise FactError(f"data/{table}, line 1: expected the columns {','.join(header)}, got {','.join(found)}")
        for cells in reader:
            if len(cells) != len(found):
                shape = f"expected {len(found)} columns, got {len(cells)}"
                raise FactError(f"data/{table}, line {reader.line_num}: {shape}")
            yield Cells(table, reader.line_num, dict(zip(found, cells)))


def write(table, lines):
    """Replace a table of ``data/`` as a whole."""
    fresh = (DATA / table).with_suffix(".new")
    with fresh.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(lines)
    fresh.replace(DATA / table)
