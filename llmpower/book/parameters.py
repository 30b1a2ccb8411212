"""A chapter's parameters: read from its one parameters cell, checked against the table of quantities."""

import ast
import functools
import pathlib
import re
import reprlib
from dataclasses import dataclass

from llmpower.arguments import Check, hint, number, span_in_words, unit_in_words, written_out
from llmpower.book.files import ChapterError, filled, read_notebook
from llmpower.facts import catalog
from llmpower.facts.quantities import Quantity, quantities
from llmpower.facts.units import UNITS

_NUMBERS = ("int", "float")
# Behind the value of a parameter of one's own: help [unit] (what is allowed).
_SAID = re.compile(r"#\s*(?P<help>[^\[\]]*\S)\s*\[(?P<unit>[^\]]*)\]\s*\((?P<allowed>[^()]*)\)\s*$")
_NAMED = ("model", "accelerator", "format")
# What a parameter of this name, and no list, takes besides names.
_OWN = {
    "model": ", or path/to/config.json",
    "accelerator": ", values over one (h100-sxm,memory_bytes=96GB), or a YAML file",
}


@dataclass(frozen=True)
class Parameter:
    """A name a reader may set, with the chapter's default."""

    name: str
    default: object
    # Its line in the table of quantities, or what its own line says.
    quantity: Quantity

    @property
    def allowed(self):
        """What may be given, in words."""
        kind, listed = _kind(self)
        if kind in _NAMED:
            one = f"{'an' if kind[0] in 'aeio' else 'a'} {kind} of the catalog{_OWN.get(self.name, '')}"
        elif kind == "choice":
            one = "one of " + ", ".join(self.quantity.choices)
        else:
            one = span_in_words(self.quantity, whole=kind == "int")
        one = f"a list with commas, each {one}" if listed else one
        return f"{one}, or nothing" if self.default == "" else one

    @property
    def unit(self):
        """Unit in words, for messages and help."""
        return unit_in_words(self.quantity.unit)


def _kind(parameter):
    """Type of a parameter, and whether it is a list of such: "model list" is a list of models."""
    kind, _, listed = parameter.quantity.type.partition(" ")
    return kind, listed == "list"


def parameters_cell(path):
    """The one cell of a chapter that is tagged ``parameters``."""
    notebook = read_notebook(path)
    found = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    if len(found) != 1:
        raise ChapterError(f"{path}: a chapter has one cell tagged parameters, found {len(found)}")
    return found[0]


def comment(parameter):
    """What stands behind a parameter in its cell: help and unit, from the table of quantities."""
    return f"{parameter.quantity.help} [{parameter.unit}]"


@functools.cache
def parameters(path):
    """Parameters of a chapter by name, in the order of its cell.

    The cell may hold nothing but ``name: type = value`` lines. A name that is not in the table of quantities says
    behind its value what it means, its unit and what is allowed: ``# students [1] (1 to 500)``.
    """
    cell = parameters_cell(path)
    found = {}
    try:
        lines = ast.parse(cell.source).body
    except SyntaxError as error:
        raise ChapterError(f"{path}: line {error.lineno} of the parameters cell: {error.msg}") from None
    for node in lines:
        if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name) or node.value is None:
            raise ChapterError(f"{path}: a parameters cell holds `name: type = value` lines, not `{ast.unparse(node)}`")
        name, written = node.target.id, cell.source.splitlines()[node.end_lineno - 1]
        try:
            value = ast.literal_eval(node.value)
        except ValueError:
            told = f"is a number or a text, not `{ast.unparse(node.value)}`, which is to be computed in a later cell"
            raise ChapterError(f"{path}: the value of parameter {name} {told}") from None
        quantity = quantities().get(name) or _own(name, ast.unparse(node.annotation), written)
        if isinstance(quantity, str):
            near = hint(name, quantities())
            raise ChapterError(f"{path}: parameter {name} is not in data/quantities.csv; {near}else {quantity}")
        found[name] = Parameter(name, value, quantity)
        check = Check()
        if quantities().get(name) is None and _value(check, found[name], found[name].default) is None:
            raise ChapterError(f"{path}: {check.problems[0]}")
    return found


def _own(name, kind, line):
    """`Quantity` of a parameter of a chapter's own from its line in the cell, or what that should have, in words."""
    if kind not in (*_NUMBERS, "str"):
        return f"its type should be int, float or str, not {kind}"
    said = _SAID.search(line)
    example = "students [1] (1 to 500)" if kind in _NUMBERS else "kind of course [name] (short, long)"
    if not said:
        return f"its line should read `{name}: {kind if kind in _NUMBERS else 'str'} = …  # {example}`"
    unit = {"count": "1", "name": ""}.get(said["unit"], said["unit"])
    if unit and unit not in UNITS:
        return f"its unit should be one of {', '.join(UNITS)}, not {unit!r}"
    ends = [number.strip().replace(",", "") for number in said["allowed"].split(" to ")]
    try:
        low, high = map(float, ends) if kind in _NUMBERS else (None, None)
    except ValueError:
        return f"what is allowed should read like (1 to 500), not ({said['allowed']})"
    if kind in _NUMBERS:
        return Quantity(name, "", unit, kind, low, high, (), said["help"])
    choices = tuple(word.strip() for word in said["allowed"].split(","))
    return Quantity(name, "", unit, "choice", None, None, choices, said["help"])


def used(path, values):
    """All parameters of a chapter with the values it runs with."""
    return {one.name: values.get(one.name, one.default) for one in parameters(path).values()}


def used_table(path, values):
    """Markdown table of a chapter's parameters: the value each runs with, its unit and who set it."""
    known, values = parameters(path), used(path, values)
    shown = {name: _title(known[name], value) for name, value in values.items()}
    return filled("templates/parameters.md.j2", parameters=known.values(), used=shown).strip()


def _title(parameter, value):
    """A value as a table shows it: of a configuration its name."""
    return catalog.model(value).entity if parameter.name == "model" and value.startswith("{") else value


def _one(check, parameter, kind, given):
    """One value to run with; if it is none, the check knows why."""
    if kind in _NAMED:
        found = check.record(parameter.name, kind, given)
        own = found and found.get("as_text")
        if own and parameter.name not in _OWN:
            check.wrong(parameter.name, f"got {reprlib.repr(given)}; here allowed are names of the catalog alone")
        # What is no name of the catalog goes along whole, so that a run stands alone.
        return found and (own or found.entity)
    if kind == "choice":
        value = given if given in parameter.quantity.choices else None
    else:
        value = number(given, parameter.quantity, whole=kind == "int")
    if value is None:
        told = f"got {reprlib.repr(given)}; allowed is {parameter.allowed} [{parameter.unit}]{written_out(given)}"
        check.wrong(parameter.name, told)
        return None
    # A chapter that writes whole numbers shows them so.
    return int(value) if kind == "int" or type(parameter.default) is int and value == int(value) else value


def _value(check, parameter, given):
    """The value to run with; a list stays text with commas, as papermill hands it over."""
    kind, listed = _kind(parameter)
    if given in ("", None) and parameter.default == "":
        return ""
    if not listed:
        return _one(check, parameter, kind, given)
    parts = given if isinstance(given, list) else str(given).split(",")
    return ",".join(str(_one(check, parameter, kind, str(part).strip())) for part in parts)


def each(path, lists):
    """Values to run with, of lists of what was asked for, by name; a ParameterError has all problems."""
    known, found, check = parameters(path), {}, Check()
    for name, given in lists.items():
        if _there(check, path, name):
            found[name] = [_value(check, known[name], value) for value in given]
    check.done()
    return found


def _there(check, path, name):
    """Whether a chapter has a parameter; if not, the check knows."""
    known = parameters(path)
    if name not in known:
        has = f"{hint(name, known)}it has {', '.join(known)}"
        check.wrong(name, f"no such parameter of {pathlib.Path(path).stem}; {has}")
    return name in known


def chosen(path, *given):
    """Values a chapter is to run with, checked: those that differ from its defaults.

    given: what was asked for, by name; text where it came from the command line. Later ones win over earlier ones.
    """
    known, values, check = parameters(path), {}, Check()
    for name, value in (pair for one in given for pair in one.items()):
        if _there(check, path, name):
            values[name] = _value(check, known[name], value)
    check.done()
    return {name: value for name, value in values.items() if value != known[name].default}
