"""Pages made from the data: notation, sources and assumptions."""

import html

from llmpower import catalog
from llmpower import claims as claims_module
from llmpower.claims import claims

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
}


def _escape(words):
    for letter in r"\|*_`$<[{":
        words = words.replace(letter, "\\" + letter)
    return words


def markdown_table(heads, rows):
    """A table of MyST Markdown."""
    lines = [" | ".join(["", *heads, ""]).strip(), "|" + ":--|" * len(heads)]
    return "\n".join([*lines, *(" | ".join(["", *row, ""]).strip() for row in rows)]) + "\n"


def notation():
    """The appendix of symbols, from the table of quantities.

    Returns
    -------
    page : str
        MyST Markdown.
    """
    rows = [
        [f"${one.symbol}$", f"`{one.name}`", one.unit if one.unit != "1" else "", _escape(one.help)]
        for one in sorted(catalog.quantities().values(), key=lambda one: one.symbol.strip("\\{").lower())
        if one.symbol
    ]
    text = (
        "# Notation\n\nEach name means the same in an equation, in the package, in the data and in `results.json`.\n"
        "Units are SI; B is byte and FLOP a floating-point operation.\n\n"
    )
    return text + markdown_table(["symbol", "name", "unit", "meaning"], rows)


def _html(heads, rows):
    """A table as HTML: over a thousand rows as Markdown would take the renderer ten seconds."""
    lines = ["```{raw} html", '<table class="table facts">', "<thead><tr>", *(f"<th>{head}</th>" for head in heads), "</tr></thead>"]
    lines += ["<tbody>", *("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows), "</tbody></table>"]
    return "\n".join([*lines, "```"])


def _value(fact):
    factor = catalog.UNITS[fact.printed.rpartition(" ")[2]][1] if fact.unit != "text" else 1
    ends = ["" if end is None else f"{end / factor:g}" for end in (fact.low, fact.high)]
    return html.escape(fact.printed.removesuffix(" year").removesuffix(" 1")) + (f" ({ends[0]} to {ends[1]})" if any(ends) else "")


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
        [f"<code>{net.entity}</code>", f"{net.params_total:,}", _source(net.source), html.escape(net.where), _seen(net.verified)]
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


GENERATED = {"coverage": coverage, "notation": notation, "sources": sources}
