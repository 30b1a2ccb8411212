"""Tables of ``data/``: their names and columns, their rows, their cells, and what is wrong with them."""

import csv
import datetime
import os
import pathlib
import re

_PACKAGE = pathlib.Path(__file__).parent.parent
# Inside the wheel the facts lie in the package, in a checkout at the top.
DATA = next((path for path in (_PACKAGE / "data", _PACKAGE.parent / "data") if path.is_dir()), _PACKAGE / "data")

_LOOK_ALIKE = str.maketrans("<>{}[]|`$\\", "‹›()()¦‘¤/")

# Tables read so far; a build asks which ones a chapter depends on.
tables_read = set()
# Table -> its text and its rows, since some tables are read dozens of times.
_rows = {}

# Columns of a table: those that name a row, and the others.
TIDY = "entity quantity", "value low high unit kind source where verified note"
_ERRORS = "split runs quantity", "n median_pct mean_pct p90_pct low_ratio high_ratio"
_RUN = """source published_model model weight_format accelerator n_accelerators tensor_parallel expert_parallel software
    task batch max_batch n_requests prompt_tokens output_tokens stationary_context_tokens window_context_tokens
    output_tokens_per_prompt tokens_per_s power_w j_per_token median_itl_ms anomaly"""
_POWER_RUN = """board accelerator date driver software kind what weight_format batch context_tokens repeat_rest programs
    power_w power_se_w counter_changes memory_power_w sm_clock_mhz memory_clock_mhz temperature_c throttled
    memory_bytes_per_s l2_bytes_per_s flop_per_s steps_per_s tokens_per_s j_per_token weight_bytes_per_step
    experts_touched_per_layer"""
_NETWORK = """name aliases n_layers d_model n_heads n_kv_heads head_dim d_ff vocab tied_embeddings n_full_layers
    n_window_layers window_tokens mla_latent mla_rope mla_q_rank mla_nope mla_v n_experts n_experts_per_token
    n_shared_experts n_moe_layers moe_d_ff state_values state_bytes_per_value fp8_block_rows fp8_wide_params
    params_total params_routed params_published source where verified note"""
_TIDY_TABLES = """accelerators calibration computing cpus datacenter energy_constants escalator formats
    measured_points memory mitigations scaling"""
_CASE = """case source model accelerator n_accelerators software batch prompt_tokens output_tokens weight_format given
    quantity value low high unit where verified note"""
# Every table of ``data/`` by the name of its file.
TABLES = {f"{name}.csv": TIDY for name in _TIDY_TABLES.split()} | {
    "accuracy.csv": _ERRORS,
    "claims.csv": ("id", "line quote value low high unit chapter verdict recomputed source verified note"),
    "constant_sets.csv": ("entity quantity", "constant note"),
    "coverage.csv": ("first_line", "last_line block heading page section"),
    "measurements.csv": ("id", _RUN),
    "models.csv": ("entity", _NETWORK),
    "power_runs.csv": ("id", _POWER_RUN),
    "predictions.csv": ("id held_out", "predicted_j_per_token predicted_tokens_per_s"),
    "public_cases.csv": ("id", _CASE),
    "quantities.csv": ("name", "symbol unit type low high choices help"),
    "server_runs.csv": ("id", f"{_RUN} where verified lacks kv_format"),
    "studies.csv": _ERRORS,
    "validation.csv": ("id", f"{_RUN} where verified lacks"),
    "wall_runs.csv": (
        "id",
        "source computer graphics runs_on model weight_format file tokens_per_s power_w where verified note",
    ),
}


class FactError(ValueError):
    """A row of ``data/`` breaks the contract; names file, line and column."""

    exit_code = 1


class UnknownName(KeyError):
    """A name that the tables do not hold; the message says which table, or lists the nearest of what somebody typed."""

    exit_code = 1

    def __str__(self):
        return self.args[0]


def contents(path, most_bytes, what):
    """Bytes of a file that somebody named for what it holds; `UnknownName` where it cannot be that."""
    try:
        if os.path.exists(path) and not os.path.isfile(path):
            raise OSError(None, "not a file")
        with open(path, "rb") as file:
            data = file.read(most_bytes + 1)
        if len(data) > most_bytes:
            raise OSError(None, f"more than {most_bytes:,} bytes, which no {what} has")
    except OSError as error:
        raise UnknownName(f"{path} cannot be read: {error.strerror}") from None
    return data


class UnknownAttribute(UnknownName, AttributeError):
    """A quantity that a record does not have, asked for by attribute."""


class Named(dict):
    """What a place of ``data/`` holds, by name; a name that is not there is an `UnknownName` that tells the place."""

    def __init__(self, place, found=()):
        super().__init__(found)
        self.place = place

    def __missing__(self, name):
        raise UnknownName(f"{self.place} has no {' '.join(name) if isinstance(name, tuple) else name}")


class Cells:
    """The cells of one row, read as what they should be; says where a wrong one stands."""

    def __init__(self, table, line, row):
        self.table, self.line, self.row = table, line, row

    def place(self, column):
        """Where a cell stands: file, line and column."""
        return f"data/{self.table}, line {self.line}, column {column}"

    def wrong(self, column, expected):
        """An error that names the cell, what was expected and what stands there."""
        return FactError(f"{self.place(column)}: expected {expected}, got {self.row[column]!r}")

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

    def whole(self, column, empty=False):
        """A whole number that is not negative, or None for nothing where that is allowed."""
        value = self.number(column, empty)
        if value is not None and (value < 0 or value != int(value)):
            raise self.wrong(column, "a whole number, 0 where it does not apply")
        return None if value is None else int(value)

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

    def key(self, column):
        """A name, or several with semicolons, that may stand in code and in addresses; or nothing."""
        if not re.fullmatch(r"[\w.;/+-]*", self.row[column]):
            raise self.wrong(column, "letters, digits and . / + - _")
        return self.row[column]

    def plain(self, column):
        """Words without the signs that Markdown, HTML or mathematics would read: others that look like them."""
        return self.row[column].translate(_LOOK_ALIKE)

    def text(self, column):
        """A text that is not empty."""
        if not self.row[column].strip():
            raise self.wrong(column, "some text")
        return self.row[column]


def rows(table):
    """The rows of a table as `Cells`, once its columns and the row's shape and name are checked."""
    tables_read.add(table)
    text, found = _text(table), []
    before, known = _rows.get(table, ("", found))
    if before == text:
        yield from known
        return
    for cells in _checked(table, text):
        found.append(cells)
        yield cells
    _rows[table] = text, found


def _checked(table, content):
    names, others = map(str.split, TABLES.get(table, TIDY))
    columns, lines = names + others, {}
    for line, text in enumerate(content.split("\n"), start=1):
        place = f"data/{table}, line {line}"
        try:
            found = next(csv.reader([text], strict=True), [])
        except csv.Error as error:
            raise FactError(f"{place}: expected a row in one line: {error}") from None
        if line == 1 and found != columns:
            raise FactError(f"{place}: expected the columns {','.join(columns)}, got {','.join(found)}")
        if len(found) != len(columns):
            raise FactError(f"{place}: expected {len(columns)} columns, got {len(found)}")
        if line > 1:
            # What is wrong with the cells is told first, by who reads them.
            yield Cells(table, line, dict(zip(columns, found)))
            name = tuple(found[: len(names)])
            if lines.setdefault(name, line) != line:
                given = f"{' has '.join(name[-2:])} in line {lines[name]} already"
                raise FactError(f"{place}, column {names[-1]}: {given}")


def numbers(table):
    """A table of which all is numbers but the columns that name a row: name -> numbers by column."""
    names, columns = map(str.split, TABLES[table])
    found = {tuple(map(cells.row.get, names)): {one: cells.number(one) for one in columns} for cells in rows(table)}
    return Named(f"data/{table}", found)


def _text(table):
    """Text of a table; what cannot be read as plain UTF-8 is told with its line."""
    try:
        text = (DATA / table).read_text(encoding="utf-8").rstrip("\n")
    except OSError as error:
        raise FactError(f"data/{table}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        *before, line = error.object[: error.start].split(b"\n")
        place, byte = f"line {len(before) + 1}, byte {len(line) + 1}", error.object[error.start]
        raise FactError(f"data/{table}, {place}: expected UTF-8, got 0x{byte:02x}; save the file as UTF-8") from None
    if text.startswith("\ufeff"):
        mark = 'a byte-order mark; save the file as UTF-8 without it, not as "CSV UTF-8" of a spreadsheet'
        raise FactError(f"data/{table}, line 1: expected the name of a column, got {mark}")
    if "\n" not in text:
        raise FactError(f"data/{table}: expected a line of columns and at least one row")
    return text


def write(table, lines):
    """Replace the rows of a table of ``data/``."""
    fresh = (DATA / table).with_suffix(".new")
    with fresh.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([" ".join(TABLES[table]).split(), *lines])
    fresh.replace(DATA / table)
