"""Pages made from the data, and from what is known about this edition and its runs."""

import html
import importlib.metadata
import json
import platform

import yaml

from llmpower.book.parameters import read_notebook, resolve, used_table
from llmpower.book.report import alignment, unit_text
from llmpower.facts import catalog, tables
from llmpower.facts import claims as claims_module
from llmpower.facts.claims import claims
from llmpower.facts.quantities import quantities
from llmpower.facts.units import UNITS

_TABLES = {
    "accelerators.csv": "Accelerators and systems",
    "energy_constants.csv": "Energy constants",
    "formats.csv": "Number formats",
    "memory.csv": "Memory stacks",
    "cpus.csv": "Historic processors",
    "datacenter.csv": "Data centres",
    "mitigations.csv": "Mitigations",
    "measured_points.csv": "Measured points",
    "scaling.csv": "Scaling rules and constants of nature",
    "escalator.csv": "Cooling and generations",
    "calibration.csv": "Constants of the estimator",
}


def _escape(words):
    for letter in r"\|*_`$<[{":
        words = words.replace(letter, "\\" + letter)
    return words


def markdown_table(heads, rows):
    """A table of MyST Markdown."""
    rules = {"left": ":--", "right": "--:"}
    lines = [" | ".join(["", *heads, ""]).strip(), "|" + "|".join(rules[side] for side in alignment(rows)) + "|"]
    return "\n".join([*lines, *(" | ".join(["", *row, ""]).strip() for row in rows)]) + "\n"


def notation():
    """The appendix of symbols, from the table of quantities.

    Returns
    -------
    page : str
        MyST Markdown.
    """
    rows = [
        [f"${one.symbol}$", f"`{one.name}`", unit_text(one.unit) if one.unit != "1" else "", _escape(one.help)]
        for one in sorted(quantities().values(), key=lambda one: one.symbol.strip("\\{").lower())
        if one.symbol
    ]
    text = (
        "# Notation\n\nEach name means the same in an equation, in the package, in the data and in `results.json`.\n"
        "Units are SI; B is byte and FLOP a floating-point operation.\n\n"
    )
    return text + markdown_table(["symbol", "name", "unit", "meaning"], rows)


def _html(heads, rows):
    """A table as HTML: over a thousand rows as Markdown would take the renderer ten seconds."""
    lines = ["```{raw} html", '<div class="pst-scrollable-table-container"><table class="table facts">']
    lines += ["<thead><tr>", *(f'<th scope="col">{head}</th>' for head in heads), "</tr></thead>"]
    lines += [
        "<tbody>",
        *("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows),
        "</tbody></table></div>",
    ]
    return "\n".join([*lines, "```"])


def _value(fact):
    factor = UNITS[fact.printed.rpartition(" ")[2]][1] if fact.unit != "text" else 1
    ends = ["" if end is None else f"{end / factor:g}" for end in (fact.low, fact.high)]
    return html.escape(fact.printed.removesuffix(" year").removesuffix(" 1")) + (
        f" ({ends[0]} to {ends[1]})" if any(ends) else ""
    )


def _source(keys):
    """Links to the list of documents at the end of the page."""
    return ", ".join(f'<a href="#document-{key}">{key}</a>' for key in filter(None, keys.split(";")))


def _seen(verified):
    return verified or "<strong>unverified</strong>"


def _row(fact):
    name, quantity = (f"<code>{text}</code>" for text in (fact.entity, fact.quantity))
    return [name, quantity, _value(fact), fact.kind, _source(fact.source), _seen(fact.verified)]


def sources():
    """The appendix of sources and assumptions, value by value.

    Returns
    -------
    page : str
        MyST Markdown; what nobody saw in its source stands first.
    """
    heads = ["entity", "quantity", "value (range)", "kind", "source", "seen"]
    # Names that we chose ourselves need no source; numbers that we chose do stand here.
    tables = {
        name: [fact for fact in catalog.facts(name) if fact.unit != "text" or fact.kind != "convention"]
        for name in catalog.tidy_tables()
    }
    models = [catalog.model(name) for name in catalog.names("model")]
    groups = {
        **{_TABLES[name]: found for name, found in tables.items()},
        "Models (one configuration each)": models,
        "Verdicts on the article": list(claims().values()),
    }
    counts = [[name, len(found), sum(bool(one.verified) for one in found)] for name, found in groups.items()]
    counts.append(["**all**", *(sum(row[column] for row in counts) for column in (1, 2))])
    counts = [[name, f"{total:,}", f"{seen:,}", f"{seen / total:.0%}"] for name, total, seen in counts]
    unseen = [fact for found in tables.values() for fact in found if not fact.verified]
    parts = [
        "# Sources and assumptions",
        "Every value of the book with its range, its source and the day somebody saw it there.\n"
        "A source is the document in which the value was seen; where that document quotes another one, both are named.\n"
        "Ranges are in the unit of the value.\n"
        "A value of the kind `convention` is our own choice, an assumption that a reader may replace.",
        markdown_table(["facts", "values", "seen in a source", "share"], counts),
        "## What nobody has seen in its source",
        _html(heads, [_row(fact) for fact in unseen]) if unseen else "Nothing.",
    ]
    for name, found in tables.items():
        parts += [f"## {_TABLES[name]}", _html(heads, [_row(fact) for fact in found])]
    rows = [
        [
            f"<code>{net.entity}</code>",
            f"{net.params_total:,}",
            _source(net.source),
            html.escape(net.where),
            _seen(net.verified),
        ]
        for net in models
    ]
    parts += ["## Models", _html(["model", "parameters", "source", "where", "seen"], rows)]
    keys = {key for found in (*tables.values(), models) for one in found for key in one.source.split(";") if key}
    parts += ["## Documents"]
    parts += [f'<span id="document-{key}"></span>`{key}`: {{cite:t}}`{key}`\n' for key in sorted(keys)]
    return "\n\n".join(parts)


def coverage():
    """The appendix that leads from the article's lines to the sections of the book.

    Returns
    -------
    page : str
        MyST Markdown.
    """
    rows = []
    for one in claims_module.coverage():
        ids = [id for id, claim in claims().items() if one.first_line <= claim.line <= one.last_line]
        ending = "md" if one.page in GENERATED else "ipynb"
        link = f"[{one.section}]({one.page}.{ending}#{_slug(one.section)})"
        lines = f"{one.first_line}" if one.first_line == one.last_line else f"{one.first_line} to {one.last_line}"
        rows.append([lines, one.block, link, ", ".join(ids)])
    text = (
        "# The article, part by part\n\n"
        "Every part of {cite:t}`plasmon2026power`, and where this book treats it.\n"
        "The last column names the statements that were checked one by one; each chapter ends with its own.\n\n"
    )
    return text + markdown_table(["lines", "part", "treated in", "statements"], rows)


def _slug(heading):
    """Anchor of a heading, as MyST makes it."""
    kept = "".join(letter for letter in heading.lower() if letter.isalnum() or letter in " -_")
    return kept.replace(" ", "-")


def _notebook(book, chapter):
    return book / ("index.ipynb" if chapter == "index" else f"chapters/{chapter}.ipynb")


def _title(path):
    """Heading of a chapter."""
    return read_notebook(path).cells[0].source.partition("# ")[2].partition("\n")[0]


def _read_json(path):
    return json.loads(path.read_text(encoding="utf-8"))


def parameters_used(book, runs):
    """The appendix of what every chapter was run with.

    Parameters
    ----------
    book : pathlib.Path
        The book.
    runs : dict of pathlib.Path
        Chapter -> folder of its run.

    Returns
    -------
    page : str
        MyST Markdown.
    """
    parts = [
        "# Parameters used",
        "What each chapter of this book was run with.\n"
        "A value in bold was set by a reader, in a scenario file or on the command line; the others are the defaults.\n"
        "`llmpower chapters` prints the limits of each.",
    ]
    for chapter, folder in runs.items():
        path = _notebook(book, chapter)
        values = resolve(path, _read_json(folder / "results.json")["parameters"])
        parts += [f"## {_title(path)}", used_table(path, values)]
    return "\n\n".join(parts) + "\n"


_PACKAGES = ("llmpower", "numpy", "scipy", "sympy", "pandas", "matplotlib", "papermill", "jupyter-book", "Sphinx")


def _newest(names):
    """Newest day on which somebody saw a fact of these tables in its source."""
    return max((cells.row.get("verified", "") for table in names for cells in tables.rows(table)), default="")


def status(book, runs):
    """The appendix of how this edition was made.

    Run times are those of the reference edition, from `RUN_TIMES`, where ``llmpower renew`` puts them:
    measured anew they would differ from build to build, and two builds of one commit are to be alike to the byte.
    All the rest is of this very build.

    Parameters
    ----------
    book : pathlib.Path
        The book.
    runs : dict of pathlib.Path
        Chapter -> folder of its run.

    Returns
    -------
    page : str
        MyST Markdown.
    """
    reference, rows = _read_json(book / RUN_TIMES), []
    for chapter, folder in runs.items():
        tables = [
            name.removeprefix("table:") for name in _read_json(folder / "inputs.json") if name.startswith("table:")
        ]
        time = reference["run_s"].get(chapter)
        link = f"[]({_notebook(book, chapter).relative_to(book).as_posix()})"
        shown = len(_read_json(folder / "results.json")["numbers"])
        rows.append([link, "not yet" if time is None else f"{time:g}", f"{shown}", f"{len(tables)}", _newest(tables)])
    versions = [[f"{name}", importlib.metadata.version(name)] for name in _PACKAGES]
    parts = [
        "# Status of this edition",
        "Every chapter was executed for this build, or kept from a run with the same code, parameters, facts and packages.",
        markdown_table(
            ["chapter", "run time [s]", "numbers shown", "tables of facts read", "newest fact seen on"], rows
        ),
        f"Run times are those of the reference edition, executed on {reference['date']} with Python {reference['python']} "
        f"on {reference['cores']} cores, all chapters in one go; they include the start of the kernel.\n"
        "They are not measured anew for each build, so that two builds of one commit are alike to the byte.\n"
        "The last column is the newest day on which somebody saw a value of those tables in its source; "
        "{doc}`sources` gives it value by value.",
        "## What this build was made with",
        markdown_table(["software", "version"], [["Python", platform.python_version()], *versions]),
        "`requirements.lock` pins these and all others by hash.",
    ]
    return "\n\n".join(parts) + "\n"


def changelog(book, runs):
    """The changelog of the repository as a page."""
    return (book / "CHANGELOG.md").read_text(encoding="utf-8")


def _author(one):
    return one.get("name") or ", ".join(one[key] for key in ("family-names", "given-names") if key in one)


def bibtex(citation):
    """BibTeX entry of what ``CITATION.cff`` says.

    Parameters
    ----------
    citation : dict
        The content of the file.

    Returns
    -------
    entry : str
        A name that is not split into parts stands in braces, so that BibTeX leaves it whole.

    Examples
    --------
    >>> print(bibtex({"title": "Watts", "version": "2.0", "date-released": "2030-01-31", "authors": [{"name": "The authors"}]}))
    @software{llmpower,
      author = {{The authors}},
      title = {{Watts}},
      version = {2.0},
      year = {2030}
    }
    """
    names = [f"{{{_author(one)}}}" if "name" in one else _author(one) for one in citation["authors"]]
    fields = {"author": " and ".join(names), "title": f"{{{citation['title']}}}", "version": citation["version"]}
    if "date-released" in citation:
        fields["year"] = str(citation["date-released"])[:4]
    if "url" in citation:
        fields["url"] = citation["url"]
    return "@software{llmpower,\n" + ",\n".join(f"  {key} = {{{value}}}" for key, value in fields.items()) + "\n}"


def citing(book, runs):
    """The appendix of how to cite the book, from ``CITATION.cff``."""
    citation = yaml.safe_load((book / "CITATION.cff").read_text(encoding="utf-8"))
    released = citation.get("date-released")
    authors = "; ".join(_author(one) for one in citation["authors"])
    edition = f"version {citation['version']}, {released or 'not yet released'}"
    when = (
        "" if released else "\nNo edition has been released yet: add the commit you built from, or the day you read it."
    )
    return (
        f"# How to cite\n\n{authors}: *{citation['title']}*, {edition}.{when}\n\n```bibtex\n{bibtex(citation)}\n```\n\n"
        "The same stands in `CITATION.cff`, which reference managers read.\n"
        "A fact belongs to who found it: for a value that the book only passes on, cite the source named beside it, "
        "listed in {doc}`sources`.\n"
        "Numbers may move between editions ({doc}`changelog`, {doc}`errata`), so name the version with a number.\n"
    )


# Of the reference edition; written by `llmpower renew`.
RUN_TIMES = "chapters/run-times.json"
# Files of the book that these pages are made from.
NEEDED = (RUN_TIMES, "CHANGELOG.md", "CITATION.cff")
# Page -> function of the book and the folders of its runs.
GENERATED = {
    "changelog": changelog,
    "citing": citing,
    "coverage": lambda book, runs: coverage(),
    "notation": lambda book, runs: notation(),
    "parameters-used": parameters_used,
    "sources": lambda book, runs: sources(),
    "status": status,
}
