"""A chapter's parameters: read from its one parameters cell, checked against the table of quantities."""

import ast
import difflib
import functools
import pathlib
import reprlib
from dataclasses import dataclass

import nbformat

from llmpower.arguments import ParameterError
from llmpower.facts import catalog
from llmpower.facts.quantities import quantities


class BookError(RuntimeError):
    """The book cannot be found or rendered."""


class ChapterError(RuntimeError):
    """A chapter cannot be read or stopped half way; the message names the file, or the cell and the error."""


def read_notebook(path):
    """A notebook, or ChapterError with its name if it is none."""
    try:
        return nbformat.read(pathlib.Path(path), as_version=4)
    except Exception as error:
        raise ChapterError(f"{path}: not a notebook: {str(error).splitlines()[0]}") from None


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
            what = "a whole number" if kind == "int" else "a number"
            one = f"{what} from {self.quantity.low:,.12g} to {self.quantity.high:,.12g}"
        one = f"a list with commas, each {one}" if listed else one
        return f"{one}, or nothing" if self.default == "" else one

    @property
    def unit(self):
        """Unit in words, for messages and help."""
        return {"": "name", "1": "count"}.get(self.quantity.unit, self.quantity.unit)


_NAMED = ("model", "accelerator", "format")


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
    """Parameters of a chapter, in the order of its cell.

    Parameters
    ----------
    path : pathlib.Path
        The notebook.

    Returns
    -------
    parameters : dict of Parameter
        By name.

    Raises
    ------
    ChapterError
        If the file is no notebook, or the cell holds anything but ``name: type = value`` lines with names
        of the table of quantities.
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


def _shown(value):
    """A value as a cell of a table: a list may break at its commas, and nothing is said to be nothing."""
    return "(none)" if value == "" else str(value).replace(",", ", ")


def used_table(path, values):
    """Every parameter of a chapter with the value it runs with, its unit and who set it.

    Parameters
    ----------
    path : pathlib.Path
        The notebook.
    values : dict
        Checked parameters that a scenario file or the command line set.

    Returns
    -------
    table : str
        Markdown.
    """
    lines = ["| parameter | value | set by | meaning |", "|:--|:--|:--|:--|"]
    for one in parameters(path).values():
        unit = "" if one.unit in ("name", "count") else f" {one.unit}"
        default = _shown(one.default) + unit
        value, who = default, "default"
        if one.name in values:
            value, who = f"**{_shown(values[one.name])}{unit}**", f"reader; default {default}"
        lines.append(f"| `{one.name}` | {value} | {who} | {one.quantity.help} |")
    return "\n".join(lines)


def _number(parameter, kind, given):
    """The given value as a number of the right type and range, or None."""
    if isinstance(given, bool):
        return None
    try:
        value = float(given)
    except (TypeError, ValueError, OverflowError):
        return None
    if not parameter.quantity.low <= value <= parameter.quantity.high:
        return None
    if kind == "int":
        return int(value) if value == int(value) else None
    return value


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
        value = _number(parameter, kind, given)
    if value is None:
        return None, f"{parameter.name}: got {reprlib.repr(given)}; allowed is {parameter.allowed} [{parameter.unit}]"
    return value, None


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


def resolve(path, given):
    """Values a chapter is to run with, checked.

    Parameters
    ----------
    path : pathlib.Path
        The notebook.
    given : dict
        What the reader asked for, by name; text where it came from the command line.

    Returns
    -------
    values : dict
        The given values that differ from the chapter's defaults, with canonical
        names and right types.

    Raises
    ------
    ParameterError
        Naming every unknown name, wrong type and value out of range.
    """
    known, values, problems = parameters(path), {}, []
    for name, value in given.items():
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}? " if near else ""
            problems.append(f"{name}: no such parameter of {pathlib.Path(path).stem}; {hint}it has {', '.join(known)}")
            continue
        checked, wrong = _checked(known[name], value)
        problems += wrong
        if wrong:
            continue
        if checked != known[name].default:
            values[name] = checked
    if problems:
        raise ParameterError(problems)
    return values
