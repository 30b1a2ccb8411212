"""What a sweep runs: values of parameters, each with each, or some of them side by side."""

import contextlib
import math
from dataclasses import dataclass

from llmpower.arguments import ParameterError
from llmpower.book.files import BookError, read_yaml
from llmpower.facts import catalog

_NAMED = ("model", "accelerator", "format")
_KEYS = ("parameters", "grid", "zip")


@dataclass(frozen=True)
class Grid:
    """Combinations of values, the last axis moving fastest.

    fixed: what all of them have: name -> value.
    axes: of each axis, name -> values; several names of one axis go along together.
    """

    fixed: dict
    axes: tuple

    def __len__(self):
        return math.prod(len(next(iter(axis.values()))) for axis in self.axes)

    @property
    def sizes(self):
        """How many values each name has, in words."""
        return " x ".join(f"{len(values):,} {name}" for axis in self.axes for name, values in list(axis.items())[:1])

    @property
    def shared(self):
        """What all combinations have, in words."""
        return ", ".join(f"{name}={value}" for name, value in self.fixed.items()) or "nothing"

    def __getitem__(self, place):
        """Values by name of the combination at a place."""
        if not 0 <= place < len(self):
            raise IndexError(place)
        found = {}
        for axis in reversed(self.axes):
            place, at = divmod(place, len(next(iter(axis.values()))))
            found = {name: values[at] for name, values in axis.items()} | found
        return self.fixed | found


def _spread(text):
    """Values that a text stands for: between commas, or semicolons; or ``low:high:count``, or ``low:high:count:log``.

    >>> _spread("1,8"), _spread("1:9:3"), _spread("1:100:3:log"), _spread("b200;h100,tdp_w=350")
    (['1', '8'], [1.0, 5.0, 9.0], [1.0, 10.0, 100.0], ['b200', 'h100,tdp_w=350'])
    """
    ends = text.split(":")
    if len(ends) in (3, 4) and (len(ends) == 3 or ends[3] == "log"):
        with contextlib.suppress(ValueError):
            low, high, count = float(ends[0]), float(ends[1]), int(ends[2])
            if count < 2 or len(ends) == 4 and not (low > 0 and high > 0):
                return []
            if len(ends) == 3:
                return [low + (high - low) * at / (count - 1) for at in range(count)]
            # The ends exactly.
            inner = [low * (high / low) ** (at / (count - 1)) for at in range(1, count - 1)]
            return [low, *inner, high]
    return [one.strip() for one in text.split(";" if ";" in text else ",")]


def _values(given, one):
    """List of what was typed for a quantity, in a file or on the command line; it is None if there is no such."""
    if given == "all" and one:
        if one.type == "accelerator":
            # A whole system is no accelerator of an estimate.
            return [name for name in catalog.names(one.type) if catalog.accelerator(name).category != "system"]
        return catalog.names(one.type) if one.type in _NAMED else list(one.choices) or [given]
    values = given if isinstance(given, list) else _spread(str(given))
    whole = one is not None and one.type == "int" and isinstance(given, str)
    return [round(value) if whole and isinstance(value, float) else value for value in values]


def read(check, known, grid=(), together=(), fixed=(), file=None):
    """`Grid` of what was asked for; ParameterError with every problem.

    check: name -> list of values as typed, to name -> list of values to run with.
    known: name -> `Quantity`. The value ``all`` stands for all that the catalog has, or all choices.
    grid, together, fixed: (name, text) pairs: each with each; side by side; the same for all.
    file: a YAML file with ``parameters``, ``grid`` and ``zip``; options win over its names.
    """
    asked = _file(file) if file is not None else {key: {} for key in _KEYS}
    given = {"parameters": dict(fixed), "grid": dict(grid), "zip": dict(together)}
    named = [name for pairs in (grid, together, fixed) for name, _ in pairs]
    named += [name for key in _KEYS for name in asked[key] if name not in named]
    problems = [f"{name}: given twice" for name in dict.fromkeys(named) if named.count(name) > 1]
    named = [name for pairs in (grid, together, fixed) for name, _ in pairs]
    blocks = {key: {name: one for name, one in asked[key].items() if name not in named} | given[key] for key in _KEYS}
    lists = {name: [value] for name, value in blocks["parameters"].items()}
    for name, one in (blocks["grid"] | blocks["zip"]).items():
        lists[name] = _values(one, known.get(name))
        if not lists[name]:
            allowed = "at least one, or low:high:count from 2 values on, or low:high:count:log above zero"
            problems.append(f"{name}: got {one!r}; allowed is {allowed}")
    if not blocks["grid"] and not blocks["zip"]:
        problems.append("grid: got nothing; allowed is at least one name with its values, such as batch=1,8,64")
    try:
        found = check(lists)
    except ParameterError as error:
        problems += error.problems
        found = lists
    # Whole numbers between two ends may come out twice.
    found = {name: list(dict.fromkeys(values)) if name in blocks["grid"] else values for name, values in found.items()}
    lengths = {name: len(found.get(name, ())) for name in blocks["zip"]}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} {length}" for name, length in lengths.items())
        problems.append(f"zip: got lists of different lengths, {told}; allowed are lists of one length")
    if problems:
        raise ParameterError(dict.fromkeys(problems))
    axes = [{name: tuple(found[name])} for name in blocks["grid"]]
    axes += [{name: tuple(found[name]) for name in blocks["zip"]}] if blocks["zip"] else []
    return Grid({name: found[name][0] for name in blocks["parameters"]}, tuple(axes))


def _file(path):
    """Blocks of a sweep file, whose shape is checked here."""
    try:
        content = read_yaml(path, as_text=True)
    except BookError as error:
        raise ParameterError([str(error)]) from None
    if not isinstance(content, dict):
        raise ParameterError([f"{path}: expected `parameters:`, `grid:` and `zip:`, got {type(content).__name__}"])
    wrong = [f"{path}: unknown key {key!r}; allowed are {', '.join(_KEYS)}" for key in content if key not in _KEYS]
    blocks = {key: content.get(key) or {} for key in _KEYS}
    for key, block in blocks.items():
        if not isinstance(block, dict):
            wrong.append(f"{path}: {key} holds `name: values` lines, not {block!r}")
    if wrong:
        raise ParameterError(wrong)
    return blocks
