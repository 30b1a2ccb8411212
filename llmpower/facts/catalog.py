"""Facts read from ``data/``: accelerators, models, formats, energy constants.

Each value keeps its own source, date and range.  Values are converted once, here,
from the unit their source prints to the SI unit of the quantity; formulas never
see a pJ/bit.
"""

import csv
import datetime
import difflib
import functools
import io
import pathlib
from dataclasses import dataclass, field

_HERE = pathlib.Path(__file__).parent.parent
# Inside the wheel the facts lie in the package, in a checkout at the top.
DATA = next((path for path in (_HERE / "data", _HERE.parent / "data") if path.is_dir()), _HERE / "data")

# Unit as a source prints it -> SI unit of the quantity, factor.
UNITS = {
    "1": ("1", 1), "year": ("year", 1), "W": ("W", 1), "J": ("J", 1), "s": ("s", 1),
    "B": ("B", 1), "GB": ("B", 1e9), "GiB": ("B", 2**30), "bit": ("B", 1 / 8),
    "Gbit": ("B", 2**27), "Gb/s": ("B/s", 1e9 / 8), "GB/s": ("B/s", 1e9), "TB/s": ("B/s", 1e12),
    "mJ": ("J", 1e-3), "FLOP": ("FLOP", 1), "GFLOP": ("FLOP", 1e9), "TFLOP/s": ("FLOP/s", 1e12),
    "pJ/bit": ("J/B", 8e-12), "pJ/FLOP": ("J/FLOP", 1e-12),
    "mm2": ("mm2", 1), "text": ("text", None),
    "kW": ("W", 1e3), "MW": ("W", 1e6), "GW": ("W", 1e9), "V": ("V", 1), "MHz": ("Hz", 1e6), "nm": ("m", 1e-9),
    "pJ": ("J", 1e-12), "uJ": ("J", 1e-6), "Wh": ("J", 3.6e3), "kWh": ("J", 3.6e6), "GWh": ("J", 3.6e12),
    "us": ("s", 1e-6), "h": ("s", 3600), "1/day": ("1/s", 1 / 86400), "g": ("kg", 1e-3), "t": ("kg", 1e3),
    "mL": ("m3", 1e-6), "L/kWh": ("m3/J", 1e-3 / 3.6e6), "g/kWh": ("kg/J", 1e-3 / 3.6e6),
    "lb/kWh": ("kg/J", 0.45359237 / 3.6e6), "usd/kWh": ("usd/J", 1 / 3.6e6), "cent/kWh": ("usd/J", 0.01 / 3.6e6),
    "tokens/s": ("1/s", 1), "tokens/J": ("1/J", 1), "W/mm2": ("W/mm2", 1),
    "K": ("K", 1), "J/K": ("J/K", 1), "C": ("C", 1),
    "usd": ("usd", 1), "usd/h": ("usd/s", 1 / 3600),
}  # fmt: skip
KINDS = ("datasheet", "measurement", "paper", "industry_report", "estimate", "derived", "convention")
_TIDY = "entity,quantity,value,low,high,unit,kind,source,where,verified,note".split(",")
_QUANTITY = "name,symbol,unit,type,low,high,choices,help".split(",")
_SETS = "entity,quantity,constant,note".split(",")
_MODEL_TEXT = ("entity", "name", "aliases", "tied_embeddings", "source", "where", "verified", "note")

# Tables read so far; a build asks which ones a chapter depends on.
tables_read = set()


class FactError(ValueError):
    """A row of ``data/`` breaks the contract; names file, line and column."""


class ParameterError(ValueError):
    """Wrong parameters; holds one line for every problem found."""

    def __init__(self, problems):
        self.problems = list(problems)
        super().__init__("\n".join(self.problems))


class UnknownName(KeyError):
    """A name the catalog does not hold; the message lists the nearest ones."""

    def __str__(self):
        return self.args[0]


@dataclass(frozen=True)
class Quantity:
    """One line of the table of quantities: what a name means everywhere."""

    name: str
    symbol: str
    unit: str
    type: str
    low: float | None
    high: float | None
    choices: tuple
    help: str


@dataclass(frozen=True)
class Fact:
    """One value with its range, unit and source; numbers are in SI units."""

    entity: str
    quantity: str
    value: float | str
    low: float | None
    high: float | None
    unit: str
    kind: str
    source: str
    where: str
    verified: str
    note: str
    printed: str


def _rows(table, header):
    """Yield (line number, row) of a table after checking its shape."""
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
                raise FactError(
                    f"data/{table}, line {reader.line_num}: expected {len(found)} columns, got {len(cells)}"
                )
            yield reader.line_num, dict(zip(found, cells))


class _Cell:
    """Reads cells of one row and says where it stands when one is wrong."""

    def __init__(self, table, line, row):
        self.table, self.line, self.row = table, line, row

    def wrong(self, column, expected):
        return FactError(
            f"data/{self.table}, line {self.line}, column {column}: expected {expected}, got {self.row[column]!r}"
        )

    def number(self, column, empty=False):
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
        if self.row[column] not in allowed:
            raise self.wrong(column, f"{what} ({', '.join(sorted(allowed))})" if len(allowed) < 40 else what)
        return self.row[column]

    def date(self, column):
        text = self.row[column]
        if text:
            try:
                datetime.date.fromisoformat(text)
            except ValueError:
                raise self.wrong(column, "a date like 2026-01-31, or nothing") from None
        return text

    def text(self, column):
        if not self.row[column].strip():
            raise self.wrong(column, "some text")
        return self.row[column]


@functools.cache
def quantities():
    """All quantities by name: symbol, unit, type, range and help.

    Raises
    ------
    FactError
        If a row of ``data/quantities.csv`` is malformed.
    """
    table = {}
    for line, row in _rows("quantities.csv", _QUANTITY):
        cell = _Cell("quantities.csv", line, row)
        name = cell.text("name")
        if name in table:
            raise cell.wrong("name", "a name not given before")
        table[name] = Quantity(
            name,
            row["symbol"],
            row["unit"],
            cell.text("type"),
            cell.number("low", empty=True),
            cell.number("high", empty=True),
            tuple(filter(None, row["choices"].split(";"))),
            cell.text("help"),
        )
    return table


def _fact(table, line, row):
    cell = _Cell(table, line, row)
    quantity = quantities()[cell.one_of("quantity", quantities(), "a name of data/quantities.csv")]
    cell.one_of("unit", UNITS, "a known unit")
    cell.one_of("kind", KINDS, "a kind of evidence")
    cell.text("entity"), cell.text("value"), cell.date("verified")
    if row["kind"] != "convention":
        cell.text("source")
    if row["verified"]:
        cell.text("where")
    unit, factor = UNITS[row["unit"]]
    if unit != quantity.unit:
        raise cell.wrong("unit", f"a unit of {quantity.name}, which is in {quantity.unit}")
    if factor is None:
        value, low, high = row["value"], None, None
    else:
        value, low, high = (cell.number(column, empty=column != "value") for column in ("value", "low", "high"))
        if low is not None and low > value:
            raise cell.wrong("low", f"at most the value {row['value']}")
        if high is not None and high < value:
            raise cell.wrong("high", f"at least the value {row['value']}")
        value, low, high = (None if number is None else number * factor for number in (value, low, high))
        if not (quantity.low or value) <= value <= (quantity.high or value):
            raise cell.wrong("value", f"{quantity.low:g} to {quantity.high:g} {quantity.unit}")
    printed = row["value"] if factor is None else f"{row['value']} {row['unit']}"
    rest = {name: row[name] for name in ("entity", "quantity", "kind", "source", "where", "verified", "note")}
    return Fact(value=value, low=low, high=high, unit=unit, printed=printed, **rest)


@functools.cache
def facts(table):
    """All facts of one tidy table of ``data/``, in the order of the file.

    Parameters
    ----------
    table : str
        File name, such as ``"accelerators.csv"``.

    Returns
    -------
    facts : tuple of Fact
        Numbers in SI units.

    Raises
    ------
    FactError
        For a malformed row; the message names file, line, column and what was expected.
    """
    found, lines = [], {}
    for line, row in _rows(table, _TIDY):
        fact = _fact(table, line, row)
        key = fact.entity, fact.quantity
        if key in lines:
            raise FactError(
                f"data/{table}, line {line}, column quantity: {fact.entity} has {fact.quantity} in line {lines[key]} already"
            )
        lines[key] = line
        found.append(fact)
    return tuple(found)


def tidy_tables():
    """Names of all tables of ``data/`` with one value a row."""
    return [
        path.name
        for path in sorted(DATA.glob("*.csv"))
        if path.read_text(encoding="utf-8").startswith(",".join(_TIDY) + "\n")
    ]


def _normal(name):
    return "".join(letter for letter in name.lower() if letter.isalnum() or letter == ".")


@dataclass(frozen=True)
class Record:
    """Everything the facts say of one entity; a value by attribute, its `Fact` by item."""

    entity: str
    facts: dict = field(repr=False)

    def __getattr__(self, quantity):
        if quantity.startswith("__") or quantity == "facts":
            raise AttributeError(quantity)
        if quantity in self.facts:
            return self.facts[quantity].value
        raise AttributeError(f"{self.entity} has no {quantity} in data/; it has {', '.join(self.facts)}")

    def __getitem__(self, quantity):
        return self.facts[quantity]

    def get(self, quantity, default=None):
        """Value of a quantity, or `default` where no source was found."""
        return self.facts[quantity].value if quantity in self.facts else default


@functools.cache
def _records(table):
    grouped = {}
    for fact in facts(table):
        grouped.setdefault(fact.entity, {})[fact.quantity] = fact
    return {entity: Record(entity, found) for entity, found in grouped.items()}


@dataclass(frozen=True)
class Model:
    """Dimensions of one network, all from one configuration."""

    entity: str
    name: str
    aliases: str
    tied_embeddings: bool
    source: str
    where: str
    verified: str
    note: str
    dimensions: dict = field(repr=False)

    def __getattr__(self, dimension):
        if dimension.startswith("__") or dimension == "dimensions":
            raise AttributeError(dimension)
        if dimension in self.dimensions:
            return self.dimensions[dimension]
        raise AttributeError(f"{self.entity} has no {dimension}; it has {', '.join(self.dimensions)}")

    @property
    def embedding_params(self):
        """Parameters of an untied input embedding, which is looked up and not multiplied with."""
        return 0 if self.tied_embeddings else self.vocab * self.d_model

    @property
    def params_shared(self):
        """Parameters that every token is multiplied with."""
        return self.params_total - self.params_routed - self.embedding_params


@functools.cache
def _models():
    found = {}
    for line, row in _rows("models.csv", None):
        missing = [column for column in _MODEL_TEXT if column not in row]
        if missing:
            raise FactError(f"data/models.csv, line 1: expected also the columns {', '.join(missing)}")
        cell = _Cell("models.csv", line, row)
        entity = cell.text("entity")
        if entity in found:
            raise cell.wrong("entity", "a model not given before")
        cell.text("name"), cell.text("source"), cell.text("where"), cell.date("verified")
        tied = cell.one_of("tied_embeddings", ("yes", "no"), "an answer") == "yes"
        dimensions = {
            column: cell.number(column, empty=column == "params_published")
            for column in row
            if column not in _MODEL_TEXT
        }
        for column, value in dimensions.items():
            if column not in quantities():
                raise cell.wrong(column, "a column named in data/quantities.csv")
            if value is not None and (value < 0 or value != int(value)):
                raise cell.wrong(column, "a whole number, 0 where it does not apply")
        dimensions = {column: None if value is None else int(value) for column, value in dimensions.items()}
        texts = {column: row[column] for column in _MODEL_TEXT if column != "tied_embeddings"}
        found[entity] = Model(tied_embeddings=tied, dimensions=dimensions, **texts)
    return found


@functools.cache
def _names(kind):
    """Every spelling people type -> entity."""
    spellings = {}
    for entity, record in _TABLES[kind]().items():
        aliases = record.aliases if kind == "model" else record.get("aliases", "")
        for alias in (entity, *filter(None, aliases.split(";"))):
            other = spellings.setdefault(_normal(alias), entity)
            if other != entity:
                raise FactError(f"{kind} alias {alias!r} stands for both {other} and {entity}")
    return spellings


_TABLES = {
    "accelerator": lambda: _records("accelerators.csv"),
    "model": _models,
    "format": lambda: _records("formats.csv"),
    "energy constant": lambda: _records("energy_constants.csv"),
    "memory stack": lambda: _records("memory.csv"),
}


def names(kind):
    """Canonical names the catalog holds of one kind.

    Parameters
    ----------
    kind : {"accelerator", "model", "format", "energy constant"}
        What to list.

    Returns
    -------
    names : list of str
        In the order of the data.
    """
    return list(_TABLES[kind]())


@functools.lru_cache(1024)
def find(kind, name):
    """Canonical name of what somebody typed.

    Parameters
    ----------
    kind : {"accelerator", "model", "format", "energy constant"}
        What to look for.
    name : str
        Canonical name or alias; case and punctuation do not matter.

    Returns
    -------
    entity : str
        Canonical name.

    Raises
    ------
    UnknownName
        With the nearest names, if nothing has that name.

    Examples
    --------
    >>> find("accelerator", "H100")
    'h100-sxm'
    """
    spellings = _names(kind)
    if _normal(name) in spellings:
        return spellings[_normal(name)]
    near = difflib.get_close_matches(_normal(name), spellings, n=9, cutoff=0.5)
    nearest = list(dict.fromkeys(spellings[spelling] for spelling in near))[:3]
    hint = f"did you mean {' or '.join(nearest)}?" if nearest else f"there are {', '.join(names(kind))}"
    raise UnknownName(f"no {kind} is called {name!r}; {hint}")


def accelerator(name):
    """Accelerator by name or alias.

    Parameters
    ----------
    name : str
        Such as ``"h100-sxm"`` or ``"H100"``.

    Returns
    -------
    accelerator : Record
        Values in SI units by attribute, each with its source by item.

    Raises
    ------
    UnknownName
        With the nearest names, if there is none.

    Examples
    --------
    >>> accelerator("H100").tdp_w
    700.0
    """
    return _records("accelerators.csv")[find("accelerator", name)]


def model(name):
    """Model by name or alias.

    Parameters
    ----------
    name : str
        Such as ``"llama-3.1-70b"`` or ``"Llama-3.1-70B-Instruct"``.

    Returns
    -------
    model : Model
        Dimensions by attribute.

    Raises
    ------
    UnknownName
        With the nearest names, if there is none.

    Examples
    --------
    >>> model("Llama-3.1-70B-Instruct").n_layers
    80
    """
    return _models()[find("model", name)]


def number_format(name):
    """Number format by name or alias.

    Parameters
    ----------
    name : str
        Such as ``"bf16"`` or ``"q4_k_m"``.

    Returns
    -------
    number_format : Record
        Width in bytes, readable name and what it applies to.

    Raises
    ------
    UnknownName
        With the nearest names, if there is none.

    Examples
    --------
    >>> number_format("bf16").bytes_per_value
    2.0
    """
    return _records("formats.csv")[find("format", name)]


def energy_constant(name):
    """Energy constant by name.

    Parameters
    ----------
    name : str
        Such as ``"gh200-hbm"``.

    Returns
    -------
    energy_constant : Record
        Values in J/B or J/FLOP, each with its range and source by item.

    Raises
    ------
    UnknownName
        With the nearest names, if there is none.

    Examples
    --------
    >>> round(energy_constant("gh200-hbm").energy_j_per_byte * 1e12, 2)
    93.44
    """
    return _records("energy_constants.csv")[find("energy constant", name)]


def memory_stack(name):
    """Memory stack of a standard by name.

    Parameters
    ----------
    name : str
        Such as ``"hbm4-stack"``.

    Returns
    -------
    memory_stack : Record
        Values in SI units, each with its source by item.

    Raises
    ------
    UnknownName
        With the nearest names, if there is none.

    Examples
    --------
    >>> memory_stack("hbm4-stack").interface_bits
    2048.0
    """
    return _records("memory.csv")[find("memory stack", name)]


@functools.cache
def constant_sets():
    """Sets of energy constants: set -> quantity -> fact.

    Returns
    -------
    sets : dict
        ``low``, ``typical`` and ``high`` name the movement share they lead to;
        ``article`` holds the article's own two constants.

    Raises
    ------
    FactError
        If a set names a constant that is not there.
    """
    sets = {}
    for line, row in _rows("constant_sets.csv", _SETS):
        cell = _Cell("constant_sets.csv", line, row)
        record = _records("energy_constants.csv").get(row["constant"])
        if record is None:
            raise cell.wrong("constant", "an entity of data/energy_constants.csv")
        wanted = {"memory_energy_j_per_byte": "energy_j_per_byte", "flop_energy_j_per_flop": "energy_j_per_flop"}
        quantity = wanted[cell.one_of("quantity", wanted, "a constant of the decode step")]
        sets.setdefault(row["entity"], {})[row["quantity"]] = record[quantity]
    return sets
