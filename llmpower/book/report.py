"""How a chapter shows numbers, equations, tables and sentences that follow its parameters.

Everything a chapter prints passes through here, so that a change of book
software touches one file.
"""

import math
import re
from numbers import Number

import tabulate
from IPython.display import Markdown, display

from llmpower import symbolic
from llmpower.facts.claims import claim, claims
from llmpower.facts.quantities import quantities
from llmpower.figures import style
from llmpower.ranges import Range

# myst-nb takes a hidden output with this prefix as a glued value.
_GLUE = "application/papermill.record/"
_LARGE = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1, ""))
_SMALL = ((1e-3, "m"), (1e-6, "µ"), (1e-9, "n"), (1e-12, "p"), (1e-15, "f"), (1e-18, "a"))


# What names stand for in a plain Jupyter; None in the book, where MyST knows.
_known = None


def _scales(unit, *prefixes, base=1):
    return tuple((factor * base, prefix + unit) for factor, prefix in prefixes)


# SI unit of a value -> scales from large to small: factor and what is printed.
_SCALES = {
    **{unit: _scales(unit, *_LARGE) for unit in ("B", "FLOP", "B/s", "FLOP/s", "Hz", "B/J", "FLOP/J")},
    **{unit: _scales(unit, *_LARGE, *_SMALL) for unit in ("W", "J", "V", "A", "F")},
    "Wh": _scales("Wh", *_LARGE, base=3600),
    "s": (
        (365.25 * 86400, "years"), (86400, "days"), (3600, "h"), (60, "min"), (1, "s"), (1e-3, "ms"), (1e-6, "µs"),
        (1e-9, "ns"), (1e-12, "ps"),
    ),
    "m": _scales("m", (1e3, "k"), (1, ""), *_SMALL[:4]),
    "kg": ((1e9, "Mt"), (1e6, "kt"), (1e3, "t"), (1, "kg"), (1e-3, "g"), (1e-6, "mg")),
    "m3": ((1, "m³"), (1e-3, "L"), (1e-6, "mL")),
    "usd": ((1e9, "billion USD"), (1e6, "million USD"), (1, "USD")),
    "count": ((1e12, "trillion"), (1e9, "billion"), (1e6, "million"), (1, "1")),
    "GiB": ((2**30, "GiB"),),
    "%": ((0.01, "%"),),
}  # fmt: skip
_NUMBER = re.compile(r"[-−+×÷<>≤≥]? ?\d|∞")
_RAISED = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
# The book compares joules and watts with the article's; these stay on their scale down to here.
_STAYS = {"J": 0.01, "W": 0.1, "V": 0.1}


def in_plain_jupyter(known):
    """Print plain Markdown from now on, for a Jupyter that knows no MyST.

    known: as for `llmpower.book.take_home.resolve`; numbers shown later are added.
    """
    global _known
    _known = known


def _print(text):
    if _known is not None:
        from llmpower.book.take_home import resolve

        text = resolve(text, _known)
    display(Markdown(text))


def _digits(value, significant):
    places = max(0, significant - 1 - math.floor(math.log10(abs(value)))) if value else 0
    return f"{value:,.{places}f}"


def _plain(value):
    """A pure number: four digits above a thousand, three below."""
    if not math.isfinite(value):
        return "∞"
    if float(value).is_integer() and abs(value) < 1e7:
        return f"{value:,.0f}"
    if abs(value) >= 1e7:
        exponent = math.floor(math.log10(abs(value)))
        return f"{value / 10**exponent:.2f} × 10{str(exponent).translate(_RAISED)}"
    return _digits(round(value) if abs(value) >= 1000 else value, 3)


def _scaled(value, factor, unit):
    scaled = value / factor
    return _plain(scaled) if scaled >= 1000 else _digits(scaled, 3)


def _scale(value, unit):
    """Factor and printed unit for a value: GB for bytes, W, kW or MW for watts."""
    scales = _SCALES.get(unit, ((1, unit),))
    if _STAYS.get(unit, 1) <= abs(value) < 1:
        return 1, unit
    return next((one for one in scales if abs(value) >= one[0]), scales[-1] if value else (1, unit))


def text(value, unit):
    """A number with its unit, as the book prints it: three digits, or four above a thousand.

    Parameters
    ----------
    value : float or Range
        In SI units; shares as a number from 0 to 1.
    unit : str
        SI unit of the value. Bytes, watts, joules, seconds, kilograms, dollars
        and their like are scaled; ``%`` prints a share as percent, ``Wh`` an
        energy given in joules, ``1`` no unit.

    Returns
    -------
    text : str
        For a range "central (low to high) unit", all on one scale.

    Examples
    --------
    >>> text(140e9, "B")
    '140 GB'
    >>> text(0.042, "J")
    '0.0420 J'
    >>> text(Range(0.978, 0.994, 0.998), "%")
    '99.40 % (97.80 to 99.80 %)'
    """
    central = value.central if isinstance(value, Range) else value
    unit = "1" if unit == "count" and abs(central) < 1e6 else unit
    if unit in ("", "1"):
        shown = "" if unit == "" else unit
        parts = [_plain(v) for v in ((value.low, central, value.high) if isinstance(value, Range) else (central,))]
    else:
        factor, shown = _scale(central, unit)
        values = (value.low, central, value.high) if isinstance(value, Range) else (central,)
        # Close to a hundred percent, what is missing from it counts: two decimals for all.
        close = unit == "%" and any(0.99 < v < 1 for v in values)
        parts = [f"{v / factor:.2f}" if close else _scaled(v, factor, unit) for v in values]
    shown = "" if shown == "1" else f" {shown}"
    parts = [part.replace("-", "−") for part in parts]
    if isinstance(value, Range):
        return f"{parts[1]}{shown} ({parts[0]} to {parts[2]}{shown})"
    return f"{parts[0]}{shown}"


def show(name, value, unit="1"):
    """Make a number, range or name of something available to the text as ``{glue:text}`name```.

    name: unique in the chapter.
    unit: as for `text`.
    """
    shown = text(value, unit) if isinstance(value, (Number, Range)) else str(value)
    if _known is not None:
        _known["glue"][name] = shown
        return
    raw = {"value": _json(value), "unit": unit}
    if isinstance(value, Range):
        raw = {"value": _json(value.central), "low": _json(value.low), "high": _json(value.high), "unit": unit}
    # The raw value travels in the metadata, from where the runner collects it.
    _hide(name, _tied(repr(shown)), llmpower={**raw, "text": shown})


def _hide(name, text, **record):
    """Put a hidden output into the notebook, which myst-nb and the runner find by its record."""
    metadata = {"scrapbook": {"name": name, "mime_prefix": _GLUE, **record}}
    display({f"{_GLUE}text/plain": text}, raw=True, metadata=metadata)


def _tied(text):
    """Text in which no line can end between a number and its unit."""
    return re.sub(r"(?<=\d) (?=[^\d(])(?!to )", "\u00a0", text)


def _json(value):
    """Value for results.json, which knows no infinity."""
    if isinstance(value, Number) and not isinstance(value, int):
        return float(value) if math.isfinite(value) else None
    return value


def say(*sentences):
    """Print MyST text chosen by the chapter's numbers: one sentence each, empty ones left out."""
    _print("\n".join(filter(None, sentences)))


def alt(figure, text):
    """Alternative text of a figure, following the chapter's numbers.

    figure: its name in the cell's metadata, such as ``"fig-shares"``.
    text: 20 to 250 characters that tell the finding.
    """
    if not 20 <= len(text) <= 250:
        raise ValueError(f"alternative text of {figure} has {len(text)} characters, allowed are 20 to 250: {text!r}")
    # The table behind the figure travels along, for readers who want the numbers.
    table = style.take_data()
    if _known is None:
        _hide(f"alt-{figure}", repr(text), alt=figure, csv=table)


def unit_text(unit):
    """Unit as it is printed: mm² for mm2."""
    return unit.translate(str.maketrans("23", "²³"))


def equations(*formulas):
    """Print functions of `llmpower.formulas` as numbered equations, each with what its symbols mean.

    An equation has the label ``eq-`` and the name of its formula.
    """
    parts, meanings = [], {}
    for formula in formulas:
        label = "eq-" + formula.__name__.replace("_", "-")
        parts.append(f"```{{math}}\n:label: {label}\n{symbolic.latex(formula)}\n```")
        for name in (formula.__name__, *symbolic.symbols(formula)):
            one = quantities()[name]
            unit = "" if one.unit == "1" else f" [{unit_text(one.unit)}]"
            meanings.setdefault(one.symbol, f"${one.symbol}$ {one.help}{unit}")
    parts.append(f"with {'; '.join(meanings.values())}.")
    _print("\n\n".join(parts))


def table(columns, rows):
    """Print a table of cells that are formatted already; the first column names the rows, and roles resolve."""
    rows = [[_tied(cell) if _NUMBER.match(cell) else cell for cell in row] for row in rows]
    _print(tabulate.tabulate(rows, columns, tablefmt="pipe", disable_numparse=True, colalign=alignment(rows)))


def alignment(rows):
    """Side on which each column of a table stands: numbers right, so that they can be compared, words left.

    >>> alignment([["clock", "× 4.00", "rises"], ["area", "÷ 16.0", "falls"], ["voltage", "unchanged", "stays"]])
    ['left', 'right', 'left']
    """
    return ["left", *("right" if _numeric(column) else "left" for column in list(zip(*rows))[1:])]


def _numeric(cells):
    """Whether most cells are numbers, and the others no more than a few words."""
    numbers = [len(cell) < 40 and bool(_NUMBER.match(cell)) for cell in cells]
    return 2 * sum(numbers) > len(cells) and all(number or len(cell) <= 20 for number, cell in zip(numbers, cells))


def quote(id):
    """The article's words, such as of ``"C01"``, with the line they stand in."""
    one = claim(id)
    return f"“{_words(one)}” ({{cite:t}}`plasmon2026power`, line {one.line})"


def claims_of(chapter):
    """Print the article's statements that a chapter treats, with verdicts."""
    rows = []
    for one in claims().values():
        if one.chapter == chapter:
            said = f"“{escaped(_words(one))}” ({one.id}, line {one.line})"
            source = cite(one.source) if one.source else ""
            rows.append([said, one.verdict, f"{escaped(one.recomputed)} {source}"])
    table(["the article", "verdict", "recomputed"], rows)


def _words(one):
    """Quotation of a claim; quotation marks inside it become single ones."""
    return one.quote.replace('"', "'")


def escaped(words):
    """Text of the data that stands in a table: no role, no column, no emphasis of its own."""
    return re.sub(r"([\\|*_`$<\[])", r"\\\1", words)


def cite(source):
    """Citation of the source of a fact; keys are separated by semicolons."""
    return f"{{cite}}`{source.replace(';', ',')}`" if source else "arithmetic"
