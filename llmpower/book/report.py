"""How a chapter shows numbers, equations, tables and sentences that follow its parameters.

Everything a chapter prints passes through here, so that a change of book
software touches one file.
"""

import math
import re
from numbers import Number

import pandas
from IPython.display import Markdown, display

from llmpower import symbolic
from llmpower.book import plain
from llmpower.facts.claims import claim, claims
from llmpower.facts.quantities import quantities
from llmpower.figures import style
from llmpower.ranges import Range
from llmpower.text import text, unit_text

# myst-nb takes a hidden output with this prefix as a glued value.
_GLUE = "application/papermill.record/"

# What names stand for in a plain Jupyter; None in the book, where MyST knows.
_known = None


_NUMBER = re.compile(r"[-−+×÷<>≤≥]? ?\d|∞")


def in_plain_jupyter(known):
    """Print plain Markdown from now on, for a Jupyter that knows no MyST.

    Parameters
    ----------
    known : dict
        As for `llmpower.book.plain.resolve`; numbers shown later are added.
    """
    global _known
    _known = {kind: dict(known.get(kind, {})) for kind in plain.KINDS}


def _print(text):
    display(Markdown(text if _known is None else plain.resolve(text, _known)))


def show(name, value, unit="1"):
    """Make a number available to the text as ``{glue:text}`name```.

    Parameters
    ----------
    name : str
        Key, unique in the chapter.
    value : float, int, str or Range
        In SI units. A name of something is shown as it is, with unit "".
    unit : str
        As for `text`.

    """
    shown = text(value, unit) if isinstance(value, (Number, Range)) else str(value)
    _glue(name, shown, value, unit)


def _tied(text):
    """Text in which no line can end between a number and its unit."""
    return re.sub(r"(?<=\d) (?=[^\d(])(?!to )", "\u00a0", text)


def _json(value):
    """Value for results.json, which knows no infinity."""
    if isinstance(value, Number) and not isinstance(value, int):
        return float(value) if math.isfinite(value) else None
    return value


def _glue(name, shown, value, unit):
    raw = {"value": _json(value), "unit": unit}
    if isinstance(value, Range):
        raw = {"value": _json(value.central), "low": _json(value.low), "high": _json(value.high), "unit": unit}
    if _known is not None:
        _known["glue"][name] = shown
        return
    # The raw value travels in the metadata, from where the runner collects it.
    metadata = {"scrapbook": {"name": name, "mime_prefix": _GLUE, "llmpower": {**raw, "text": shown}}}
    display({f"{_GLUE}text/plain": _tied(repr(shown))}, raw=True, metadata=metadata)


def say(*sentences):
    """Print MyST text chosen by the chapter's numbers.

    Parameters
    ----------
    *sentences : str
        One sentence each; roles such as ``{glue:text}`` and ``{cite}`` resolve.
        Empty ones are left out.
    """
    _print("\n".join(filter(None, sentences)))


def alt(figure, text):
    """Alternative text of a figure, following the chapter's numbers.

    Parameters
    ----------
    figure : str
        Name of the figure in the cell's metadata, such as ``"fig-shares"``.
    text : str
        20 to 250 characters that tell the finding.
    """
    if not 20 <= len(text) <= 250:
        raise ValueError(f"alternative text of {figure} has {len(text)} characters, allowed are 20 to 250: {text!r}")
    table = style.take_data()
    if _known is not None:
        return
    # The table behind the figure travels along, for readers who want the numbers.
    metadata = {"scrapbook": {"name": f"alt-{figure}", "mime_prefix": _GLUE, "alt": figure, "csv": table}}
    display({f"{_GLUE}text/plain": repr(text)}, raw=True, metadata=metadata)


def equations(*formulas):
    """Print formulas as numbered equations, each with what its symbols mean.

    Parameters
    ----------
    *formulas : callable
        Functions of `llmpower.formulas`; each gets the label ``eq-`` and its name.
    """
    parts = []
    for formula in formulas:
        label = "eq-" + formula.__name__.replace("_", "-")
        parts.append(f"```{{math}}\n:label: {label}\n{symbolic.latex(formula)}\n```")
    meanings = {}
    for formula in formulas:
        for name in (formula.__name__, *symbolic.symbols(formula)):
            one = quantities()[name]
            unit = "" if one.unit == "1" else f" [{unit_text(one.unit)}]"
            meanings.setdefault(one.symbol, f"${one.symbol}$ {one.help}{unit}")
    parts.append(f"with {'; '.join(meanings.values())}.")
    _print("\n\n".join(parts))


def table(columns, rows):
    """Print a table; the first column names the rows.

    Parameters
    ----------
    columns : list of str
        Headings, with units.
    rows : list of list of str
        Cells, already formatted; roles resolve.
    """
    frame = pandas.DataFrame(
        [[_tied(cell) if _NUMBER.match(cell) else cell for cell in row] for row in rows], columns=columns
    )
    _print(frame.to_markdown(index=False, disable_numparse=True, colalign=alignment(rows)))


def alignment(rows):
    """Side on which each column of a table stands: numbers right, so that they can be compared, words left.

    Parameters
    ----------
    rows : list of list of str
        Cells of the table; the first column names the rows.

    Returns
    -------
    sides : list of str

    Examples
    --------
    >>> alignment([["clock", "× 4.00", "rises"], ["area", "÷ 16.0", "falls"], ["voltage", "unchanged", "stays"]])
    ['left', 'right', 'left']
    """
    return ["left", *("right" if _numeric(column) else "left" for column in list(zip(*rows))[1:])]


def _numeric(cells):
    """Whether most cells are numbers, and the others no more than a few words."""
    numbers = [len(cell) < 40 and bool(_NUMBER.match(cell)) for cell in cells]
    return 2 * sum(numbers) > len(cells) and all(number or len(cell) <= 20 for number, cell in zip(numbers, cells))


def quote(id):
    """The article's words, with the line they stand in.

    Parameters
    ----------
    id : str
        Such as ``"C01"``.

    Returns
    -------
    quote : str
        MyST text.
    """
    one = claim(id)
    return f"“{_words(one)}” ({{cite:t}}`plasmon2026power`, line {one.line})"


def claims_of(chapter):
    """Print the article's statements that a chapter treats, with verdicts.

    Parameters
    ----------
    chapter : str
        Such as ``"decode-breakdown"``.
    """
    rows = [
        [f"“{_cell(_words(one))}” ({one.id}, line {one.line})", one.verdict, f"{_cell(one.recomputed)} {_cite(one)}"]
        for one in claims().values()
        if one.chapter == chapter
    ]
    table(["the article", "verdict", "recomputed"], rows)


def _words(one):
    """Quotation of a claim; quotation marks inside it become single ones."""
    return one.quote.replace('"', "'")


def _cite(one):
    return cite(one.source) if one.source else ""


def _cell(words):
    """Text of the data that stands in a table: no role, no column, no emphasis of its own."""
    for letter in r"\|*_`$<[":
        words = words.replace(letter, "\\" + letter)
    return words


def cite(source):
    """Citation of the source of a fact; keys are separated by semicolons."""
    return f"{{cite}}`{source.replace(';', ',')}`" if source else "arithmetic"
