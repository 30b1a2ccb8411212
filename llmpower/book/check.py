"""What an author can get wrong without any page failing to build."""

import ast
import re

from llmpower.book import run
from llmpower.book.build import chapters, missing_parts, pages
from llmpower.book.parameters import ChapterError, comment, parameters, parameters_cell, read_notebook
from llmpower.facts import catalog, tables
from llmpower.facts.claims import claims
from llmpower.facts.quantities import quantities

_UNIT = r"(?:[kMGT]?(?:W|Wh|B|J|FLOP)(?:/\w+)?|[mµnp]J|pJ/\w+|GiB|%|percent|tokens?/s|nm|mm2|watts?|joules?|bytes?|gigabytes?)"
_TYPED = re.compile(rf"(?<![\w.])\d[\d.,]*\s?{_UNIT}(?![\w-])")
# Not prose: code, roles and directives, quotations of the article, links, mathematics.
_NOT_PROSE = re.compile(r"```.*?```|`[^`]*`|“[^”]*”|\]\([^)]*\)|\$[^$]*\$", re.DOTALL)
# In an f-string the braces are doubled.
_GLUED = re.compile(r"\{\{?glue:text\}\}?`([\w-]+)`")
_SHOWN = re.compile(r"""\bshow\(\s*["']([\w-]+)["']""")
_ALT = re.compile(r"""\balt\(\s*["']([\w-]+)["']""")


def typed_numbers(text):
    """Numbers with a unit that an author typed where a glued one belongs.

    Parameters
    ----------
    text : str
        Markdown.

    Returns
    -------
    found : list of str

    Examples
    --------
    >>> typed_numbers("reading takes 22.4 J, not `22.4 mJ`")
    ['22.4 J']
    """
    return _TYPED.findall(_NOT_PROSE.sub(" ", text))


def facts_problems(book):
    """Broken rows, unknown sources and values from the future in ``data/``."""
    problems = []
    library = (book / "references.bib").read_text(encoding="utf-8")
    keys = set(re.findall(r"^@\w+\{([^,\s]+),", library, re.MULTILINE))
    for table in sorted(path.name for path in tables.DATA.glob("*.csv")):
        try:
            for cells in tables.rows(table):
                line, row = cells.line, cells.row
                for source in filter(None, row.get("source", "").split(";")):
                    if source not in keys:
                        problems.append(f"data/{table}, line {line}, column source: {source} is not in references.bib")
        except tables.FactError as error:
            problems.append(str(error))
    loaders = [
        quantities,
        *(lambda table=table: catalog.facts(table) for table in catalog.tidy_tables()),
        catalog.models,
        *(lambda kind=kind: catalog.spellings(kind) for kind in catalog.NAMED),
        catalog.constant_sets,
        claims,
    ]
    for load in loaders:
        try:
            load()
        except tables.FactError as error:
            problems.append(str(error))
    return list(dict.fromkeys(problems))


def chapter_problems(path, others=""):
    """Unused or unknown glue keys, typed numbers, missing alternative texts, unclean outputs.

    Parameters
    ----------
    path : pathlib.Path
        The notebook.
    others : str
        Text of other pages, which may use its numbers.

    Returns
    -------
    problems : list of str
    """
    problems, notebook = [], read_notebook(path)
    where = path.name
    sources = "\n".join(cell.source for cell in notebook.cells)
    elsewhere = set(re.findall(rf"\{{glue:text\}}\}}?`(?:[\w-]+/)?{re.escape(path.name)}::([\w-]+)", others))
    used, given = set(_GLUED.findall(sources)) | elsewhere, _SHOWN.findall(sources)
    problems += [f"{where}: {key} is shown but no text uses it" for key in given if key not in used]
    problems += [f"{where}: the text uses {key}, which nothing shows" for key in sorted(used - set(given))]
    problems += [f"{where}: {key} is shown twice" for key in sorted({key for key in given if given.count(key) > 1})]
    alts = _ALT.findall(sources)
    for number, cell in enumerate(notebook.cells, start=1):
        if cell.cell_type == "code":
            try:
                ast.parse(cell.source)
            except SyntaxError as error:
                problems.append(f"{where}, cell {number}: line {error.lineno}: {error.msg}")
        strings = cell.source if cell.cell_type == "markdown" else "\n".join(re.findall(r'"([^"\n]*)"', cell.source))
        for found in typed_numbers(strings):
            problems.append(f"{where}, cell {number}: typed number {found!r}; show it with report.show")
        if "plt.show()" in cell.source:
            figure = cell.metadata.get("mystnb", {}).get("figure", {})
            if not figure.get("name") or not figure.get("caption"):
                problems.append(f"{where}, cell {number}: a figure needs a name and a caption in its metadata")
            if figure.get("name") not in alts:
                problems.append(f"{where}, cell {number}: a figure needs report.alt({figure.get('name')!r}, …)")
        for output in cell.get("outputs", []):
            if any(kind.startswith("image/") for kind in output.get("data", {})):
                problems.append(f"{where}, cell {number}: stored image; run `llmpower renew`")
    cell = parameters_cell(notebook)
    for one in parameters(path).values():
        if f"# {comment(one)}" not in next(
            line for line in cell.source.splitlines() if line.startswith(f"{one.name}:")
        ):
            problems.append(f"{where}: the comment of {one.name} should read `# {comment(one)}`")
    if not run.shown(notebook):
        problems.append(f"{where}: no stored outputs; run `llmpower renew`")
    return problems


def check(book):
    """Everything this module knows to look for.

    Parameters
    ----------
    book : pathlib.Path
        The book.

    Returns
    -------
    problems : list of str
        Empty if there is none.
    """
    problems = missing_parts(book)
    if problems:
        return problems
    problems = facts_problems(book)
    texts = {page: (book / f"{page}.md") for page in pages(book)}
    texts = {page: path.read_text(encoding="utf-8") for page, path in texts.items() if path.is_file()}
    for page, text in texts.items():
        problems += [f"{page}.md: typed number {found!r}; glue it from a chapter" for found in typed_numbers(text)]
    found = chapters(book)
    for name, path in found.items():
        texts[name] = path.read_text(encoding="utf-8")
    for path in found.values():
        try:
            problems += chapter_problems(path, "\n".join(texts.values()))
        except ChapterError as error:
            problems.append(str(error))
    return problems
