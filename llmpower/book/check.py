"""What an author can get wrong without any page failing to build."""

import ast
import contextlib
import datetime
import functools
import re

from llmpower import questions
from llmpower.book import editions
from llmpower.book.build import missing_parts
from llmpower.book.coverage import coverage
from llmpower.book.files import ChapterError, chapters, contents, page_file, read_notebook
from llmpower.book.parameters import comment, parameters, parameters_cell
from llmpower.book.records import shown
from llmpower.facts import catalog, runs, tables
from llmpower.facts.cases import public_cases
from llmpower.facts.claims import claims
from llmpower.facts.quantities import quantities
from llmpower.step import constants

_UNIT = r"[kMGT]?(?:Wh?|B|J|FLOP)(?:/\w+)?|[mµnp]J|pJ/\w+|GiB|%|percent|tokens?/s|nm|mm2|watts?|joules?|(?:giga)?bytes?"
_TYPED = re.compile(rf"(?<![\w.])\d[\d.,]*\s?(?:{_UNIT})(?![\w-])")
# Not prose: code, roles and directives, quotations of the article, links, mathematics.
_NOT_PROSE = re.compile(r"```.*?```|`[^`]*`|“[^”]*”|\]\([^)]*\)|\$[^$]*\$", re.DOTALL)
# In an f-string the braces are doubled.
_GLUED = re.compile(r"\{\{?glue:text\}\}?`([\w-]+)`")
# Columns, or quantities of a tidy table, that name a thing of the catalog, by its kind.
_FORMATS = ("weight_format", "kv_format")
_NAMES = {"model": ("model", "network"), "accelerator": ("accelerator", "machine"), "format": _FORMATS}


def typed_numbers(text):
    """Numbers with a unit that an author typed in Markdown where a glued one belongs.

    >>> typed_numbers("reading takes 22.4 J, not `22.4 mJ`")
    ['22.4 J']
    """
    return _TYPED.findall(_NOT_PROSE.sub(" ", text))


def facts_problems(book):
    """Tables that are missing or unknown, broken rows, unknown names and days of the future in ``data/``."""
    files = sorted(path.name for path in tables.DATA.glob("*.csv"))
    problems = [f"data/{name}: no table has this name" for name in files if name not in tables.TABLES]
    jobs = [(quantities,), *((catalog.facts, table) for table in catalog.tidy_tables()), (catalog.models,)]
    jobs += [*((catalog.spellings, kind) for kind in catalog.NAMED), (catalog.constant_sets,), (claims,), (coverage,)]
    jobs += [(runs.measurements, f"{name}.csv") for name in ("measurements", "validation", "server_runs")]
    jobs += [(load,) for load in (constants.constants, runs.power_runs, runs.wall_runs, public_cases, constants.fixed)]
    jobs += [(constants.exam_errors, frozenset(), False, one) for one in ("bare", "llama.cpp")]
    jobs += [(constants.software_values, one) for one in ("llama.cpp", "eager")]
    jobs += [(tables.numbers, f"{name}.csv") for name in ("accuracy", "predictions", "studies")]
    jobs += [(constants.exam_errors, frozenset([name]), moe) for name in constants.EXAMS for moe in (False, True)]
    jobs += [(_name_problems, table, book, problems) for table in tables.TABLES]
    for load, *given in jobs:
        try:
            load(*given)
        except (tables.FactError, tables.UnknownName) as error:
            problems.append(str(error))
    return list(dict.fromkeys(problems))


@functools.cache
def _known(book):
    """What a column, or a quantity of a tidy table, may name: where such names stand, and the names."""
    library = (book / "data" / "references.bib").read_text(encoding="utf-8")
    catalogs = {kind: (f"the catalog's {kind}s", set(catalog.names(kind))) for kind in _NAMES}
    return {name: catalogs[kind] for kind, names in _NAMES.items() for name in names} | {
        "source": ("data/references.bib", set(re.findall(r"^@\w+\{([^,\s]+),", library, re.MULTILINE))),
        "chapter": ("_toc.yml", set(chapters(book))),
        "held_out": ("what can be held out", set(constants.HELD_OUT)),
        "page": ("_toc.yml", set(contents(book))),
        "predictions.csv": (
            " or ".join(runs.FITTED),
            {one.row["id"] for name in runs.FITTED for one in tables.rows(name)},
        ),
    }


def _name_problems(table, book, problems):
    """Note names in a table that stand nowhere else, and days that are still to come."""
    known, today = _known(book), datetime.date.today().isoformat()
    for cells in tables.rows(table):
        asked = {column: column for column in known if column in cells.row}
        asked |= {"value": cells.row.get("quantity"), "id": table}
        if cells.row.get("power_w") == "":
            # Without its power a run is predicted by nobody, so its machine need not be known.
            del asked["accelerator"]
        for column, (where, names) in ((column, known[name]) for column, name in asked.items() if name in known):
            unknown = set(filter(None, cells.row[column].split(";"))) - names
            problems += [f"{cells.place(column)}: {one} is not in {where}" for one in sorted(unknown)]
        if cells.row.get("verified", "") > today:
            problems.append(str(cells.wrong("verified", "no day of the future")))


def chapter_problems(path, others=""):
    """Unused or unknown glue keys, typed numbers, missing alternative texts, unclean outputs.

    others: text of other pages, which may use its numbers.
    """
    notebook, where = read_notebook(path), path.name
    sources = "\n".join(cell.source for cell in notebook.cells)
    elsewhere = set(re.findall(rf"\{{glue:text\}}\}}?`(?:[\w-]+/)?{re.escape(where)}::([\w-]+)", others))
    used, given = set(_GLUED.findall(sources)) | elsewhere, _named(notebook, "show")
    problems = [f"{where}: {key} is shown but no text uses it" for key in given if key not in used]
    problems += [f"{where}: the text uses {key}, which nothing shows" for key in sorted(used - set(given))]
    problems += [f"{where}: {key} is shown twice" for key in sorted({key for key in given if given.count(key) > 1})]
    students = read_notebook(path)
    editions.without_solutions(students)
    asked = set(_GLUED.findall("\n".join(cell.source for cell in students.cells)))
    lost = sorted(asked & {*given} - {*_named(students, "show")})
    problems += [f"{where}: the text uses {key}, which only a solution shows; students have none" for key in lost]
    alts = _named(notebook, "alt")
    for number, cell in enumerate(notebook.cells, start=1):
        problems += [f"{where}, cell {number}: {problem}" for problem in _cell_problems(cell, alts)]
    lines = parameters_cell(path).source.splitlines()
    for one in parameters(path).values():
        line = next(line for line in lines if line.startswith(f"{one.name}:"))
        if one.name in quantities() and f"# {comment(one)}" not in line:
            problems.append(f"{where}: the comment of {one.name} should read `# {comment(one)}`")
    if not shown(notebook):
        problems.append(f"{where}: no stored outputs; run `llmpower renew`")
    return problems


def _named(notebook, function):
    """Names that calls of a function of `report` give: by keywords, or as the first argument."""
    found = []
    for source in (cell.source for cell in notebook.cells if cell.cell_type == "code"):
        # What is no Python is told with its cell.
        with contextlib.suppress(SyntaxError):
            for call in ast.walk(ast.parse(source)):
                if isinstance(call, ast.Call) and ast.unparse(call.func).rpartition(".")[2] == function:
                    first = [one.value for one in call.args[:1] if isinstance(one, ast.Constant)]
                    found += [one.arg for one in call.keywords if one.arg] if call.keywords else first
    return found


def _cell_problems(cell, alts):
    """What is wrong with one cell; alts: figures of the chapter with an alternative text."""
    strings = cell.source
    if cell.cell_type == "code":
        # Two lines apart, or a "1" before a "W" would read as one watt.
        strings = "\n\n".join(re.findall(r'"([^"\n]*)"', cell.source))
        try:
            ast.parse(cell.source)
        except SyntaxError as error:
            yield f"line {error.lineno}: {error.msg}"
    for found in typed_numbers(strings):
        yield f"typed number {found!r}; show it with report.show"
    if "plt.show()" in cell.source:
        figure = cell.metadata.get("mystnb", {}).get("figure", {})
        if not figure.get("name") or not figure.get("caption"):
            yield "a figure needs a name and a caption in its metadata"
        if figure.get("name") not in alts:
            yield f"a figure needs report.alt({figure.get('name')!r}, …)"
    for output in cell.get("outputs", []):
        if any(kind.startswith("image/") for kind in output.get("data", {})):
            yield "stored image; run `llmpower renew`"


def check(book):
    """Everything that this module knows to look for, one line a problem."""
    if missing := missing_parts(book):
        return missing
    problems = facts_problems(book)
    written = [path for page in contents(book) if (path := page_file(book, page)) and path.suffix == ".md"]
    texts = {path.name: path.read_text(encoding="utf-8") for path in written}
    for name, text in texts.items():
        problems += [f"{name}: typed number {found!r}; glue it from a chapter" for found in typed_numbers(text)]
    notebooks = chapters(book)
    everything = "\n".join([*texts.values(), *(path.read_text(encoding="utf-8") for path in notebooks.values())])
    for path in notebooks.values():
        try:
            problems += [*chapter_problems(path, everything), *questions.problems(path)]
        except (ChapterError, tables.FactError) as error:
            problems.append(str(error))
    return problems
