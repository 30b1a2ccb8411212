"""What a reader can take home: notebooks for plain Jupyter and as executed, tables behind figures, the whole site."""

import pathlib
import pprint
import re
import shutil
import zipfile

import nbformat

from llmpower import __version__, questions
from llmpower.book import fresh, living, quiz, records
from llmpower.book.escape import escaped
from llmpower.book.files import chapters, filled, read_json
from llmpower.facts import catalog
from llmpower.facts.tables import DATA

FOLDER = "downloads"
# What the front page offers of the whole site, if it was asked for: file and label.
SITE = {
    "pdf": ("the-power-wall.pdf", "the whole book as a PDF"),
    "zip": ("the-power-wall.zip", "the whole site, to read without a network (ZIP)"),
}
_HIDDEN = {"remove-input", "remove-cell", "hide-input"}
_ROLE = re.compile(r"\{([a-z]+(?::[a-z]+)?)\}`([^`]*)`")
_FENCE = re.compile(
    r"^(?P<fence>`{3,}|:{3,})\{(?P<name>[\w-]+)\}[ \t]*(?P<title>.*?)[ \t]*\n"
    r"(?P<options>(?::[\w-]+:.*\n)*)(?P<body>(?:.*\n)*?)(?P=fence)[ \t]*$",
    re.MULTILINE,
)


def edition():
    """Version of the book and the last day on which somebody looked at a source."""
    seen = max(fact.verified for table in catalog.tidy_tables() for fact in catalog.facts(table))
    return f"{__version__} (facts as of {seen})"


def link(book, stage, pages, folders, site):
    """Let staged pages offer their files: a link in each caption, and a list at the end.

    folders: chapter -> folder of its run.
    site: file -> label of what the first page offers besides.
    """
    notebooks = chapters(book)
    for page in pages:
        name, up = pathlib.Path(page).name, "../" * page.count("/") + FOLDER
        if name in folders:
            notebook = nbformat.read(folders[name] / "executed.ipynb", as_version=4)
            offers = {file: f"{file}, which the notebook reads" for file in _beside(folders[name])}
            read = _asked(notebooks[name])
            offers |= {table: f"{table}, which exercises and worksheets read" for table in read}
            offers |= _link_figures(notebook, name, up) | (site if page == pages[0] else {})
            text = filled("templates/downloads.md.j2", folder=up, name=name, offers=offers)
            notebook.cells.append(nbformat.v4.new_markdown_cell(text, id="downloads"))
            notebook = records.glued(living.dress(notebook, name, folders[name]))
            quiz.dress(notebook, name, quiz.asked(notebooks[name]))
            nbformat.write(notebook, stage / f"{page}.ipynb")


def _asked(path):
    """Tables of facts that the questions of a chapter read."""
    return dict.fromkeys(one.table for one in questions.questions(path) if one.table)


def _beside(folder):
    """Names of files beside a chapter that its run read."""
    read = (name.removeprefix("file:") for name in read_json(folder / "inputs.json") if name.startswith("file:"))
    return [name for name in read if name == pathlib.Path(name).name]


def _link_figures(notebook, name, up):
    """Append to each caption a link to its table; returns file -> label."""
    found, offers = tables(notebook), {}
    for figure in filter(None, map(_figure, notebook.cells)):
        if figure.name in found:
            file, caption = f"{name}.{figure.name}.csv", figure.caption
            offers[file] = f"data of the figure “{caption}” (CSV)"
            figure.caption += filled("templates/figure-data.md.j2", address=f"{up}/{file}", caption=caption)
    return offers


def tables(notebook):
    """The table behind each figure of an executed chapter: name of the figure -> CSV."""
    return {name: table for name, _, table in records.entries(notebook.cells, records.FIGURES) if table}


def _figure(cell):
    """Name and caption of the figure that a cell draws, or None."""
    return cell.metadata.get("mystnb", {}).get("figure")


def write(book, stage, pages, folders, heading, target):
    """Write the files that the pages offer; heading: title and edition of the book."""
    target.mkdir()
    executed = {name: nbformat.read(folder / "executed.ipynb", as_version=4) for name, folder in folders.items()}
    known, notebooks = _known(stage, executed, pages), chapters(book)
    for name, notebook in executed.items():
        head = filled("templates/plain-jupyter.md.j2", heading=heading, title=known["ref"][name][0])
        nbformat.write(_for_plain_jupyter(notebook, known, head), target / f"{name}.ipynb")
        shutil.copyfile(folders[name] / "executed.ipynb", target / f"{name}.executed.ipynb")
        for file in _beside(folders[name]):
            shutil.copyfile(next(book / page for page in pages if page.endswith(name)).with_name(file), target / file)
        for table in _asked(notebooks[name]):
            shutil.copyfile(DATA / table, target / table)
        for figure, table in tables(notebook).items():
            (target / f"{name}.{figure}.csv").write_text(table, encoding="utf-8")


def _known(stage, executed, pages):
    """All that a role may name, in the whole book."""
    glue, ref, eq = {}, {}, {}
    for page in pages:
        name = pathlib.Path(page).name
        notebook = executed.get(name)
        text = records.markdown(notebook) if notebook else (stage / f"{page}.md").read_text(encoding="utf-8")
        address = f"{name}.ipynb" if notebook else ""
        heading = re.search(r"^# (.+)$", text, re.MULTILINE).group(1)
        titles = {page: heading, name: heading, **dict(re.findall(r"^\(([\w-]+)\)=\n+#+ (.+)$", text, re.MULTILINE))}
        exercises = re.findall(r"^`{3,}\{exercise\} (.+)\n:label: ([\w-]+)$", text, re.MULTILINE)
        titles |= {label: title for title, label in exercises}
        ref |= {label: (title, address) for label, title in titles.items()}
        if notebook:
            figures = filter(None, map(_figure, notebook.cells))
            ref |= {figure.name: (f"Figure “{figure.caption}”", "") for figure in figures}
            glue |= {f"{page}.ipynb::{key}": one["text"] for key, one in records.shown(notebook).items()}
            labels = re.findall(r"^`{3,}\{math\}\n:label: ([\w-]+)$", text, re.MULTILINE)
            eq |= {label: number for number, label in enumerate(labels, start=1)}
    ref["contents"] = [ref[page] for page in pages[1:] if pathlib.Path(page).name in executed]
    return {"glue": glue, "cite": _citations(stage / "data" / "references.bib"), "ref": ref, "eq": eq}


def _citations(path):
    """Author, year and address of every source."""
    # It comes with Jupyter Book, and takes a moment to load.
    from pybtex.database import parse_file

    found = {}
    for key, entry in parse_file(path).entries.items():
        names = [" ".join(str(part) for part in person.rich_last_names) for person in entry.persons.get("author", [])]
        names = [name.replace("\xa0", " ") for name in names] or [key]
        several = len(names) > 2 or names[-1] == "others"
        authors = names[0] + (" et al." if several else f" and {names[1]}" if len(names) == 2 else "")
        places = f"{entry.fields.get('howpublished', '')} {entry.fields.get('url', '')}"
        address = re.search(r"https?://[^\s}]+|$", places).group().replace("\\", "")
        doi = entry.fields.get("doi")
        found[key] = (authors, entry.fields["year"], f"https://doi.org/{doi}" if doi else address)
    return found


def _for_plain_jupyter(notebook, known, head):
    """An executed chapter that any Jupyter shows and runs: no role, no directive, no hidden record."""
    named = pprint.pformat(_named(notebook, known), width=120, sort_dicts=False)
    setup = nbformat.v4.new_code_cell(filled("templates/plain-setup.py.j2", known=named))
    setup.metadata["jupyter"] = {"source_hidden": True}
    cells = [nbformat.v4.new_markdown_cell(head), setup]
    # Inside a chapter its own numbers need no prefix.
    own = {key: one["text"] for key, one in records.shown(notebook).items()}
    known = {**known, "glue": known["glue"] | own}
    for cell in notebook.cells:
        cells += _text_cells(cell.source, known) if cell.cell_type == "markdown" else _code_cells(cell, known)
    for number, cell in enumerate(cells, start=1):
        cell.id = f"cell-{number:03}"
    return nbformat.v4.new_notebook(cells=cells, metadata=notebook.metadata)


def _named(notebook, known):
    """The part of what is known that cells may print when they run again."""
    code = (
        text for cell in notebook.cells if cell.cell_type == "code" for text in (cell.source, *records.printed(cell))
    )
    words = set(re.findall(r"[\w:./-]+", "\n".join(code)))
    return {kind: {key: one for key, one in entries.items() if key in words} for kind, entries in known.items()}


def _text_cells(source, known):
    """Text as cells: a solution begins a cell of its own, which Jupyter shows folded."""
    parts = re.split(r"^(?=#### Solution: |### Exercise: |## )", plain_markdown(source, known), flags=re.MULTILINE)
    for part in filter(None, map(str.strip, parts)):
        cell = nbformat.v4.new_markdown_cell(part)
        if part.startswith("#### Solution: "):
            cell.metadata["jp-MarkdownHeadingCollapsed"] = True
        yield cell


def _code_cells(cell, known):
    """A code cell with what it printed, and the caption of its figure."""
    outputs = [nbformat.from_dict(output) for output in records.visible(cell)]
    for output in outputs:
        if "text/markdown" in output.get("data", {}):
            output.data["text/markdown"] = plain_markdown(output.data["text/markdown"], known)
    tags, figure = cell.metadata.get("tags", []), _figure(cell)
    made = nbformat.v4.new_code_cell(cell.source, outputs=outputs, execution_count=cell.execution_count)
    # A reader's own values, which win over the defaults above them, stay in sight.
    if _HIDDEN & set(tags) and "injected-parameters" not in tags:
        made.metadata["jupyter"] = {"source_hidden": True}
    made.metadata["tags"] = [tag for tag in tags if tag == "parameters"]
    return [made, nbformat.v4.new_markdown_cell(f"*Figure: {figure.caption}.*")] if figure else [made]


def plain_markdown(text, known):
    """Replace roles and directives of MyST by ordinary Markdown.

    known: what a text may name, and what it stands for: ``glue`` name -> text; ``cite`` key -> (author, year, address
    or ""); ``ref`` label -> (title, address or ""); ``eq`` label -> number. A name that is not there is printed as it
    is.

    >>> known = {"glue": {"cost": "13.0 J"}, "cite": {"a1974": ("Ada", "1974", "")}, "ref": {}, "eq": {}}
    >>> plain_markdown("It takes {glue:text}`cost` {cite}`a1974`, says {cite:t}`a1974`.", known)
    'It takes 13.0 J (Ada 1974), says Ada (1974).'
    """
    text = re.sub(r"^\([\w-]+\)=\n", "", text, flags=re.MULTILINE)
    while _FENCE.search(text):
        text = _FENCE.sub(lambda found: _directive(found, known), text)
    return _ROLE.sub(lambda found: _role(*found.groups(), known), text)


def _role(name, content, known):
    words, _, target = content.removesuffix(">").rpartition(" <") if content.endswith(">") else (content, "", content)
    if name == "glue:text":
        # A name of another chapter, with "::", may end in a format such as ":s".
        key = re.sub(r"(?<!:):\w+$", "", content)
        return escaped(known["glue"].get(key, key))
    if name in ("cite", "cite:t"):
        return _citation(content.split(","), name == "cite:t", known)
    if name == "eq":
        return f"equation {known['eq'].get(content, content)}"
    if name in ("ref", "numref", "doc"):
        title, address = known["ref"].get(target.lstrip("/"), (target, ""))
        return _link(title if words == content else words, address)
    return words


def _citation(keys, textual, known):
    found = [known["cite"].get(key.strip(), (f"`{key.strip()}`", "", "")) for key in keys]
    if textual:
        return ", ".join(_link(f"{author} ({year})" if year else author, address) for author, year, address in found)
    return "(" + ", ".join(_link(f"{author} {year}".strip(), address) for author, year, address in found) + ")"


def _link(words, address):
    # Brackets inside the words would end the link.
    return f"[{words.replace('[', '(').replace(']', ')')}]({address})" if address else words


def _directive(found, known):
    options = dict(re.findall(r"^:([\w-]+):[ \t]*(.*)$", found["options"], re.MULTILINE))
    return filled("templates/directive.md.j2", **found.groupdict() | {"options": options}, known=known, link=_link)


def archive(site):
    """Pack a site into a file inside it; the same site gives the same bytes."""
    name, target = SITE["zip"][0], site / FOLDER / SITE["zip"][0]
    files = {file: path.read_bytes() for file, path in fresh.files_in(site).items()}
    # The packed front page does not offer the pack it came in.
    offer = re.compile(rf'<li><a href="{FOLDER}/{re.escape(name)}".*?</li>'.encode())
    files["index.html"] = offer.sub(b"", files["index.html"])
    files["README.txt"] = f"Open index.html in a browser. Edition {edition()}.\n".encode()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as pack:
        for file in sorted(files):
            entry = zipfile.ZipInfo(f"{target.stem}/{file}", (1980, 1, 1, 0, 0, 0))
            entry.external_attr, entry.compress_type = 0o644 << 16, zipfile.ZIP_DEFLATED
            pack.writestr(entry, files[file])
