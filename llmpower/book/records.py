"""Hidden outputs of a notebook: the numbers that a cell showed, all in one, and what belongs to its figure.

A record maps names to what is printed, and in its metadata to what lies behind: the raw value of a number, the table of
a figure.  In a file each is a line, so that the difference of two editions shows a moved number as a line or two.
"""

import json
import math
import re
from numbers import Number

from llmpower.ranges import Range

NUMBERS = "application/vnd.llmpower.numbers+json"
FIGURES = "application/vnd.llmpower.figures+json"
# myst-nb takes a hidden output with this prefix as a glued value.
_GLUE = "application/papermill.record/"
# Units of `llmpower.text.text` that say how to print, and those of the values behind.
_SI = {"%": "1", "count": "1", "Wh": "J", "GiB": "B"}
_RANGE_AND_UNIT = re.compile(r"(?: \((\S+) to (\S+)\))?(?: (.*))?")


def raw_line(value, unit):
    """A raw value in one line: JSON, which knows no infinity, then its range and its unit, if it has them.

    >>> raw_line(Range(4.36, 13.0, math.inf), "J"), raw_line(700, "1"), raw_line("none", "%")
    ('13.0 (4.36 to null) J', '700', '"none" %')
    """
    ends = f" ({_json(value.low)} to {_json(value.high)})" if isinstance(value, Range) else ""
    return f"{_json(getattr(value, 'central', value))}{ends}{'' if unit == '1' else ' ' + unit}"


def _json(value):
    held = not isinstance(value, Number) or math.isfinite(value)
    return json.dumps(value if held else None, default=float, ensure_ascii=False)


def raw(line):
    """Value, range and unit from their line; the inverse of `raw_line`."""
    value, end = json.JSONDecoder().raw_decode(line)
    low, high, unit = _RANGE_AND_UNIT.fullmatch(line, end).groups()
    ends = {} if low is None else {"low": json.loads(low), "high": json.loads(high)}
    return {"value": value, **ends, "unit": "1" if unit is None else unit}


def shown(notebook):
    """Numbers that an executed chapter showed, cell by cell: name -> value, unit, range and printed text."""
    found = entries(notebook.cells, NUMBERS)
    return {name: {**(raw(line) if line else {"value": text, "unit": ""}), "text": text} for name, text, line in found}


def in_si(numbers):
    """Numbers of `shown` with the unit that their values are in, where text is printed in another one."""
    return {name: one | {"unit": _SI.get(one["unit"], one["unit"])} for name, one in numbers.items()}


def entries(cells, kind):
    """Name, text and what lies behind it or None, of all that records of one kind hold."""
    for output in (output for cell in cells for output in cell.get("outputs", [])):
        for name, text in output.get("data", {}).get(kind, {}).items():
            yield name, text, output.metadata.get(kind, {}).get(name)


def visible(cell):
    """Outputs of a code cell without its records."""
    return [output for output in cell.outputs if not {NUMBERS, FIGURES} & {*output.get("data", {})}]


def markdown(notebook):
    """All Markdown of an executed notebook, its own and what its cells printed."""
    parts = ([cell.source] if cell.cell_type == "markdown" else printed(cell) for cell in notebook.cells)
    return "\n".join(line for part in parts for line in part)


def printed(cell):
    """Markdown that a code cell printed."""
    return [output.data["text/markdown"] for output in cell.outputs if "text/markdown" in output.get("data", {})]


def glued(notebook):
    """An executed chapter as myst-nb takes it: an output for each number and alternative texts, and no records."""
    # A kernel that shows numbers does without.
    from nbformat.v4 import new_output

    alts = {name: text for name, text, _ in entries(notebook.cells, FIGURES)}
    for cell in (cell for cell in notebook.cells if cell.cell_type == "code"):
        for name, text, _ in [*entries([cell], NUMBERS)]:
            data = {f"{_GLUE}text/plain": tied(repr(text))}
            marks = {"scrapbook": {"name": name, "mime_prefix": _GLUE}}
            cell.outputs.append(new_output("display_data", data, metadata=marks))
        cell.outputs = visible(cell)
        name = cell.metadata.get("mystnb", {}).get("figure", {}).get("name")
        if name in alts:
            cell.metadata.mystnb["image"] = {"alt": alts[name]}
    return notebook


def tied(text):
    """Text in which no line can end between a number and its unit."""
    return re.sub(r"(?<=\d) (?=[^\d(])(?!to )", "\u00a0", text)
