"""What makes a chapter run again, and what it takes over without running."""

import shutil

import nbformat

from llmpower.book import run
from llmpower.book.fresh import fresh
from tests.conftest import BOOK


def test_text_is_taken_over_without_running_and_gives_the_same_bytes(tmp_path):
    path, values = tmp_path / "decode-breakdown.ipynb", {"batch": 3}
    shutil.copyfile(BOOK / "chapters" / path.name, path)
    run.execute(path, values, tmp_path / "stored")
    assert fresh(path, tmp_path / "stored")
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[0].source += "\n\nA paragraph more."
    notebook.cells.insert(3, nbformat.v4.new_markdown_cell("A cell more.", id="more"))
    nbformat.write(notebook, path)
    assert fresh(path, tmp_path / "stored")
    run.execute(path, values, tmp_path / "anew")
    for name in ("executed.ipynb", "inputs.json", "results.json"):
        assert (tmp_path / "stored" / name).read_bytes() == (tmp_path / "anew" / name).read_bytes(), name
    assert "A cell more." in (tmp_path / "stored" / "executed.ipynb").read_text(encoding="utf-8")
    next(cell for cell in notebook.cells if "plt.show()" in cell.source).source += "\n"
    nbformat.write(notebook, path)
    assert not fresh(path, tmp_path / "stored")
