"""How a chapter shows numbers, equations, tables and sentences that follow its parameters.

Everything a chapter prints passes through here, so that a change of book
software touches one file.
"""

import gc
import itertools
import pathlib
import re
import sys
from numbers import Number

import tabulate
from IPython import get_ipython
from IPython.display import Markdown, display

from llmpower import symbolic
from llmpower.book import follow, records
from llmpower.book.coverage import part
from llmpower.book.escape import escaped
from llmpower.facts.claims import claim, claims
from llmpower.facts.quantities import quantities
from llmpower.figures import moving as moves
from llmpower.figures import style
from llmpower.ranges import Range
from llmpower.text import text, unit_text
from llmpower.trace import traced

# What names stand for in a plain Jupyter; None in the book, where MyST knows.
_known = None
# What the running cell has shown: name -> printed text and raw value.
_of_cell = {}
# What the running cell has printed: the line that did, its sentences, and all of it.
_prints = []
# Follows the chapter for its page, if the kernel was asked to; and itself again, while it does a cell once more.
_follower, _again = follow.follower(), None
_NUMBER = re.compile(r"[-−+×÷<>≤≥]? ?\d|∞")


def in_plain_jupyter(known):
    """Print plain Markdown from now on, for a Jupyter that knows no MyST.

    known: as for `llmpower.book.take_home.plain_markdown`; numbers shown later are added.
    """
    global _known
    _known = known


def _line():
    """The line of the chapter that is at work."""
    frame = sys._getframe()
    while frame and "llmpower" in frame.f_globals.get("__name__", ""):
        frame = frame.f_back
    return frame.f_lineno if frame else 0


def _print(text, sentences=()):
    if _again:
        return _again.printed(_line(), text)
    if _follower:
        _prints.append((_line(), [*sentences], text))
    if _known is not None:
        from llmpower.book.take_home import plain_markdown

        text = plain_markdown(text, _known)
    display(Markdown(text))


def show(name, value=None, unit="1", /, **numbers):
    """Make a number, range or name of something available to the text as ``{glue:text}`name```.

    Several of one unit take one call, ``show("W", idle=70, rated=700)``, which begins with the unit.

    name: unique in the chapter.
    unit: as for `text`.
    """
    if (value is None) is not bool(numbers):
        raise TypeError(f"show({name!r}, …) takes a name, what it stands for and its unit, or a unit and name=value, …")
    numbers, unit = (numbers, name) if numbers else ({name: value}, unit)
    for name, value in numbers.items():
        if _again:
            _again.show(name, value, unit)
            continue
        shown = text(value, unit) if isinstance(value, (Number, Range)) else str(value)
        if _known is not None:
            _known["glue"][name] = shown
        else:
            # A text without a unit is its own raw value.
            _of_cell[name] = shown, records.raw_line(value, unit) if unit or shown != value else None


def _store(result):
    """Put what a cell showed into the notebook when it is through; a cell that failed showed nothing."""
    if _of_cell and result.success:
        texts = {name: text for name, (text, _) in _of_cell.items()}
        _hide(records.NUMBERS, texts, {name: raw for name, (_, raw) in _of_cell.items() if raw})
    _of_cell.clear()
    global _again
    if _follower and result.success:
        _again = _follower
        # What it writes down stays: searching it for garbage again and again finds none.
        collects = gc.isenabled()
        gc.disable()
        try:
            _follower.cell(result.info.raw_cell, get_ipython().user_ns, [*_prints], result.execution_count)
        finally:
            if collects:
                gc.enable()
            _again = None
    _prints.clear()


def _hide(kind, texts, behind):
    display({kind: texts}, raw=True, metadata={kind: behind})


def begin():
    """Store what cells show from now on."""
    get_ipython().events.register("post_run_cell", _store)


if get_ipython():
    begin()


def say(*sentences):
    """Print MyST text chosen by the chapter's numbers: one sentence each, empty ones left out."""
    if _again:
        _again.printed(_line(), _again.sentences(sentences))
    elif any(sentences):
        _print("\n".join(filter(None, sentences)), sentences)


def when(excess, yes, no=""):
    """A text where a number is above zero, else another one; a page has both, and shows the true one."""
    if traced(excess):
        return excess.tape.shown("case", excess, yes, no)
    return yes if excess > 0 else no


def among(name, value, *others):
    """The value of a parameter; a page follows the control of this name but for some choices, which need a run."""
    return _again.among(name, others) if _again else value


def optional(name, value):
    """The value of a parameter that may be left out: None then; of a page, a number that may be none."""
    return _again.optional(name) if _again else None if value == "" else value


def substitute(formula, *values, of=""):
    """Let a reader of the page see an equation of the chapter with these values, which follow its controls.

    of: whose numbers they are, where that is not the case of the controls.
    Returns what the formula gives, so no cell ends with this.
    """
    result = formula(*values)
    if _again:
        _again.substituted(formula, of, values, result)
    return result


def compare(numbers):
    """Let a reader of the page keep states side by side; numbers: label -> name of a number that was shown."""
    if _again:
        _again.compared = numbers


def moving(figure, specification, rows):
    """Let a figure follow the controls of its page, in the place of its picture.

    figure: its name in the cell's metadata, such as ``"fig-shares"``.
    specification: from `llmpower.figures.moving`, without data.
    rows: what it draws, all with the same fields: values that follow from the chapter's parameters, or texts.
    """
    if _again:
        heads = moves.heads(specification, {field for row in rows for field in row})
        _again.figure(figure, moves.compiled(specification), rows, heads)


def alt(figure, text):
    """Alternative text of a figure, following the chapter's numbers.

    figure: its name in the cell's metadata, such as ``"fig-shares"``.
    text: 20 to 250 characters that tell the finding.
    """
    if _follower:
        _follower.alt(figure, text)
    if _again:
        return
    if not 20 <= len(text) <= 250:
        raise ValueError(f"alternative text of {figure} has {len(text)} characters, allowed are 20 to 250: {text!r}")
    # The table behind the figure travels along, for readers who want the numbers.
    table = style.take_data()
    if _known is None:
        _hide(records.FIGURES, {figure: text}, {figure: table})


def finish(folder):
    """Leave what the page needs in a folder, when the chapter is through."""
    global _follower
    if _follower:
        _follower.written(pathlib.Path(folder))
    _follower = None


def equations(*formulas, notation=True):
    """Print functions of `llmpower.formulas` as numbered equations, each with what its symbols mean.

    notation: whether the meanings follow; else `notation_table` prints those of several such groups.
    An equation has the label ``eq-`` and the name of its formula.
    """
    parts = []
    for formula in formulas:
        label = "eq-" + formula.__name__.replace("_", "-")
        parts.append(f"```{{math}}\n:label: {label}\n{symbolic.latex(formula)}\n```")
    if notation:
        meanings = [
            f"${symbol}$ {help}" + (f" [{unit}]" if unit else "") for symbol, (help, unit) in _notation(formulas)
        ]
        parts.append(f"with {'; '.join(meanings)}.")
    _print("\n\n".join(parts))


def _notation(formulas):
    """Symbols of formulas with what they mean and their units, in the order in which they come."""
    found = {}
    for formula in formulas:
        for name in (formula.__name__, *symbolic.symbols(formula)):
            one = quantities()[name]
            found.setdefault(one.symbol, (escaped(one.help), "" if one.unit == "1" else unit_text(one.unit)))
    return found.items()


def notation_table(*formulas):
    """Print a table of the symbols of some formulas, with what they mean and their units, two symbols a row."""
    cells = [(f"${symbol}$", f"{help} [{unit}]" if unit else help) for symbol, (help, unit) in _notation(formulas)]
    half = -(-len(cells) // 2)
    rows = [(*one, *other) for one, other in itertools.zip_longest(cells[:half], cells[half:], fillvalue=("", ""))]
    table(["symbol", "meaning", "symbol", "meaning"], rows)


def table(columns, rows):
    """Print a table of cells that are formatted already; the first column names the rows, and roles resolve."""
    if _again:
        rows = [[f"{cell}" for cell in row] for row in rows]
        return _again.printed(_line(), lambda filled: _table(columns, rows, filled))
    _print(_table(columns, rows))


def _table(columns, rows, filled=str):
    """Markdown of a table.

    filled: gives the text of a cell, by which its column is aligned.
    """
    rows = [[records.tied(cell) if _NUMBER.match(cell) else cell for cell in row] for row in rows]
    sides = alignment([[filled(cell) for cell in row] for row in rows])
    return tabulate.tabulate(rows, columns, tablefmt="pipe", disable_numparse=True, colalign=sides)


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
    """The article's words, such as of ``"C01"``, with the heading they stand under there."""
    one = claim(id)
    return f"“{escaped(_words(one))}” ({{cite:t}}`plasmon2026power`, {escaped(part(one).heading)})"


def claims_of(chapter):
    """Print the article's statements that a chapter treats, with verdicts."""
    rows = []
    for one in claims().values():
        if one.chapter == chapter:
            said = f"“{escaped(_words(one))}” ({one.id}, {escaped(part(one).heading)})"
            source = cite(one.source) if one.source else ""
            rows.append([said, one.verdict, f"{escaped(one.recomputed)} {source}"])
    table(["the article", "verdict", "recomputed"], rows)


def _words(one):
    """Quotation of a claim; quotation marks inside it become single ones."""
    return one.quote.replace('"', "'")


def cite(source):
    """Citation of the source of a fact; keys are separated by semicolons."""
    return f"{{cite}}`{source.replace(';', ',')}`" if source else "arithmetic"
