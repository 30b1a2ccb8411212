"""What readers take home: notebooks for a plain Jupyter, tables behind figures, the site as ZIP and PDF."""

import csv
import html
import io
import json
import math
import os
import pathlib
import re
import shutil
import subprocess
import sys
import zipfile

import nbformat
import pytest

from llmpower.arguments import ParameterError
from llmpower.book import fresh, pdf, take_home
from llmpower.book.files import BookError, chapters
from tests.conftest import BOOK, copy_book

NOTEBOOKS = {name: path.relative_to(BOOK).with_suffix("").as_posix() for name, path in chapters(BOOK).items()}
MYST = re.compile(r"\{\{?[a-z]+(?::[a-z]+)?\}\}?`|:::|^`{3,}\{|^\([\w-]+\)=$", re.MULTILINE)
# What a figure shows by a label or by a length, and so is no coordinate.
NOT_DRAWN = {
    ("fig-tdp-split", "power_factor [1]"), ("fig-mitigation-sparse", "batch [count]"),
    ("fig-predicted", "batch [count]"), ("fig-predicted", "accelerators [count]"), ("fig-left-out", "runs [count]"),
    ("fig-exams", "runs [count]"), ("fig-served", "batch [count]"),
    *(("fig-tpw-everything", f"{what} [1]") for what in ("accelerators", "batch", "measured runs")),
    *((figure, f"share_{end} [1]") for figure in ("fig-headline", "fig-joule") for end in ("low", "high")),
}  # fmt: skip
PROBE = """
import json as _json
import matplotlib.pyplot as _plt
from llmpower.figures import style as _style

_drawn, _kept = {}, []

def _take(take=_style.take_data):
    _kept[:] = [_plt.gcf()]
    return take()

def _alt(figure, text, alt=report.alt):
    alt(figure, text)
    numbers, curves = [], []
    for axes in _kept[0].axes:
        for line in axes.lines:
            x, y = ([float(value) for value in data] for data in (line.get_xdata(), line.get_ydata()))
            numbers += x + y
            if len(y) > 2 and line.get_transform() == axes.transData:
                curves += y
        numbers += [n for bar in axes.patches for n in (bar.get_height(), bar.get_width())]
        numbers += [float(n) for one in axes.collections for path in one.get_paths() for n in path.vertices.ravel()]
    _drawn[figure] = {"numbers": numbers, "curves": [y for y in curves if y == y]}

_style.take_data, report.alt = _take, _alt
"""


def has_chromium():
    """Whether the PDF can be tested; where the project checks itself it must be."""
    try:
        pdf.browser()
    except ParameterError:
        if os.environ.get("CI"):
            raise
        return False
    return True


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    """The book, built anew in another place with all that can be downloaded; other hashes, another time zone."""
    copy = copy_book(tmp_path_factory.mktemp("a folder") / "deeper")
    pdf_too = ["--pdf"] if has_chromium() else []
    told = copy.built("--zip", *pdf_too, "--jobs", "2", env={"PYTHONHASHSEED": "77", "TZ": "Asia/Tokyo"})
    assert f"executing {len(NOTEBOOKS)} of" in told
    return copy


@pytest.fixture(scope="module")
def offered(elsewhere):
    """A site with all that can be downloaded."""
    return elsewhere.folder / "_build" / "html"


def test_two_builds_in_two_folders_are_alike_to_the_byte(site, offered):
    """Every file of the site, hidden ones too; but for what offers the book as one file, on the front page."""
    first, second = ({name: path.read_bytes() for name, path in fresh.files_in(one).items()} for one in (site, offered))
    offers = {f"downloads/{file}" for file, _ in take_home.SITE.values()}
    assert first.keys() == second.keys() - offers and {"index.html", ".nojekyll"} <= first.keys()
    index, search = (re.compile(rb'<li><a href="downloads/the-power-wall[^\n]*</li>\n'), b"Search.setIndex(")
    second["index.html"] = index.sub(b"", second["index.html"])
    differing = {name for name in first if first[name] != second[name]}
    assert differing <= {"searchindex.js"}
    found, other = (json.loads(one["searchindex.js"].partition(search)[2][:-1]) for one in (first, second))
    # The words of the offers can be found, too.
    words = set(re.findall(r"\w+", " ".join(label.lower() for _, label in take_home.SITE.values())))
    assert {key for key in found if found[key] != other[key]} <= {"terms"}
    assert {term for term, places in other["terms"].items() if found["terms"].get(term) != places} <= words


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The package as `pip install` leaves it, away from any book."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("installed")
    for folder in ("llmpower", "data"):
        shutil.copytree(BOOK / folder, source / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("pyproject.toml", "README.md", "LICENSE", "LICENSE-TEXT"):
        shutil.copyfile(BOOK / file, source / file)
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--target",
        str(target),
        str(source),
    ]
    subprocess.run(command, check=True)
    return target


def rows(path):
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))


def texts(notebook):
    """What a reader of a plain Jupyter sees as text."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            yield cell.source
        for output in cell.get("outputs", []):
            yield output.get("data", {}).get("text/markdown", "")


@pytest.mark.parametrize(
    ("myst", "markdown"),
    [
        ("(here)=\n# Title", "# Title"),
        ("{glue:text}`cost`, {glue:text}`chapters/a.ipynb::cost:s`", "5 J, 6 J"),
        ("**No more than {glue:text}`cost`.**", "**No more than 5 J.**"),
        ("{cite}`a1974,b2020`", "([Ada 1974](https://a.example), Bob et al. 2020)"),
        ("{cite:t}`a1974` and {cite:t}`unheard`", "[Ada (1974)](https://a.example) and `unheard`"),
        ("{ref}`other`, {ref}`so <other>`, {numref}`fig-x`", "[Other](other.ipynb), [so](other.ipynb), the figure “x”"),
        ("{term}`watts <W>`, {eq}`eq-p`", "watts, equation 3"),
        ("```{math}\n:label: eq-p\nP = E\n```", "$$\nP = E \\tag{3}\n$$"),
        ("```{admonition} Mind\n:class: note\none {glue:text}`cost`\n\ntwo\n```", "> **Mind**\n>\n> one 5 J\n>\n> two"),
        (
            "::::{grid} 1 3\n:gutter: 3\n\n:::{grid-item-card} Read\n:link: other\n:link-type: ref\nOn.\n:::\n::::",
            "- [Read](other.ipynb): On.\n",
        ),
        ("```{exercise} Guess\n:label: ex\nHow many?\n```", "### Exercise: Guess\n\nHow many?"),
        (
            "````{solution-start} ex\n:class: dropdown\n````\nFour.\n````{solution-end}\n````\n",
            "#### Solution: Guess\nFour.\n\n",
        ),
        ("```\nmake book\n```", "```\nmake book\n```"),
    ],
)
def test_myst_becomes_markdown(myst, markdown):
    known = {
        "glue": {"cost": "5 J", "chapters/a.ipynb::cost": "6 J"},
        "cite": {"a1974": ("Ada", "1974", "https://a.example"), "b2020": ("Bob et al.", "2020", "")},
        "ref": {"other": ("Other", "other.ipynb"), "fig-x": ("the figure “x”", ""), "ex": ("Guess", "")},
        "eq": {"eq-p": 3},
    }
    assert take_home.plain_markdown(myst, known) == markdown


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_page_offers_its_files_and_each_figure_its_data(offered, name):
    notebook = nbformat.read(BOOK / f"{NOTEBOOKS[name]}.ipynb", as_version=4)
    figures = {
        cell.metadata.mystnb.figure.name: cell.metadata.mystnb.figure.caption
        for cell in notebook.cells
        if "mystnb" in cell.metadata
    }
    page = (offered / f"{NOTEBOOKS[name]}.html").read_text(encoding="utf-8")
    found = set(re.findall(r'href="(?:\.\./)?downloads/([^"]+)"', page)) - {file for file, _ in take_home.SITE.values()}
    assert figures
    beside = BOOK / f"{NOTEBOOKS[name]}.questions.yml"
    asked = re.findall(r"^  table: (\S+)$", beside.read_text(), re.MULTILINE) if beside.exists() else []
    files = {f"{name}.ipynb", f"{name}.executed.ipynb", *(f"{name}.{figure}.csv" for figure in figures)}
    assert found == {*files, *asked}
    for figure, caption in figures.items():
        # In the caption, and once more in the list at the end; both say which figure.
        links = re.findall(rf'<a [^>]*downloads/{name}\.{figure}\.csv"[^>]*>[^<]*</a>', page)
        assert len(links) == 2 and all(caption in html.unescape(link) for link in links)
        table = rows(offered / "downloads" / f"{name}.{figure}.csv")
        for column in table[0]:
            numbers = [row[column] for row in table if re.fullmatch(r"-?[\d.]+(e[+-]?\d+)?", row[column])]
            assert not numbers or column == "year" or "_end" in column or re.search(r" \[[^]]+\]$", column), column
    assert "_sources" not in page and "Download source file" not in page


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_for_a_plain_jupyter_says_and_draws_the_same(offered, installed, tmp_path, name):
    from nbclient import NotebookClient

    notebook = nbformat.read(offered / "downloads" / f"{name}.ipynb", as_version=4)
    nbformat.validate(notebook)
    before = list(texts(notebook))
    for text in before:
        assert not MYST.search(text), text
    assert "pip install" in before[0] and take_home.edition() in before[0]
    # Away from the book, with the package as it would be installed.
    notebook.cells.insert(2, nbformat.v4.new_code_cell(PROBE))
    notebook.cells.append(nbformat.v4.new_code_cell("import llmpower\nprint(_json.dumps([llmpower.__file__, _drawn]))"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(installed))
        NotebookClient(
            notebook, kernel_name="python3", timeout=120, resources={"metadata": {"path": str(tmp_path)}}
        ).execute()
    where, drawn = json.loads(notebook.cells.pop().outputs[0].text)
    assert pathlib.Path(where).is_relative_to(installed)
    assert not list(tmp_path.iterdir())
    del notebook.cells[2]
    assert list(texts(notebook)) == before
    assert drawn
    for figure, seen in drawn.items():
        compare(figure, rows(offered / "downloads" / f"{name}.{figure}.csv"), seen)


def compare(figure, table, seen):
    """The numbers of a table stand on the axes, and the curves of the axes in the table."""
    numbers = [
        float(row[column])
        for row in table
        for column in row
        if column.endswith("]") and (figure, column) not in NOT_DRAWN and row[column]
    ]
    assert numbers
    for value in numbers:
        assert any(math.isclose(value, one, rel_tol=1e-9, abs_tol=1e-12) for one in seen["numbers"]), value
    for value in seen["curves"]:
        assert any(math.isclose(value, one, rel_tol=1e-9, abs_tol=1e-12) for one in numbers), value


def test_the_executed_notebook_has_its_pictures(offered):
    notebook = nbformat.read(offered / "downloads" / "decode-breakdown.executed.ipynb", as_version=4)
    pictures = [
        kind
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        for kind in output.get("data", {})
        if kind.startswith("image/")
    ]
    assert len(pictures) >= 3


def test_the_zip_opens_from_its_folder_and_is_the_same_each_time(offered):
    target = offered / "downloads" / "the-power-wall.zip"
    first = target.read_bytes()
    with zipfile.ZipFile(target) as pack:
        names = pack.namelist()
        index = pack.read("the-power-wall/index.html").decode()
        assert "Open index.html" in pack.read("the-power-wall/README.txt").decode()
        assert {entry.date_time for entry in pack.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert names == sorted(names) and {name.split("/")[0] for name in names} == {"the-power-wall"}
    on_disk = {
        f"the-power-wall/{path.relative_to(offered).as_posix()}" for path in offered.rglob("*") if path.is_file()
    }
    assert set(names) == on_disk - {"the-power-wall/downloads/the-power-wall.zip"} | {"the-power-wall/README.txt"}
    # The packed front page offers everything but the pack itself.
    assert "the-power-wall.zip" not in index
    assert "downloads/the-power-wall.zip" in (offered / "index.html").read_text(encoding="utf-8")
    target.unlink()
    take_home.archive(offered)
    assert target.read_bytes() == first


def test_the_pdf_is_whole_and_its_mathematics_typeset(offered):
    if not has_chromium():
        pytest.skip("NOT TESTED: the PDF, since there is no Chromium; install it or set CHROMIUM")
    content = (offered / "downloads" / "the-power-wall.pdf").read_bytes()
    assert content.startswith(b"%PDF-") and content.rstrip().endswith(b"%%EOF")
    assert b"/Title (The power wall)" in content
    assert len(re.findall(rb"/Type /Page\b", content)) > 60
    # Only the fonts of the mathematics come as Type 3.
    assert b"/Subtype /Type3" in content
    assert content.count(b"/Subtype /Link") > 500
    assert set(re.findall(rb"D:\d{14}", content)) == {b"D:20000101000000"}
    assert "downloads/the-power-wall.pdf" in (offered / "index.html").read_text(encoding="utf-8")


def one_page(folder):
    (folder / "index.html").write_text("<html><article><h1>Title</h1><p>Text.</p></article></html>")
    return folder


def test_the_contents_name_every_chapter_and_no_section_that_all_have():
    chapters = "".join(
        f'<span id="document-{name}"></span><h2>{name}</h2><h3>Own {name}</h3><h3>Exercises</h3>' for name in "ab"
    )
    # An appendix repeats the titles of the chapters.
    contents, article = pdf._contents(
        f'<h1>Title</h1><h2>Short</h2>{chapters}<span id="document-c"></span><h2>c</h2><h3>a</h3>'
    )
    entries = re.findall(r'<li class="(\w+)"><a href="#([\w-]+)">(.*?)</a>', contents)
    assert [(kind, text) for kind, _, text in entries] == [
        ("section", "Short"),
        ("chapter", "a"),
        ("section", "Own a"),
        ("chapter", "b"),
        ("section", "Own b"),
        ("chapter", "c"),
    ]
    for _, mark, text in entries:
        assert re.search(rf'<span id="{mark}"></span><h[23]>{text}<', article)


def test_without_chromium_the_message_says_what_to_install(copy, monkeypatch):
    monkeypatch.setenv("CHROMIUM", "/nowhere/chromium")
    done = copy.llmpower("build", "--pdf", "--out", "never")
    assert done.returncode == 2 and "apt install chromium" in done.stderr and "/nowhere/chromium" in done.stderr
    assert not (copy.folder / "never").exists()


def test_a_browser_that_prints_nothing_is_told_and_leaves_no_file(tmp_path, monkeypatch):
    monkeypatch.setenv("CHROMIUM", shutil.which("true"))
    with pytest.raises(BookError, match="could not print"):
        pdf.write(one_page(tmp_path), tmp_path / "out.pdf", "Title", [])
    assert not (tmp_path / "out.pdf").exists()


def test_a_page_whose_mathematics_never_came_is_no_book(tmp_path):
    if not has_chromium():
        pytest.skip("NOT TESTED: waiting for the mathematics, since there is no Chromium; install it or set CHROMIUM")
    # There is no MathJax in this folder.
    with pytest.raises(BookError, match="could not print"):
        pdf.write(one_page(tmp_path), tmp_path / "out.pdf", "Title", [])
    assert not (tmp_path / "out.pdf").exists()
