"""A book of three pages, with all that a large one has: it builds in seconds, so that a test may break it."""

import json
import textwrap

import nbformat

from tests.conftest import copy_book

CHAPTER, LATER = "chapters/board.ipynb", "chapters/step.ipynb"

_TOC = """format: jb-book
root: index
chapters:
  - file: chapters/board
  - file: chapters/step
  - file: glossary
  - file: parameters-used
"""
_GLOSSARY = """# Glossary

:::{glossary}
decode step
  One pass through the network.
:::
"""


def _figure(name):
    return f"""
    from llmpower.figures import style
    plot = style.axes(x="time [s]", y="power [W]")
    plot.plot([0, 1], [0, batch])
    style.data(["time [s]", "power [W]"], [(0, 0), (1, batch)])
    report.alt("{name}", f"Power grows to {{batch}} watts within the first second.")
    import matplotlib.pyplot as plt
    plt.show()
    """


def notebook(path, *cells):
    """Store a notebook of cells: text, or (tag or name of a figure, code)."""
    made_of = nbformat.v4.new_notebook()
    made_of.metadata["kernelspec"] = {"display_name": "Python 3", "language": "python", "name": "python3"}
    for number, cell in enumerate(cells):
        kind, source = cell if isinstance(cell, tuple) else ("", cell)
        new = nbformat.v4.new_code_cell if kind else nbformat.v4.new_markdown_cell
        made = new(textwrap.dedent(source).strip(), id=f"cell-{number}")
        made.metadata["tags"] = [kind] if kind in ("parameters", "hide-input") else []
        if kind.startswith("fig-"):
            made.metadata["mystnb"] = {"figure": {"name": kind, "caption": "power grows with time"}}
        made_of.cells.append(made)
    path.parent.mkdir(exist_ok=True)
    nbformat.write(made_of, path)


_BATCH = ("parameters", "batch: int = 2  # sequences decoded together [count]")
_IMPORTS = ("hide-input", "import llmpower\nfrom llmpower import report")


def small_book(folder):
    """Copy the package, the data and the settings of the book, and write three pages of its own."""
    copy = copy_book(folder, pages=False)
    (folder / "_toc.yml").write_text(_TOC)
    (folder / "pages").mkdir()
    (folder / "pages" / "glossary.md").write_text(_GLOSSARY)
    # The whole bibliography takes longer to read than all the rest.
    (folder / "data" / "references.bib").write_text(
        "@misc{nobody, author = {Nobody}, title = {Nothing}, year = {2030}}\n"
    )
    times = {"date": "2030-01-31", "python": "3.11", "cores": 2, "run_s": {"index": 1.0, "board": 1.0, "step": 1.0}}
    notebook(
        folder / CHAPTER,
        "(board)=\n# Boards\n\nIts rating is {glue:text}`rating`; {glue:text}`batch` run in a {term}`decode step`.",
        _BATCH,
        _IMPORTS,
        (
            "hide-input",
            'report.show("rating", llmpower.accelerator("h100-sxm").tdp_w, "W")\nreport.show("batch", batch)',
        ),
        ("fig-board", _figure("fig-board")),
        "See {numref}`fig-board`.",
    )
    notebook(
        folder / LATER,
        "(step)=\n# Steps\n\nAn average step takes {glue:text}`energy`.",
        _BATCH,
        _IMPORTS,
        ("hide-input", 'from llmpower import decode\nreport.show("energy", decode.energy_per_token_j(10, batch), "J")'),
        ("fig-step", _figure("fig-step")),
    )
    notebook(
        folder / "index.ipynb",
        "(index)=\n# Small\n\n{glue:text}`moving_1`, {glue:text}`moving_32`, {glue:text}`moving_256`: {ref}`board`.",
        _BATCH,
        _IMPORTS,
        ("hide-input", """
            for name in ("moving_1", "moving_32", "moving_256"):
                report.show(name, llmpower.Range(0.4, 0.5, 0.6), "%")
        """),
        ("fig-front", _figure("fig-front")),
    )  # fmt: skip
    (folder / "chapters" / "run-times.json").write_text(json.dumps(times))
    return copy
