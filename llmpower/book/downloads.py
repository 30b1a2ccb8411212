"""What a reader can take home: notebooks for plain Jupyter, executed notebooks, the table behind each figure, the whole site."""

import html
import pathlib
import pprint
import re
import shutil
import zipfile

import nbformat

from llmpower import __version__
from llmpower.book import plain, run
from llmpower.facts import catalog

FOLDER = "downloads"
# What the front page offers of the whole site, if it was asked for: file and label.
SITE = {
    "pdf": ("the-power-wall.pdf", "the whole book as a PDF"),
    "zip": ("the-power-wall.zip", "the whole site, to read without a network (ZIP)"),
}
_HIDDEN = {"remove-input", "remove-cell", "hide-input"}
_INSTALL = """> **{heading}**: “{title}” for a plain Jupyter.
>
> It needs Python 3.11 or newer and the package `llmpower`, which is not on PyPI: it comes with the folder of the book.
> Either install it from there into the Python that runs your Jupyter, `pip install path/to/the/book`, or let `make .venv/ready` set everything up in that folder and take `.venv/bin/python` as the kernel.
>
> Change the cell that is tagged `parameters` and run all cells: tables, figures and the text that cells print follow.
> A number in a text cell stays what it was in this edition."""
_SETUP = """# What the text that the cells below print stands for: sources, figures, equations, numbers of other chapters.
from llmpower import report

report.in_plain_jupyter({known})"""


def edition():
    """Version of the book and the last day on which somebody looked at a source."""
    seen = max(fact.verified for table in catalog.tidy_tables() for fact in catalog.facts(table))
    return f"{__version__} (facts as of {seen})"


def link(stage, pages, notebooks, site):
    """Let staged pages offer their files: a link in each caption, and a list at the end.

    Parameters
    ----------
    stage : pathlib.Path
        The staged book.
    pages : list of str
        All pages in reading order.
    notebooks : dict of pathlib.Path
        Chapter -> its executed notebook.
    site : dict
        File -> label of what the first page offers besides.
    """
    for page in pages:
        name, up = pathlib.Path(page).name, "../" * page.count("/") + FOLDER
        if name in notebooks:
            notebook = nbformat.read(notebooks[name], as_version=4)
            offers = {
                f"{name}.ipynb": "notebook for a plain Jupyter",
                f"{name}.executed.ipynb": "executed notebook, as it ran for this page",
            }
            offers |= {**_link_figures(notebook, name, up), **(site if page == pages[0] else {})}
            links = [
                f'<li><a href="{up}/{file}" download>{html.escape(label)}</a></li>' for file, label in offers.items()
            ]
            text = "\n".join(["## Downloads", "", '<ul class="downloads">', *links, "</ul>"])
            notebook.cells.append(nbformat.v4.new_markdown_cell(text, id="downloads"))
            nbformat.write(notebook, stage / f"{page}.ipynb")


def write(stage, pages, notebooks, heading, folder):
    """Write the files that the pages offer.

    Parameters
    ----------
    stage : pathlib.Path
        The staged book.
    pages : list of str
        All pages in reading order.
    notebooks : dict of pathlib.Path
        Chapter -> its executed notebook.
    heading : str
        Title and edition of the book.
    folder : pathlib.Path
        Where the files go.
    """
    folder.mkdir()
    executed = {name: nbformat.read(path, as_version=4) for name, path in notebooks.items()}
    known = _known(stage, executed, pages)
    for name, notebook in executed.items():
        head = _INSTALL.format(heading=heading, title=known["ref"][name][0])
        nbformat.write(for_plain_jupyter(notebook, _of(name, known), head), folder / f"{name}.ipynb")
        shutil.copyfile(notebooks[name], folder / f"{name}.executed.ipynb")
        for figure, table in tables(notebook).items():
            (folder / f"{name}.{figure}.csv").write_text(table, encoding="utf-8")


def tables(notebook):
    """The table behind each figure of an executed chapter: name of the figure -> CSV."""
    marks = [output.metadata.scrapbook for output in run.glued(notebook)]
    return {mark.alt: mark.csv for mark in marks if mark.get("csv")}


def _figures(notebook):
    """Figures of a notebook: the cell and what its metadata says."""
    return [
        (cell, cell.metadata.mystnb.figure) for cell in notebook.cells if "figure" in cell.metadata.get("mystnb", {})
    ]


def _link_figures(notebook, name, up):
    """Append to each caption a link to its table; returns file -> label."""
    found, offers = tables(notebook), {}
    for _, figure in _figures(notebook):
        if figure.name in found:
            file, caption = f"{name}.{figure.name}.csv", figure.caption
            offers[file] = f"data of the figure “{caption}” (CSV)"
            label = html.escape(f"data (CSV) of the figure “{caption}”")
            figure.caption += (
                f' · <a class="figure-data" href="{up}/{file}" download aria-label="{label}">data (CSV)</a>'
            )
    return offers


def _known(stage, executed, pages):
    """All that a role may name, in the whole book."""
    known = {"glue": {}, "cite": _citations(stage / "references.bib"), "ref": {}, "eq": {}}
    for page in pages:
        name, inside = pathlib.Path(page).name, pathlib.Path(page).name in executed
        text = _text(executed[name]) if inside else (stage / f"{page}.md").read_text(encoding="utf-8")
        address = f"{name}.ipynb" if inside else ""
        heading = re.search(r"^# (.+)$", text, re.MULTILINE).group(1)
        known["ref"] |= {page: (heading, address), name: (heading, address)}
        known["ref"] |= {
            label: (title, address) for label, title in re.findall(r"^\(([\w-]+)\)=\n+#+ (.+)$", text, re.MULTILINE)
        }
        exercises = re.findall(r"^`{3,}\{exercise\} (.+)\n:label: ([\w-]+)$", text, re.MULTILINE)
        known["ref"] |= {label: (title, address) for title, label in exercises}
        if inside:
            known["ref"] |= {figure.name: (f"Figure “{figure.caption}”", "") for _, figure in _figures(executed[name])}
            known["glue"] |= {f"{page}.ipynb::{key}": one["text"] for key, one in run.shown(executed[name]).items()}
            labels = re.findall(r"^`{3,}\{math\}\n:label: ([\w-]+)$", text, re.MULTILINE)
            known["eq"] |= {label: number for number, label in enumerate(labels, start=1)}
    known["ref"]["contents"] = [known["ref"][page] for page in pages[1:] if pathlib.Path(page).name in executed]
    return known


def _text(notebook):
    """All Markdown of an executed notebook, its own and what its cells printed."""
    parts = []
    for cell in notebook.cells:
        parts += [cell.source] if cell.cell_type == "markdown" else _printed(cell)
    return "\n".join(parts)


def _printed(cell):
    return [output.data["text/markdown"] for output in cell.outputs if "text/markdown" in output.get("data", {})]


def _of(name, known):
    """What names mean inside one chapter, where its own numbers need no prefix."""
    own = {
        key.partition("::")[2]: text
        for key, text in known["glue"].items()
        if f"/{key}".partition(".ipynb::")[0].endswith(f"/{name}")
    }
    return {**known, "glue": {**known["glue"], **own}}


def _citations(path):
    """Author, year and address of every source."""
    # It comes with Jupyter Book, and takes a moment to load.
    from pybtex.database import parse_file

    found = {}
    for key, entry in parse_file(path).entries.items():
        names = ["".join(str(part) for part in person.rich_last_names) for person in entry.persons.get("author", [])]
        names = [name.replace("\xa0", " ") for name in names] or [key]
        several = len(names) > 2 or names[-1] == "others"
        authors = names[0] + (" et al." if several else f" and {names[1]}" if len(names) == 2 else "")
        address = re.search(
            r"https?://[^\s}]+", entry.fields.get("howpublished", "") + " " + entry.fields.get("url", "")
        )
        doi = f"https://doi.org/{entry.fields['doi']}" if "doi" in entry.fields else ""
        found[key] = (authors, entry.fields["year"], doi or (address.group().replace("\\", "") if address else ""))
    return found


def for_plain_jupyter(notebook, known, head):
    """A chapter that any Jupyter shows and runs: no role, no directive, no hidden record.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
        The executed chapter.
    known : dict
        As for `llmpower.book.plain.resolve`.
    head : str
        The first cell.

    Returns
    -------
    notebook : nbformat.NotebookNode
    """
    setup = nbformat.v4.new_code_cell(
        _SETUP.format(known=pprint.pformat(_named(notebook, known), width=120, sort_dicts=False))
    )
    setup.metadata["jupyter"] = {"source_hidden": True}
    cells = [nbformat.v4.new_markdown_cell(head), setup]
    for cell in notebook.cells:
        cells += _text_cells(cell.source, known) if cell.cell_type == "markdown" else _code_cells(cell, known)
    for number, cell in enumerate(cells, start=1):
        cell.id = f"cell-{number:03}"
    return nbformat.v4.new_notebook(cells=cells, metadata=notebook.metadata)


def _named(notebook, known):
    """The part of what is known that cells may print when they run again."""
    code = "\n".join("\n".join([cell.source, *_printed(cell)]) for cell in notebook.cells if cell.cell_type == "code")
    words = set(re.findall(r"[\w:./-]+", code))
    own = run.shown(notebook)
    return {
        kind: {key: one for key, one in known[kind].items() if key in words and not (kind == "glue" and key in own)}
        for kind in plain.KINDS
    }


def _text_cells(source, known):
    """Text as cells: a solution begins a cell of its own, which Jupyter shows folded."""
    cells = []
    for part in re.split(r"^(?=#### Solution: |### Exercise: |## )", plain.resolve(source, known), flags=re.MULTILINE):
        if part.strip():
            cell = nbformat.v4.new_markdown_cell(part.strip())
            if part.startswith("#### Solution: "):
                cell.metadata["jp-MarkdownHeadingCollapsed"] = True
            cells.append(cell)
    return cells


def _code_cells(cell, known):
    """A code cell with what it printed, and the caption of its figure."""
    outputs = [nbformat.from_dict(output) for output in cell.outputs if "scrapbook" not in output.get("metadata", {})]
    for output in outputs:
        if "text/markdown" in output.get("data", {}):
            output.data["text/markdown"] = plain.resolve(output.data["text/markdown"], known)
    tags = cell.metadata.get("tags", [])
    made = nbformat.v4.new_code_cell(cell.source, outputs=outputs, execution_count=cell.execution_count)
    # A reader's own values, which win over the defaults above them, stay in sight.
    if _HIDDEN & set(tags) and "injected-parameters" not in tags:
        made.metadata["jupyter"] = {"source_hidden": True}
    made.metadata["tags"] = [tag for tag in tags if tag == "parameters"]
    figure = cell.metadata.get("mystnb", {}).get("figure")
    return [made, nbformat.v4.new_markdown_cell(f"*Figure: {figure.caption}.*")] if figure else [made]


def archive(site):
    """Pack a site into a file inside it; the same site gives the same bytes.

    Parameters
    ----------
    site : pathlib.Path
        Folder with ``index.html``.
    """
    name, target = SITE["zip"][0], site / FOLDER / SITE["zip"][0]
    files = {path.relative_to(site).as_posix(): path.read_bytes() for path in site.rglob("*") if path.is_file()}
    # The packed front page does not offer the pack it came in.
    offer = re.compile(rf'<li><a href="{FOLDER}/{re.escape(name)}".*?</li>'.encode())
    files["index.html"] = offer.sub(b"", files["index.html"])
    files["README.txt"] = f"Open index.html in a browser. Edition {edition()}.\n".encode()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as pack:
        for file in sorted(files):
            entry = zipfile.ZipInfo(f"{target.stem}/{file}", (1980, 1, 1, 0, 0, 0))
            entry.external_attr, entry.compress_type = 0o644 << 16, zipfile.ZIP_DEFLATED
            pack.writestr(entry, files[file])
