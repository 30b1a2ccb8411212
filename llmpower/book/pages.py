"""The generated pages: ``templates/``, filled with the data and with what is known about this edition and its runs."""

import collections
import importlib.metadata
import platform
import re

from llmpower import questions
from llmpower.book import coverage as where
from llmpower.book import editions, records
from llmpower.book.files import HERE, RUN_TIMES, chapters, filled, page_file, read_json, read_notebook, read_yaml
from llmpower.book.fresh import tables_read
from llmpower.book.parameters import used_table
from llmpower.facts import catalog, tables
from llmpower.facts import claims as article
from llmpower.facts.quantities import quantities
from llmpower.facts.units import in_unit
from llmpower.ranges import Range
from llmpower.text import text, unit_text

# Files of the book that these pages are made from.
NEEDED = (RUN_TIMES, "CHANGELOG.md", "CITATION.cff")
LIBRARY = "data/references.bib"


def page(name, book, runs):
    """MyST Markdown of a generated page; runs: chapter -> folder of its run."""
    helpers = {"unit_text": unit_text, "ranged": _ranged, "version": importlib.metadata.version}
    return filled(f"templates/{name}.md.j2", **helpers, **GENERATED[name](book, runs))


def elsewhere(name, book, instead):
    """Stand-in of a page that a run of one chapter leaves out: its title, sections and equations."""
    path, template = page_file(book, name), f"templates/{name}.md.j2"
    if path and path.suffix == ".ipynb":
        text = records.markdown(read_notebook(path))
    else:
        text = (path or HERE / template).read_text(encoding="utf-8")
    title = re.search(r"^# (.+)$", text, re.MULTILINE)
    sections = re.findall(r"^\(([\w-]+)\)=\n+#+ (.+)$", text, re.MULTILINE)
    equations = re.findall(r"^`{3,}\{math\}\n:label: [\w-]+\n(?:.*\n)*?`{3,}$", text, re.MULTILINE)
    return filled(
        "templates/elsewhere.md.j2",
        equations=equations,
        title=title[1] if title else name,
        sections=sections,
        instead=instead,
    )


def notation(book, runs):
    """Symbols, from the table of quantities."""
    named = (one for one in quantities().values() if one.symbol)
    return {"quantities": sorted(named, key=lambda one: one.symbol.strip("\\{").lower())}


def sources(book, runs):
    """Sources and assumptions, value by value; what nobody saw in its source stands first."""
    found = {name: catalog.facts(name) for name in catalog.tidy_tables()}
    # Names that we chose ourselves need no source; numbers that we chose do stand here.
    chosen = ("text", "convention")
    found = {name: [one for one in facts if (one.unit, one.kind) != chosen] for name, facts in found.items()}
    unseen = [fact for facts in found.values() for fact in facts if not fact.verified]
    groups = {**found, "models.csv": list(catalog.models().values()), "claims.csv": list(article.claims().values())}
    counts, secondary = [], catalog.secondary()
    for name, group in groups.items():
        repeated = sum(catalog.first(one.source) in secondary for one in group)
        counts.append((name, len(group), sum(bool(one.verified) for one in group), repeated))
    groups.pop("claims.csv")
    keys = sorted({key for group in groups.values() for one in group for key in one.source.split(";") if key})
    marks = {"secondary": secondary, "first": catalog.first}
    return {"counts": counts, "unseen": unseen, "tables": found, "models": groups["models.csv"], "keys": keys} | marks


def _ranged(fact):
    """Value of a fact as its source prints it, with its range in the same unit."""
    unit = fact.printed.rpartition(" ")[2]
    low, high = ("" if end is None else f"{in_unit(end, unit):g}" for end in (fact.low, fact.high))
    return fact.printed.removesuffix(" year").removesuffix(" 1") + (f" ({low} to {high})" if low or high else "")


def coverage(book, runs):
    """From the parts of the article, and from each of its statements, to the sections of the book; a tally."""
    rows, claims = [], article.claims().values()
    texts = {name: where.sections(read_notebook(path).cells) for name, path in chapters(book).items()}
    sections = {one.id: where.treated(one, texts[one.chapter]) for one in claims}
    at = {one.id: _address(one.chapter, sections[one.id]) for one in claims}
    for one in where.coverage():
        own = [(claim.id, at[claim.id]) for claim in claims if where.part(claim) is one]
        place = _address(one.page, one.section), one.section
        # A section to which no statement of the part leads gives way to that of the first.
        if own and place[0] not in dict(own).values():
            place = own[0][1], sections[own[0][0]]
        rows.append((one, *place, own))
    verdicts = collections.Counter(claim.verdict for claim in claims)
    return {"rows": rows, "tally": [(verdict, verdicts[verdict]) for verdict in article.VERDICTS]}


def _address(page, section):
    """Where a section of a chapter stands: a heading has the anchor that MyST makes of it."""
    page = page if page == "index" or "/" in page else f"chapters/{page}"
    kept = "".join(letter for letter in section.lower() if letter.isalnum() or letter in " -_")
    return f"{page}.ipynb#{kept.replace(' ', '-')}"


def parameters_used(book, runs):
    """What every chapter was run with."""
    found, notebooks = [], chapters(book)
    for name, folder in runs.items():
        path = notebooks[name]
        title = read_notebook(path).cells[0].source.partition("# ")[2].partition("\n")[0]
        found.append((title, used_table(path, read_json(folder / "results.json")["parameters"])))
    return {"chapters": found}


def status(book, runs):
    """How this edition was made.

    Run times are those of the reference edition, from `RUN_TIMES`, where ``llmpower renew`` puts them:
    measured anew they would differ from build to build, and two builds of one commit are to be alike to the byte.
    All the rest is of this very build.
    """
    reference, rows, newest, notebooks = read_json(book / RUN_TIMES), [], {}, chapters(book)
    for name, folder in runs.items():
        read, numbers = tables_read(read_json(folder / "inputs.json")), read_json(folder / "results.json")["numbers"]
        path = notebooks[name].relative_to(book).as_posix()
        newest |= {table: _newest(table) for table in read if table not in newest}
        seen = max(map(newest.get, read), default="")
        rows.append((path, reference["run_s"].get(name), len(numbers), len(read), seen))
    return {"reference": reference, "rows": rows, "python": platform.python_version()}


def _newest(table):
    """The newest day on which somebody saw a fact of a table in its source, or nothing."""
    return max((cells.row.get("verified", "") for cells in tables.rows(table)), default="")


def scale(book, runs):
    """What more chapters, runs and points cost, and what many workers would need."""
    one = catalog.records("computing.csv")["sweep"]
    task_s = Range(*catalog.fact("computing.csv", "dask", "scheduler_task_s").ends)
    reference = read_json(book / RUN_TIMES)["run_s"]
    rate = lambda workers: workers / one.run_s * (one.two_workers_share if workers > 1 else 1)  # noqa: E731
    runs_by = [(number, *(text(one.begin_s + number / rate(workers), "s") for workers in (1, 2))) for number in _RUNS]
    points_by = [(number, text(number / 1e6 * one.points_s, "s")) for number in _POINTS]
    # Tasks a second of a thousand workers, and the share of a second that the scheduler spends on them.
    many = _MANY / one.run_s
    load = Range(many * task_s.low, many * task_s.central, many * task_s.high)
    fed = Range(one.run_s / task_s.high, one.run_s / task_s.central, one.run_s / task_s.low)
    shown = {"run_s": text(one.run_s, "s"), "begin_s": text(one.begin_s, "s"), "task": text(task_s, "s")}
    shown |= {"share": text(one.two_workers_share, "%"), "load": text(load, "%"), "fed": text(fed, "1")}
    shown |= {"ran": f"{one.many_runs:,.0f}", "took": text(one.many_runs_s, "s")}
    shown["case"] = text(one.case_s, "s")
    shown["judged"] = "too much" if load.low > 1 else "too much at the upper end" if load.high > 1 else "what it can do"
    shown |= {"many": f"{_MANY:,}", "tasks": text(many, "1"), "chapters": len(reference)}
    shown |= {"sum": text(sum(reference.values()), "s"), "longest": text(max(reference.values()), "s")}
    return {**shown, "runs_by": runs_by, "points_by": points_by}


# Of the page on scale.
_RUNS, _POINTS, _MANY = (10, 1_000, 100_000), (10**6, 10**8, 10**10), 1_000


# What the article shows to be easily mistaken, and statements of it that do.
_MISTAKEN = (
    ("A thousand is lost", "millijoules for joules, GiB for GB, bits for bytes", ("C30", "C34", "C37", "C105")),
    (
        "A share of what?",
        "a quotient taken for a share, a share without its whole or its boundary",
        ("C27", "C26", "C99"),
    ),
    (
        "Unlike things compared",
        "a small network with a large one, one machine's part with another's",
        ("C86", "C87", "C70"),
    ),
    ("One user against many", "what holds for one request is said of a service", ("C41", "C102", "C81")),
    ("Rated is not drawn", "a rating, a peak or an estimate is taken for what a meter shows", ("C76", "C52", "C58")),
)
# Weeks of a module, and what is read in each.
_WEEKS = (
    ("Why chips stopped getting faster for free", ("dennard-collapse", "tdp-escalator")),
    ("Where a joule goes", ("decode-breakdown",)),
    ("What a service takes", ("datacenter-scale",)),
    ("Laptop or data centre?", ("tokens-per-watt",)),
    ("What helps, and what cannot", ("three-layer-mitigations",)),
    ("How do we know?", ("model-against-measurement",)),
)  # fmt: skip

_TIME = re.compile(r"^\*\*Time\*\* about (\d+) minutes(?:, and (\d+) more for the exercises)?", re.MULTILINE)


def teach(book, runs):
    """What a teacher plans with: objectives, exercises and minutes of chapters, plans, and what is easily mistaken."""
    known, texts = {}, {}
    for name, path in chapters(book).items():
        notebook, listed = read_notebook(path), questions.questions(path)
        text, texts[name] = records.markdown(notebook), where.sections(notebook.cells)
        able = re.search(r"\*\*You will be able to\*\* (.+?)\n\n", text, re.DOTALL)
        time = _TIME.search(text)
        if able:
            known[name] = {
                "title": re.search(r"^# (.+)$", text, re.MULTILINE)[1], "able": able[1].replace("\n", " "),
                "read": int(time[1]) if time else 0, "more": int(time[2] or 0) if time else 0,
                "exercises": editions.exercises(notebook), "questions": listed,
                "sheet": sum(one.minutes for one in listed),
            }  # fmt: skip
    judged = [article.claims()[id] for *_, ids in _MISTAKEN for id in ids]
    at = {one.id: (one, _address(one.chapter, where.treated(one, texts[one.chapter]))) for one in judged}
    mistaken = [(name, words, [at[id] for id in ids]) for name, words, ids in _MISTAKEN]
    weeks = [(name, [known[one] for one in of if one in known], of) for name, of in _WEEKS]
    return {
        "chapters": known,
        "mistaken": mistaken,
        "weeks": weeks,
        "kinds": questions.KINDS,
        "levels": editions.LEVELS,
    }


def changelog(book, runs):
    """The changelog of the repository."""
    return {"changelog": (book / "CHANGELOG.md").read_text(encoding="utf-8")}


def citing(book, runs):
    """How to cite the book, from ``CITATION.cff``."""
    citation = read_yaml(book / "CITATION.cff")
    citation["date-released"] = str(citation.get("date-released", ""))
    return {"citation": citation, "authors": [_author(one) for one in citation["authors"]], "bibtex": bibtex(citation)}


def _author(one):
    return one.get("name") or ", ".join(one[key] for key in ("family-names", "given-names") if key in one)


def bibtex(citation):
    """BibTeX entry of what ``CITATION.cff`` says.

    A name that is not split into parts stands in braces, so that BibTeX leaves it whole.

    >>> authors = [{"name": "The authors"}]
    >>> print(bibtex({"title": "Watts", "version": "2.0", "date-released": "2030-01-31", "authors": authors}))
    @software{llmpower,
      author = {{The authors}},
      title = {{Watts}},
      version = {2.0},
      year = {2030}
    }
    """
    names = [f"{{{_author(one)}}}" if "name" in one else _author(one) for one in citation["authors"]]
    fields = {"author": " and ".join(names), "title": f"{{{citation['title']}}}", "version": citation["version"]}
    fields |= {"year": str(citation.get("date-released", ""))[:4], "url": citation.get("url", "")}
    lines = [f"  {key} = {{{value}}}" for key, value in fields.items() if value]
    return "@software{llmpower,\n" + ",\n".join(lines) + "\n}"


_PAGES = (changelog, citing, coverage, notation, parameters_used, scale, sources, status, teach)
# Page -> function of the book and its runs that gives what its template is filled with.
GENERATED = {function.__name__.replace("_", "-"): function for function in _PAGES}
