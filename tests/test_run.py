"""What makes a chapter run again, and what it takes over without running."""

import shutil

import nbformat

from llmpower.book import fresh, run
from tests.conftest import BOOK


def test_text_is_taken_over_without_running_and_gives_the_same_bytes(tmp_path):
    path, values = tmp_path / "decode-breakdown.ipynb", {"batch": 3}
    shutil.copyfile(BOOK / "chapters" / path.name, path)
    run.execute(path, values, tmp_path / "stored")
    assert fresh.run_is_fresh(path, tmp_path / "stored")
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[0].source += "\n\nA paragraph more."
    notebook.cells.insert(3, nbformat.v4.new_markdown_cell("A cell more.", id="more"))
    nbformat.write(notebook, path)
    assert fresh.run_is_fresh(path, tmp_path / "stored")
    run.execute(path, values, tmp_path / "anew")
    for name in ("executed.ipynb", "inputs.json", "results.json"):
        assert (tmp_path / "stored" / name).read_bytes() == (tmp_path / "anew" / name).read_bytes(), name
    assert "A cell more." in (tmp_path / "stored" / "executed.ipynb").read_text(encoding="utf-8")
    next(cell for cell in notebook.cells if "plt.show()" in cell.source).source += "\n"
    nbformat.write(notebook, path)
    assert not fresh.run_is_fresh(path, tmp_path / "stored")


def test_every_file_of_the_room_is_in_the_fingerprint(tmp_path, monkeypatch):
    room, stage, seen = tmp_path / "room", tmp_path / "stage", set()
    shutil.copytree(fresh.HERE, room, ignore=shutil.ignore_patterns("__pycache__"))
    stage.mkdir()
    monkeypatch.setattr(fresh, "HERE", room)
    seen.add(fresh.fingerprint(BOOK, stage))
    (room / "new.py").touch()
    files = [path for path in room.rglob("*") if path.is_file()]
    assert {"build.py", "print.css", "sources.md.j2"} <= {path.name for path in files}
    for number, path in enumerate(files, start=1):
        path.write_bytes(path.read_bytes() + b" ")
        seen.add(fresh.fingerprint(BOOK, stage))
        assert len(seen) == number + 1, path
