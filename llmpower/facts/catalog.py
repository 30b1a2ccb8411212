"""What is known of accelerators, models, formats and energy: one record an entity, one fact a value.

Each value keeps its own source, date and range.  Values are converted once, here, from the unit their source prints
to the SI unit of the quantity; formulas never see a pJ/bit.
"""

import difflib
import functools
import json
import re
import reprlib
from dataclasses import dataclass, field

from llmpower.facts import configuration, machine, tables
from llmpower.facts.quantities import quantities
from llmpower.facts.tables import TABLES, TIDY, FactError, Named, UnknownAttribute, UnknownName, rows
from llmpower.facts.units import UNITS
from llmpower.trace import by_choice

KINDS = ("datasheet", "measurement", "paper", "industry_report", "estimate", "derived", "convention")
# Parts of a network that may have a format of their own; `rest`: whatever is not named, but for the experts.
PARTS = ("experts", "attention", "output", "embedding", "rest")
_MODEL_TEXT = ("entity", "name", "aliases", "tied_embeddings", "source", "where", "verified", "note")


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

    @property
    def ends(self):
        """Low, value and high; where no end is known the value stands for it."""
        return [self.value if end is None else end for end in (self.low, self.value, self.high)]

    @property
    def second_hand(self):
        """Whether nobody saw it in its source, or that repeats what others found; what we chose ourselves is ours."""
        return self.kind != "convention" and (not self.verified or first(self.source) in secondary())


def first(source):
    """The first of the keys of a source: the document in which a value was seen.

    >>> first("notes2030;paper2029")
    'notes2030'
    """
    return source.split(";")[0]


@functools.cache
def secondary():
    """Works of ``data/references.bib`` that repeat what others found, as their notes say."""
    library = (tables.DATA / "references.bib").read_text("utf-8")
    entries = re.findall(r"^@\w+\{([^,\s]+),(.*?)^\}", library, re.MULTILINE | re.DOTALL)
    return {key for key, entry in entries if "Secondary" in entry}


def _fact(cells):
    row, quantity = cells.row, quantities()[cells.one_of("quantity", quantities(), "a name of data/quantities.csv")]
    cells.one_of("unit", UNITS, "a known unit")
    cells.one_of("kind", KINDS, "a kind of evidence")
    cells.text("entity"), cells.text("value"), cells.date("verified"), cells.key("entity"), cells.key("source")
    if row["kind"] != "convention":
        cells.text("source")
    if row["verified"]:
        cells.text("where")
    unit, factor = UNITS[row["unit"]]
    if unit != quantity.unit:
        raise cells.wrong("unit", f"a unit of {quantity.name}, which is in {quantity.unit}")
    value, low, high, printed = cells.plain("value"), None, None, cells.plain("value")
    if factor is not None:
        value, low, high = (cells.number(column, empty=column != "value") for column in ("value", "low", "high"))
        if low is not None and low > value:
            raise cells.wrong("low", f"at most the value {row['value']}")
        if high is not None and high < value:
            raise cells.wrong("high", f"at least the value {row['value']}")
        value, low, high = (None if number is None else number * factor for number in (value, low, high))
        for column, number in (("value", value), ("low", low), ("high", high)):
            quantity.checked(cells, column, number)
        printed = f"{row['value']} {row['unit']}"
    rest = {name: row[name] for name in ("entity", "quantity", "kind", "source", "verified")}
    rest |= {name: cells.plain(name) for name in ("where", "note")}
    return Fact(value=value, low=low, high=high, unit=unit, printed=printed, **rest)


@functools.cache
def facts(table):
    """All facts of one tidy table, such as ``"accelerators.csv"``, in the order of the file.

    A malformed row is a `FactError` that names file, line, column and what was expected.
    """
    return tuple(map(_fact, rows(table)))


def tidy_tables():
    """Names of all tables of ``data/`` with one value a row."""
    return [table for table, columns in TABLES.items() if columns == TIDY]


# One entity is one object, so that results for it can be kept.
@dataclass(frozen=True, eq=False)
class Record:
    """Everything the facts say of one entity; a value by attribute, its `Fact` by item."""

    entity: str
    facts: dict = field(repr=False)

    def __post_init__(self):
        # An estimate that follows its options asks for values a million times.
        vars(self).update({name: self.value(name) for name in self.facts if name not in vars(self)})

    def __getattr__(self, quantity):
        if quantity.startswith("__") or quantity == "facts":
            raise AttributeError(quantity)
        try:
            return self.value(quantity)
        except KeyError as error:
            raise UnknownAttribute(*error.args) from None

    def value(self, quantity):
        """Value of a quantity that it has."""
        return self.facts[quantity].value

    def __getitem__(self, quantity):
        return self.facts[quantity]

    def get(self, quantity, default=None):
        """Value of a quantity, or `default` where no source was found."""
        return self.value(quantity) if quantity in self.facts else default


@functools.cache
def records(table):
    """Everything in one tidy table of ``data/``: entity -> `Record`, in the order of the file."""
    grouped = {}
    for fact in facts(table):
        grouped.setdefault(fact.entity, Named(f"data/{table}: {fact.entity}"))[fact.quantity] = fact
    return Named(f"data/{table}", {entity: Record(entity, found) for entity, found in grouped.items()})


def fact(table, entity, quantity):
    """One fact of a tidy table; `UnknownName` if there is none.

    >>> fact("datacenter.csv", "gpt-4-training", "training_energy_j").printed
    '42.4 GWh'
    """
    return records(table)[entity][quantity]


class Model(Record):
    """One network: its texts and dimensions by attribute, all from one configuration; `facts` has them by name."""

    def value(self, name):
        """A text, or a dimension; those have one source together."""
        return self.facts[name]

    @property
    def embedding_params(self):
        """Parameters of an untied input embedding, which is looked up and not multiplied with."""
        return 0 if self.tied_embeddings else self.vocab * self.d_model

    @property
    def params_shared(self):
        """Parameters that every token is multiplied with."""
        return self.params_total - self.params_routed - self.embedding_params

    @property
    def attention_params(self):
        """Parameters of attention, without norms and biases; None where they are not counted apart.

        Left out: networks with gates or layers of another kind, whose widths the catalog does not have.
        """
        layers, heads, width = self.n_full_layers + self.n_window_layers, self.n_heads, self.d_model
        if self.state_values:
            return None
        if not self.mla_latent:
            return layers * 2 * width * self.head_dim * (heads + self.n_kv_heads)
        asked, rank = heads * (self.mla_nope + self.mla_rope), self.mla_q_rank
        query = rank * (width + asked) if rank else width * asked
        cached = width * (self.mla_latent + self.mla_rope) + self.mla_latent * heads * (self.mla_nope + self.mla_v)
        return layers * (query + cached + heads * self.mla_v * width)


@functools.cache
def models():
    """All networks of ``data/models.csv`` by name; a malformed row is a `FactError`."""
    found = Named("data/models.csv")
    for cells in rows("models.csv"):
        row = cells.row
        cells.text("entity"), cells.text("name"), cells.text("source"), cells.text("where"), cells.date("verified")
        cells.key("entity"), cells.key("source")
        tied = {"tied_embeddings": cells.one_of("tied_embeddings", ("yes", "no"), "an answer") == "yes"}
        dimensions = {column: _dimension(cells, column) for column in row if column not in _MODEL_TEXT}
        facts = {name: row[name] for name in _MODEL_TEXT} | {"name": cells.plain("name")} | tied | dimensions
        found[row["entity"]] = Model(row["entity"], Named(f"data/models.csv: {row['entity']}", facts))
    return found


def _dimension(cells, column):
    if column not in quantities():
        raise cells.wrong(column, "a column named in data/quantities.csv")
    return quantities()[column].checked(cells, column, cells.whole(column, empty=column == "params_published"))


NAMED = {
    "accelerator": lambda: records("accelerators.csv"),
    "model": models,
    "format": lambda: records("formats.csv"),
    "energy constant": lambda: records("energy_constants.csv"),
    "memory stack": lambda: records("memory.csv"),
}


def names(kind):
    """Canonical names of one kind, in the order of the data: one of the keys of the catalog, such as ``"model"``."""
    return list(NAMED[kind]())


def _plain(name):
    return "".join(letter for letter in name.lower() if letter.isalnum() or letter == ".")


@functools.cache
def spellings(kind):
    """Every spelling people type -> entity."""
    found, table = {}, NAMED[kind]()
    for entity, record in table.items():
        for alias in (entity, *filter(None, record.get("aliases", "").split(";"))):
            other = found.setdefault(_plain(alias), entity)
            if other != entity:
                raise FactError(f"{table.place}: {kind} alias {alias!r} stands for both {other} and {entity}")
    return found


@functools.lru_cache(1024)
def find(kind, name):
    """Canonical name of what somebody typed; case and punctuation do not matter.

    A name that nothing has is an `UnknownName`, whose message lists the nearest of its family, else of like spelling.

    >>> find("accelerator", "H100")
    'h100-sxm'
    """
    known, plain = spellings(kind), _plain(name)
    if plain in known:
        return known[plain]
    nearest = list(dict.fromkeys(known[spelling] for spelling in _near(known, name)))[:3]
    listed = kind in ("accelerator", "model")
    others = f"`llmpower {kind}s` lists all {len(names(kind))}" if listed else f"there are {', '.join(names(kind))}"
    hint = f"did you mean {' or '.join(nearest)}?" if nearest else others
    hint += "; any other may be given by its config.json" * (kind == "model")
    # Readers type names of the first three; the code asks for the others, so whoever renamed one is told where.
    where = f" in {NAMED[kind]().place}" if kind not in list(NAMED)[:3] else ""
    raise UnknownName(f"no {kind} is called {reprlib.repr(name)}{where}; {hint}")


@functools.lru_cache(32)
def _configured(text, name):
    """`Model` of a configuration; the same one is the same object."""
    name = f"{name}/config.json" if name in models() else name
    try:
        net, assumed = configuration.network(json.loads(text))
    except UnknownName as error:
        raise UnknownName(f"{name}: {error}") from None
    own = {"entity": name, "name": name, "params_published": None, "assumed": assumed}
    own["as_text"] = json.dumps({"name": name} | json.loads(text))
    return Model(name, Named(name, dict.fromkeys(_MODEL_TEXT, "") | net | own))


def _own_model(name):
    """`Model` of a configuration, as a text or a dictionary, its file or its folder; None where a name is meant."""
    if isinstance(name, str) and name.startswith("{"):
        return _configured(*configuration.read(name, "the configuration"))
    if isinstance(name, dict):
        return _configured(*configuration.plain(name))
    path = None if _plain(str(name)) in spellings("model") else configuration.located(name)
    return path and _configured(*configuration.load(path))


@functools.lru_cache(32)
def _typed(title, given):
    """Machine of values that somebody typed; the same ones are the same object."""
    values = dict(given)
    like, name = (values.pop(key, None) for key in ("like", "name"))
    # A name of the catalog alone: what is typed over a machine is none.
    facts = dict(records("accelerators.csv")[find("accelerator", like)].facts) if like else {}
    typed = machine.read(values)
    for quantity, value in typed.items():
        if quantity in facts and value != facts[quantity].value:
            facts.pop(machine.REACHED.get(quantity), None)
    # A machine of the catalog is completed as it would be without typed values.
    if missing := [one for one in machine.NEEDED if not like and one not in typed]:
        raise UnknownName(f"{title}: give {', '.join(f'{one} [{quantities()[one].unit}]' for one in missing)} too")

    def fact(quantity, value, unit="text", low=None, high=None):
        return Fact(title, quantity, value, low, high, unit, "convention", "", "", "", "as typed", str(value))

    said = ", ".join(f"{quantity} {value}" for quantity, value in values.items())
    told = (f"machine as typed: {said}" + (f"; the rest as {like}" if like else ""),)
    facts |= {quantity: fact(quantity, value, quantities()[quantity].unit) for quantity, value in typed.items()}
    if wrong := machine.contradictions({quantity: one.value for quantity, one in facts.items()}):
        raise UnknownName(f"{title}: {'; '.join(wrong)}")
    if like and "tdp_w" in typed:
        told += ("a typed tdp_w is another rating; a limit that is set on a board is power_cap_w",)
    name = name or (f"{facts['name'].value}, changed" if like else title)
    if "idle_w" in typed:
        # Nobody who types it knows of two sorts of idle.
        facts["loaded_idle_w"] = fact("loaded_idle_w", typed["idle_w"], "W")
    text = ",".join([like or f"name={name}", *(f"{quantity}={value}" for quantity, value in values.items())])
    facts |= {"name": fact("name", name), "assumed": fact("assumed", told), "as_text": fact("as_text", text)}
    own = {name: fact(name, "own") for name in ("category", "vendor")}
    return Record(title, Named(title, own | facts))


def _own_machine(name):
    """Record of values that were typed, or of a file with such; None where a name is meant."""
    if found := machine.typed(name):
        values, title = found
        return _typed(title, tuple(sorted((key, str(value)) for key, value in values.items())))


@functools.lru_cache(256)
def _mixed(like, given):
    """Format of a network whose parts differ; the same one is the same object.

    like: name of the format that counts where no other is given. given: names by part, sorted as `PARTS`.
    """
    base = look_up("format", like)
    parts = {part: look_up("format", name) for part, name in given}
    title = ",".join([base.entity, *(f"{part}={one.entity}" for part, one in parts.items())])
    name = ", ".join([base.name, *(f"{part} {one.name}" for part, one in parts.items())])

    def fact(quantity, value):
        return Fact(title, quantity, value, None, None, "text", "convention", "", "", "", "as typed", title)

    own = {"name": fact("name", name), "parts": fact("parts", Named(title, parts)), "base": fact("base", base)}
    return Record(title, Named(title, {**base.facts, **own}))


def _own_format(name):
    """Record of a format with others behind it for parts, such as ``"fp8,experts=nvfp4"``; None for a plain name."""
    if not isinstance(name, str) or "=" not in name:
        return None
    like, values = machine.behind(name)
    problems = [
        f"{reprlib.repr(part)}: not a part of a network; those are {', '.join(PARTS)}"
        for part in values
        if part not in PARTS
    ]
    for part, one in ((None, like), *values.items()):
        try:
            find("format", one)
        except UnknownName as error:
            problems.append(f"{part}: {error}" if part else str(error))
    if problems:
        raise UnknownName("; ".join(problems))
    return _mixed(find("format", like), tuple((part, find("format", values[part])) for part in PARTS if part in values))


def part_format(weight_format, part, mixture):
    """Format of a part of a network, one of `PARTS`; arguments are records, and whether the network has experts.

    What a format does not apply to stays in 16 bit: all but the experts of a mixture where it is one for experts, the
    output layer and the embedding where it is one for the layers between them.

    >>> part_format(number_format("fp8,output=bf16"), "output", False).entity
    'bf16'
    """
    named, base = weight_format.get("parts", {}), weight_format.get("base", weight_format)
    if part in named:
        return named[part]
    if part != "experts" and "rest" in named:
        return named["rest"]
    wide = part in ("output", "embedding") if base.applies_to == "blocks" else part != "experts" and mixture
    return records("formats.csv")["bf16"] if base.applies_to != "all" and wide else base


def _near(known, name):
    """Spellings near a name: of its series, "h" of an h900; else of its maker; else those that a slip would explain."""
    for part in reversed(name.split("/")):
        letters = re.match("[a-z]*", _plain(part))[0]
        kin = [spelling for spelling in known if letters and spelling.startswith(letters)]
        if kin:
            return difflib.get_close_matches(_plain(part), kin, n=9, cutoff=0.5) or kin
    return difflib.get_close_matches(_plain(name), known, n=9, cutoff=0.7)


@by_choice
def look_up(kind, name):
    """Record of what somebody typed; a record is handed back as it is, unless a model was given for a machine.

    A model may be the `config.json` of a network too: its path, its folder, or what it holds. An accelerator may be a
    file in YAML, a dictionary, or a name with values behind it, as `facts.machine.typed` reads them; a format may have
    others behind it for parts of a network.
    """
    if isinstance(name, Record) and isinstance(name, Model) == (kind == "model"):
        return name
    owns = {"model": _own_model, "accelerator": _own_machine, "format": _own_format}
    own = owns.get(kind, lambda _: None)(name)
    return own or NAMED[kind]()[find(kind, str(name))]


def accelerator(name):
    """Accelerator by name or alias, as a `Record`: values in SI units by attribute, each with its source by item.

    >>> accelerator("H100").tdp_w
    700.0
    """
    return look_up("accelerator", name)


def model(name):
    """Network by name or alias, as a `Model`: dimensions by attribute.

    >>> model("Llama-3.1-70B-Instruct").n_layers
    80
    """
    return look_up("model", name)


def number_format(name):
    """Number format by name or alias, as a `Record`: width in bytes, readable name and what it applies to.

    Others may follow for parts of a network, one of `PARTS` each.

    >>> number_format("bf16").bytes_per_value
    2.0
    >>> number_format("FP8,experts=mx-fp4").entity
    'fp8,experts=mxfp4'
    """
    return look_up("format", name)


def energy_constant(name):
    """Energy constant by name, as a `Record`: values in J/B or J/FLOP, each with its range and source by item.

    >>> round(energy_constant("gh200-hbm").energy_j_per_byte * 1e12, 2)
    93.44
    """
    return look_up("energy constant", name)


def memory_stack(name):
    """Memory stack of a standard by name, as a `Record`.

    >>> memory_stack("hbm4-stack").interface_bits
    2048.0
    """
    return look_up("memory stack", name)


@functools.cache
def constant_sets():
    """Sets of energy constants: set -> quantity -> fact.

    ``low``, ``typical`` and ``high`` name the movement share they lead to.
    """
    wanted = {"memory_energy_j_per_byte": "energy_j_per_byte", "flop_energy_j_per_flop": "energy_j_per_flop"}
    sets = Named("data/constant_sets.csv")
    for cells in rows("constant_sets.csv"):
        record = records("energy_constants.csv").get(cells.row["constant"])
        if record is None:
            raise cells.wrong("constant", "an entity of data/energy_constants.csv")
        quantity = cells.one_of("quantity", wanted, "a constant of the decode step")
        entity = cells.text("entity")
        sets.setdefault(entity, Named(f"data/constant_sets.csv: {entity}"))[quantity] = record[wanted[quantity]]
    return sets
