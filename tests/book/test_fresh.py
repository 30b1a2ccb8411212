"""What makes a chapter run again or a page be published again, what is never stored, what a killed build leaves."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time

import nbformat
import pytest

from llmpower.book import fresh, renew, run
from llmpower.book.files import BookError, ChapterError, chapters
from tests.book.small import CHAPTER, LATER
from tests.conftest import BOOK


@pytest.fixture(scope="module")
def shared_copy(small_copy):
    """A small book for all tests."""
    return small_copy


def test_nothing_is_done_twice(copy):
    told = copy.built()
    assert "executing: nothing to do, 3 chapters" in told and "publishing: nothing to do" in told


def sleeping(copy, name, seconds=2):
    """Let a chapter say when it has begun, by a file, and then take its time."""
    begun = copy.folder / "begun"
    begun.unlink(missing_ok=True)
    notebook = nbformat.read(copy.folder / name, as_version=4)
    wait = f"import pathlib, time; pathlib.Path({str(begun)!r}).touch(); time.sleep({seconds})"
    notebook.cells[3].source += f"\n{wait}"
    copy.write(name, nbformat.writes(notebook))
    return begun


def while_it_runs(begun, change):
    """Do something as soon as a chapter has begun."""

    def wait():
        for _ in range(600):
            if begun.exists():
                return change()
            time.sleep(0.05)

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def test_what_is_saved_while_a_chapter_runs_is_on_the_page(copy):
    """It was hashed when the chapter had ended: the old result then counted as that of the new file for ever."""
    begun = sleeping(copy, CHAPTER)

    def save():
        copy.replace("data/accelerators.csv", "h100-sxm,tdp_w,700,", "h100-sxm,tdp_w,640,")
        copy.replace(CHAPTER, "batch: int = 2", "batch: int = 77")
        copy.replace("llmpower/book/speed.py", "import os", "import os ")

    thread = while_it_runs(begun, save)
    told = copy.built()
    thread.join()
    assert "board in vain" in told and "while it ran, its" in told and "table:accelerators.csv" in told
    assert "changed meanwhile: board" in told
    page = copy.page("chapters/board")
    assert "640 W" in page and "77" in page and ">77<" in copy.page("parameters-used")
    assert "640 W" in (copy.folder / "_build" / "html" / "downloads" / "board.executed.ipynb").read_text()
    # The former module was at work, so the pages are made again.
    told = copy.built()
    assert "executing: nothing to do" in told and "publishing with" in told


@pytest.mark.parametrize(
    ("file", "old", "new", "moved"),
    [
        (CHAPTER, "batch: int = 2", "batch: int = 3", "code"),
        (CHAPTER, "Its rating", "The rating", "text"),
        ("data/accelerators.csv", "h100-sxm,tdp_w,700,", "h100-sxm,tdp_w,640,", "table:accelerators.csv"),
        ("llmpower/figures/style.py", "WIDTH = 5.2", "WIDTH = 5.3", "module:llmpower.figures.style"),
        ("llmpower/figures/style.mplstyle", "lines.linewidth: 2", "lines.linewidth: 3", "style"),
        ("requirements.lock", "papermill==", "# another edition\npapermill==", "packages"),
        ("llmpower/figures/decode.py", '"""', '"""Not loaded. ', None),
        ("data/cpus.csv", "intel-", "untel-", None),
    ],
)
def test_a_run_whose_inputs_moved_is_not_stored(copy, monkeypatch, file, old, new, moved):
    monkeypatch.setattr(fresh, "PACKAGE", copy.folder / "llmpower")
    monkeypatch.setattr(fresh, "DATA", copy.folder / "data")
    path, used = copy.folder / CHAPTER, (["llmpower.figures.style"], ["accelerators.csv"])
    begun = fresh.before(path)
    copy.replace(file, old, new)
    if moved is None:
        assert fresh.run_inputs(path, *used, begun)
        return
    with pytest.raises(fresh.Moved, match=f"board is not stored: while it ran, its {re.escape(moved)} changed"):
        fresh.run_inputs(path, *used, begun)


def test_a_run_that_moved_leaves_the_former_one(copy, tmp_path):
    path = copy.folder / CHAPTER
    begun = fresh.before(path)
    copy.replace(CHAPTER, "batch: int = 2", "batch: int = 3")
    (tmp_path / "stored").mkdir()
    (tmp_path / "stored" / "results.json").write_text("former")
    with pytest.raises(fresh.Moved):
        run.execute(path, {}, tmp_path / "stored", begun)
    assert [one.read_text() for one in (tmp_path / "stored").iterdir()] == ["former"]


def test_what_never_rests_is_told(copy, monkeypatch):
    """A chapter whose inputs change each time it runs is given up after some rounds."""
    changes = iter(range(100))

    def apart(path, values, folder, free, loaded):
        copy.write(LATER, (copy.folder / LATER).read_text(encoding="utf-8").replace("average", f"mean {next(changes)}"))
        return "in vain", "it moved"

    monkeypatch.setattr(run, "_execute_apart", apart)
    told = []
    with pytest.raises(ChapterError, match="not up to date after 3 rounds: index, board, step: what they read"):
        run.execute_stale(
            copy.folder, dict.fromkeys(chapters(copy.folder), {"batch": 9}), copy.folder / "x", 1, told.append
        )
    assert sum("executing" in line for line in told) == 3


@pytest.fixture
def stored(copy, monkeypatch):
    """Lets `renew` take the runs that are there; what is returned is called between them and the notebooks."""
    copy.built()
    between = []

    def runs(book, values, cache, jobs, say):
        for act in between:
            act()
        return {name: next((copy.folder / "_build" / "runs" / name).iterdir()) for name in values}

    monkeypatch.setattr(run, "execute_stale", runs)
    for path in (*chapters(copy.folder).values(), copy.folder / "chapters" / "run-times.json"):
        copy.write(path.relative_to(copy.folder), path.read_text(encoding="utf-8"))
    return between


def test_renew_refuses_a_notebook_that_was_saved_meanwhile(copy, stored):
    """What an author saved was written over."""
    before = {path: path.read_bytes() for path in chapters(copy.folder).values()}
    stored.append(lambda: copy.replace(CHAPTER, "Its rating", "SAVED MEANWHILE. Its rating"))
    with pytest.raises(BookError, match="board: saved while it was renewed; nothing was written"):
        renew.renew(copy.folder, 1, lambda line: None)
    assert "SAVED MEANWHILE" in (copy.folder / CHAPTER).read_text(encoding="utf-8")
    assert all(path.read_bytes() == content for path, content in before.items() if path.name != "board.ipynb")


def test_renew_leaves_all_as_it_was_if_a_file_cannot_be_written(copy, stored, monkeypatch):
    """A full disk cut a notebook in two, and renewed half of the others."""
    sync, calls = os.fsync, []

    def full(number):
        calls.append(number)
        if len(calls) == 4:
            raise OSError(28, "No space left on device")
        sync(number)

    before = {path: path.read_bytes() for path in copy.folder.glob("chapters/*")}
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(BookError, match=r".ipynb: cannot be written: No space left on device; nothing was changed"):
        renew.renew(copy.folder, 1, lambda line: None)
    assert {path: path.read_bytes() for path in copy.folder.glob("chapters/*")} == before
    monkeypatch.setattr(os, "fsync", sync)
    renew.renew(copy.folder, 1, lambda line: None)
    after = {path: path.read_bytes() for path in copy.folder.glob("chapters/*")}
    assert after.keys() == before.keys() and all(after[path] != before[path] for path in after)


def test_a_readers_own_settings_do_not_reach_a_chapter(copy, tmp_path):
    """With MPLBACKEND=Agg all figures were missing, and the run counted as whole."""
    (tmp_path / "matplotlibrc").write_text("font.size: 40\naxes.facecolor: red\nlines.linewidth: 9\n")
    startup = tmp_path / "profile_default" / "startup"
    startup.mkdir(parents=True)
    for name in ("startup.py", "profile_default/startup/00-mine.py"):
        (tmp_path / name).write_text("import llmpower.facts.tables; llmpower.accelerator = None\n")
    own = {
        "MPLBACKEND": "Agg", "MATPLOTLIBRC": str(tmp_path), "IPYTHONDIR": str(tmp_path),
        "PYTHONSTARTUP": str(tmp_path / "startup.py"), "PYTHONWARNINGS": "error", "PYTHONOPTIMIZE": "1",
    }  # fmt: skip
    copy.built()
    before = {name: fresh.digest(path) for name, path in fresh.files_in(copy.folder / "_build" / "html").items()}
    # The front page's run is followed by a card drawn in the process that builds.
    for name in ("index", "board"):
        shutil.rmtree(copy.folder / "_build" / "runs" / name)
    (copy.folder / "_build" / ".html-inputs").write_text("")
    assert "executing 2 of 3" in copy.built(env=own)
    after = {name: fresh.digest(path) for name, path in fresh.files_in(copy.folder / "_build" / "html").items()}
    assert after == before and [name for name in after if name.endswith(".svg") and "_images" in name]


def test_a_run_that_left_no_picture_of_a_figure_is_not_stored(copy, tmp_path):
    copy.replace(CHAPTER, "plt.show()", "plt.close()")
    with pytest.raises(ChapterError, match="board ran, but left no picture of its figure fig-board"):
        run.execute(copy.folder / CHAPTER, {}, tmp_path / "stored")
    assert not (tmp_path / "stored").exists()


def test_nothing_is_imported_from_where_the_caller_is(copy, tmp_path):
    """A foreign file was executed by a build that was started in its folder."""
    for name in ("code.py", "calendar.py", "sitecustomize.py", "yaml/__init__.py", "llmpower/__init__.py", "sphinx.py"):
        hostile = tmp_path / name
        hostile.parent.mkdir(exist_ok=True)
        hostile.write_text(f"open({str(tmp_path / 'RAN')!r}, 'w')\nraise SystemExit('hostile')\n")
    start = "from llmpower.__main__ import main; main()"
    command = [sys.executable, "-P", "-c", start, "build", "--book", str(copy.folder), "--out", str(tmp_path / "out")]
    environment = {**os.environ, "PYTHONPATH": str(copy.folder)}
    shutil.rmtree(copy.folder / "_build" / "runs" / "step", ignore_errors=True)
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "step done" in done.stdout and "publishing with" in done.stdout
    assert not (tmp_path / "RAN").exists()


def test_folders_of_killed_builds_are_removed_and_those_at_work_stay(copy):
    build, chapter = copy.folder / "_build", (copy.folder / CHAPTER).read_text(encoding="utf-8")
    begun = sleeping(copy, CHAPTER, 60)
    environment = {**os.environ, "PYTHONPATH": str(copy.folder)}
    process = subprocess.Popen(
        [sys.executable, "-m", "llmpower", "build"], cwd=copy.folder, env=environment, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    while not begun.exists():
        assert process.poll() is None
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    left = list(build.rglob(".running-*"))
    assert left
    killed = [build / ".staging-killed", build / ".renewing-killed", build / ".publishing", *left]
    working = [build / ".staging-working", build / "runs" / "index" / ".running-working"]
    for folder in (*killed[:3], *working):
        folder.mkdir()
        (folder / "page.html").touch()
        (folder / ".held").touch()
    copy.write(CHAPTER, chapter)
    with fresh.hold(working[0]), fresh.hold(working[1]):
        copy.built()
        assert not [folder for folder in killed if folder.exists()]
        assert all((folder / "page.html").exists() for folder in working)
    assert [*build.rglob(".staging-*"), *build.rglob(".running-*")] == working
    for folder in working:
        shutil.rmtree(folder)


def test_a_damaged_page_is_published_again(copy):
    """The seal knew names and sizes; zeros of the right size are what a power cut leaves."""
    copy.built()
    build = copy.folder / "_build"
    page = build / "html" / "chapters" / "board.html"
    whole, mark = page.read_bytes(), (build / ".html-inputs").read_text().split()[0]
    assert fresh.site_is_fresh(build, mark)
    for damaged in (whole + b" ", b"", bytes(len(whole))):
        page.write_bytes(damaged)
        assert not fresh.site_is_fresh(build, mark)
    (build / "html" / "glossary.html").unlink()
    assert "publishing with" in copy.built()
    assert page.read_bytes() == whole and (build / "html" / "glossary.html").is_file()


def test_every_module_of_the_room_and_the_version_are_in_the_fingerprint(tmp_path, monkeypatch):
    room, seen = tmp_path / "room", set()
    shutil.copytree(fresh.HERE, room, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(fresh, "HERE", room)
    seen.add(fresh.publisher(BOOK))
    (room / "new.py").touch()
    files = [path for path in room.rglob("*") if path.is_file()]
    assert {"build.py", "print.css", "sources.md.j2"} <= {path.name for path in files}
    for path in files:
        path.write_bytes(path.read_bytes() + b" ")
        seen.add(fresh.publisher(BOOK))
    monkeypatch.setattr(fresh, "__version__", "9.9.9")
    seen.add(fresh.publisher(BOOK))
    assert len(seen) == 1 + len(files) + 1


def test_no_note_of_sphinx_is_published(copy):
    names = fresh.files_in(copy.folder / "_build" / "html")
    assert "index.html" in names and ".nojekyll" in names and ".buildinfo" not in names


def test_text_is_taken_over_without_running_and_gives_the_same_bytes(copy, tmp_path):
    path, values = tmp_path / "board.ipynb", {"batch": 3}
    shutil.copyfile(copy.folder / CHAPTER, path)
    run.execute(path, values, tmp_path / "stored")
    assert fresh.outdated(path, tmp_path / "stored") == []
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[0].source += "\n\nA paragraph more."
    notebook.cells.insert(3, nbformat.v4.new_markdown_cell("A cell more.", id="more"))
    nbformat.write(notebook, path)
    assert fresh.outdated(path, tmp_path / "stored") == []
    run.execute(path, values, tmp_path / "anew")
    for name in ("executed.ipynb", "inputs.json", "results.json"):
        assert (tmp_path / "stored" / name).read_bytes() == (tmp_path / "anew" / name).read_bytes(), name
    assert "A cell more." in (tmp_path / "stored" / "executed.ipynb").read_text(encoding="utf-8")
    next(cell for cell in notebook.cells if "plt.show()" in cell.source).source += "\n"
    nbformat.write(notebook, path)
    assert fresh.outdated(path, tmp_path / "stored") == ["code"]
    inputs = json.loads((tmp_path / "stored" / "inputs.json").read_text())
    assert "table:accelerators.csv" in inputs and "module:llmpower.figures.style" in inputs
