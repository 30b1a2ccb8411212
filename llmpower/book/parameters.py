"""A chapter's parameters: read from its one parameters cell, checked against the table of quantities."""

import ast
import functools
import pathlib
import reprlib
from dataclasses import dataclass

from llmpower import arguments
from llmpower.arguments import ParameterError
from llmpower.book.files import ChapterError, hint, read_notebook
from llmpower.facts import catalog
from llmpower.facts.quantities import quantities

_NAMED = ("model", "accelerator", "format")


@dataclass(frozen=True)
class Parameter:
    """A name a reader may set, with the chapter's default."""

    name: str
    default: object

    @property
    def quantity(self):
        """Its line in the table of quantities."""
        return quantities()[self.name]

    @property
    def allowed(self):
        """What may be given, in words."""
        kind, listed = _kind(self)
        if kind in _NAMED:
            one = f"{'an' if kind[0] in 'aeio' else 'a'} {kind} of the catalog"
        elif kind == "choice":
            one = "one of " + ", ".join(self.quantity.choices)
        else:
            one = arguments.span_in_words(self.quantity, whole=kind == "int")
        one = f"a list with commas, each {one}" if listed else one
        return f"{one}, or nothing" if self.default == "" else one

    @property
    def unit(self):
        """Unit in words, for messages and help."""
        return arguments.unit_in_words(self.quantity.unit)


def _kind(parameter):
    """Type of a parameter, and whether it is a list of such: "model list" is a list of models."""
    kind, _, listed = parameter.quantity.type.partition(" ")
    return kind, listed == "list"


def parameters_cell(notebook):
    """The one cell of a notebook that is tagged ``parameters``."""
    found = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    if len(found) != 1:
        raise ChapterError(f"a chapter has one cell tagged parameters, found {len(found)}")
    return found[0]


def comment(parameter):
    """What stands behind a parameter in its cell: help and unit, from the table of quantities."""
    return f"{parameter.quantity.help} [{parameter.unit}]"


@functools.cache
def parameters(path):
    """Parameters of a chapter by name, in the order of its cell.

    The cell may hold nothing but ``name: type = value`` lines with names of the table of quantities.
    """
    cell = parameters_cell(read_notebook(path))
    found = {}
    try:
        lines = ast.parse(cell.source).body
    except SyntaxError as error:
        raise ChapterError(f"{path}: line {error.lineno} of the parameters cell: {error.msg}") from None
    for node in lines:
        if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name) or node.value is None:
            raise ChapterError(f"{path}: a parameters cell holds `name: type = value` lines, not `{ast.unparse(node)}`")
        name = node.target.id
        if name not in quantities():
            raise ChapterError(f"{path}: parameter {name} is not in data/quantities.csv")
        found[name] = Parameter(name, ast.literal_eval(node.value))
    return found


def used(path, values):
    """All parameters of a chapter with the values it runs with."""
    return {one.name: values.get(one.name, one.default) for one in parameters(path).values()}


def _shown(value):
    """A value as a cell of a table: a list may break at its commas, and nothing is said to be nothing."""
    return "(none)" if value == "" else str(value).replace(",", ", ")


def used_table(path, values):
    """Markdown table of a chapter's parameters: the value each runs with, its unit and who set it."""
    lines = ["| parameter | value | set by | meaning |", "|:--|:--|:--|:--|"]
    for name, value in used(path, values).items():
        one = parameters(path)[name]
        unit = "" if one.unit in ("name", "count") else f" {one.unit}"
        default = _shown(one.default) + unit
        own = value != one.default
        shown = f"**{_shown(value)}{unit}** | reader; default {default}" if own else f"{default} | default"
        lines.append(f"| `{name}` | {shown} | {one.quantity.help} |")
    return "\n".join(lines)


def _one(parameter, kind, given):
    """One value to run with, or a problem in words."""
    if kind in _NAMED:
        try:
            return catalog.find(kind, str(given)), None
        except catalog.UnknownName as error:
            return None, f"{parameter.name}: {error}"
    if kind == "choice":
        value = given if given in parameter.quantity.choices else None
    else:
        value = arguments.number(given, parameter.quantity, whole=kind == "int")
    if value is None:
        return None, f"{parameter.name}: got {reprlib.repr(given)}; allowed is {parameter.allowed} [{parameter.unit}]"
    return int(value) if kind == "int" else value, None


def _checked(parameter, given):
    """The value to run with, or problems in words; a list stays text with commas, as papermill hands it over."""
    kind, listed = _kind(parameter)
    if given in ("", None) and parameter.default == "":
        return "", []
    parts = (given if isinstance(given, list) else str(given).split(",")) if listed else [given]
    checked = [_one(parameter, kind, part.strip() if listed and isinstance(part, str) else part) for part in parts]
    problems = [problem for _, problem in checked if problem]
    values = [value for value, _ in checked]
    return ",".join(map(str, values)) if listed else values[0], problems


def resolve(path, *given):
    """Values a chapter is to run with, checked: those that differ from its defaults.

    given: what was asked for, by name; text where it came from the command line. Later ones win over earlier ones.
    """
    known, values, problems = parameters(path), {}, []
    for name, value in (pair for one in given for pair in one.items()):
        if name not in known:
            has = f"{hint(name, known)}it has {', '.join(known)}"
            problems.append(f"{name}: no such parameter of {pathlib.Path(path).stem}; {has}")
            continue
        values[name], wrong = _checked(known[name], value)
        problems += wrong
    if problems:
        raise ParameterError(problems)
    return {name: value for name, value in values.items() if value != known[name].default}
