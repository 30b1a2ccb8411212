"""What is fresh, and what must be made again: the one place that decides it.

Two things are kept between builds, a run of each chapter and the site.  Both are known by the content of what they
were made from, never by dates, so that they may be copied, and no clock can be wrong.

**A run** (``_build/runs/CHAPTER/KEY``, the key stands for its parameters) keeps ``inputs.json``: hashes of

- the code cells of the notebook, and of its text;
- every module of this package that the kernel, or the process that ran it, had loaded at the end;
- the style sheet of the figures;
- every table of ``data/`` that the kernel had read at the end (a chapter is asked, nothing is declared);
- every other file that it opened, such as a table or a module beside it (`llmpower.book.watch`);
- the lock file, which pins all other packages, and the version of Python;
- the stored results themselves, so that a file cut short later is not handed out.

It is fresh when all of them are what they were.  A kernel does not see text: if nothing but text changed, the stored
run takes it over, cell by cell, and is fresh, too.

What a chapter will load and read is known when it is through, but by then an author may have saved a file again.  So
everything that could become an input is hashed before the kernel starts, and once more at the end: a run whose inputs
moved meanwhile is not stored (`Moved`).  It is not fresh then, and runs again in the same build.

What else could reach a chapter is kept from it: see `llmpower.book.run.python`.  And when chapters are through, the
process that publishes them reads everything again (`forget`), so that no page tells what chapters no longer ran with.

**A site** has a seal beside it, ``.html-inputs``, which also marks the folder as ours to replace.  It holds two hashes:

- the fingerprint: every file as it was staged for Jupyter Book (so the executed chapters, the generated pages, the
  settings), what else was asked for, and the publisher (`publisher`): every file of this room, found by listing it,
  what draws the card of a shared link, the lock file, Python and the version of the book.  The publisher is hashed when
  a build begins: a module edited later was not the one at work;
- the files that were published, by content, so that a page that was lost or damaged is missed.

If both agree, there is nothing to do.  The seal is broken before publishing and set when the site is whole: a build
that was killed leaves none, and the next one publishes again.

A third use of the fingerprint: without the pages' contents it tells whether what Sphinx read of them may be kept
(`llmpower.book.build`), since then nothing else than pages can differ.

**What a killed process leaves behind** is a folder of its own (`own_work`) that nobody holds any more.  The next build
that works in the same place removes it.
"""

import contextlib
import hashlib
import json
import os
import pathlib
import platform
import shutil
import sys
import tempfile
import time

import nbformat

try:
    import fcntl
except ImportError:  # Windows.
    fcntl = None
    import msvcrt

from llmpower import __version__
from llmpower.arguments import ParameterError
from llmpower.book.files import HERE, PACKAGE, ChapterError, read_json, read_notebook, write_json
from llmpower.facts.tables import DATA

STORED = ("executed.ipynb", "results.json", "living.json")
_SEAL = ".html-inputs"
# In a folder of work: the file that its process holds.
_HELD = ".held"


def digest(path):
    """Hash of a file, or of nothing if it is not there."""
    path = pathlib.Path(path)
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def hashed(content):
    """Hash of anything that JSON can hold."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def files_in(folder):
    """All files of a folder, sorted: path below it -> path."""
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path for path in found}


class Moved(ChapterError):
    """What a chapter runs on changed while it ran; its result stands for neither."""

    exit_code = 3


def package():
    """Hashes of all modules and tables of this package: hash by name."""
    files = (file.relative_to(PACKAGE.parent).with_suffix("") for file in sorted(PACKAGE.rglob("*.py")))
    modules = (".".join(file.parts).removesuffix(".__init__") for file in files)
    return _part(modules, (table.name for table in sorted(DATA.glob("*.csv"))))


def before(path):
    """Hashes of all that a run of a chapter may come to depend on, taken before it starts: hash by name."""
    return _inputs(path, (), ()) | package()


def _part(modules, tables):
    files = {f"module:{module}": _module_file(module) for module in modules}
    files |= {f"table:{table}": DATA / table for table in tables}
    return {name: digest(path) for name, path in files.items()}


def run_inputs(path, modules, tables, begun, read=()):
    """What a run of a chapter depends on: hash by name; `Moved` if one is not what it was when the run began.

    read: other files that it read -> what they held then.
    """
    named = others(path, read)
    found, begun = _inputs(path, modules, tables, named), begun | {f"file:{one}": held for one, held in named.items()}
    if moved := [name for name in found if found[name] != begun.get(name)]:
        raise Moved(f"{pathlib.Path(path).stem} is not stored: while it ran, its {', '.join(moved)} changed")
    return found


def others(path, read):
    """Files that a chapter read, without itself and what is passing; near it by their place from there -> hashes."""
    here, passing = os.path.realpath(pathlib.Path(path).parent), os.path.realpath(tempfile.gettempdir()) + os.sep
    read = {one: held for one, held in dict(read).items() if one != os.path.realpath(path)}
    # So that a book may be moved.
    near = {os.path.relpath(one, here): held for one, held in read.items() if _near(one, here)}
    return near | {one: held for one, held in read.items() if not (_near(one, here) or one.startswith(passing))}


def _near(file, folder):
    """Whether a file lies in the folder of a chapter, or in the one above."""
    return os.path.commonpath([file, os.path.dirname(folder)]) == os.path.dirname(folder)


def _inputs(path, modules, tables, others=()):
    cells = read_notebook(path).cells
    written = [(cell.get("id"), cell.source, cell.metadata) for cell in cells]
    code = [one for one, cell in zip(written, cells) if cell.cell_type == "code"]
    text = [cell.cell_type == "code" or one for one, cell in zip(written, cells)]
    above = (place / "requirements.lock" for place in pathlib.Path(path).resolve().parents)
    lock = next((place for place in above if place.is_file()), "")
    files = {"packages": lock, "style": PACKAGE / "figures" / "style.mplstyle"}
    files |= {f"file:{one}": pathlib.Path(path).resolve().parent / one for one in others}
    content = {"code": hashed(code), "text": hashed(text), "python": platform.python_version()}
    return content | {name: digest(path) for name, path in files.items()} | _part(modules, tables)


def _module_file(module):
    base = PACKAGE.parent.joinpath(*module.split("."))
    return base / "__init__.py" if base.is_dir() else base.with_suffix(".py")


def results(folder):
    """Hashes of what a run left, which it keeps beside those of its inputs."""
    return {f"stored:{name}": digest(folder / name) for name in STORED}


def tables_read(stored):
    """Tables of ``data/`` that a run read, from its inputs."""
    return [name.removeprefix("table:") for name in stored if name.startswith("table:")]


def outdated(path, folder):
    """What changed since a run was stored, "no run" if there is none; if text alone did, the run takes it over."""
    try:
        stored = read_json(folder / "inputs.json")
    except (OSError, ValueError):
        return ["no run"]
    modules, others = (
        [name.removeprefix(kind) for name in stored if name.startswith(kind)] for kind in ("module:", "file:")
    )
    now = _inputs(path, modules, tables_read(stored), others) | results(folder)
    if stored != now and {**stored, "text": now["text"]} == now:
        _take_text(path, folder)
        write_json(folder / "inputs.json", {**now, "stored:executed.ipynb": digest(folder / "executed.ipynb")})
        return []
    return [name for name in {**stored, **now} if stored.get(name) != now.get(name)]


def _take_text(path, folder):
    """Put the text of a notebook around the executed code of a stored run."""
    executed = nbformat.read(folder / "executed.ipynb", as_version=4)
    *former, parameters_used = executed.cells
    injected = [cell for cell in former if "injected-parameters" in cell.metadata.get("tags", [])]
    code = iter([cell for cell in former if cell.cell_type == "code" and cell not in injected])
    executed.cells = []
    for cell in read_notebook(path).cells:
        if cell.cell_type == "code":
            cell = next(code)
        # papermill gives every cell a list of tags.
        cell.metadata.setdefault("tags", [])
        executed.cells += [cell, *(injected if "parameters" in cell.metadata.tags else [])]
    executed.cells.append(parameters_used)
    with own_work(folder.parent, ".running-") as work:
        nbformat.write(executed, work / "executed.ipynb")
        os.replace(work / "executed.ipynb", folder / "executed.ipynb")


def forget():
    """Let this process read tables and notebooks again: what it keeps may be older than what chapters ran with."""
    for module in [one for name, one in sys.modules.items() if name.partition(".")[0] == "llmpower"]:
        for kept in list(vars(module).values()):
            getattr(kept, "cache_clear", int)()


def publisher(book):
    """Hash of what makes pages of a staged book: this room and what it calls, the version, the packages, Python."""
    room = [(name, digest(path)) for name, path in files_in(HERE).items() if path.suffix != ".pyc"]
    drawer, lock = PACKAGE / "figures" / "index.py", book / "requirements.lock"
    return hashed([room, digest(drawer), digest(lock), sys.version, __version__])


def fingerprint(made_by, stage, without=(), also=()):
    """Hash of a staged book and its publisher; of files with certain endings, only their names count."""
    content = [(name, path.suffix not in without and digest(path)) for name, path in files_in(stage).items()]
    return hashed([made_by, content, sorted(also)])


def own_folder(out, *names):
    """Folder for a result; ParameterError if what would be replaced there, ``html`` and the names, is not ours."""
    out = pathlib.Path(out).resolve()
    try:
        taken = [name for name in ("html", *names) if (out / name).exists()]
        if taken and not (out / _SEAL).is_file():
            raise ParameterError([f"--out {out}: its {taken[0]} was not made by llmpower; name another folder"])
        out.mkdir(parents=True, exist_ok=True)
        (out / _SEAL).touch()
    except OSError as error:
        raise ParameterError([f"--out {out}: cannot be written: {error.strerror}; name another folder"]) from None
    return out


def _seal(out, mark):
    return f"{mark} {hashed([(name, digest(path)) for name, path in files_in(out / 'html').items()])}"


def site_is_fresh(out, mark):
    """Whether the site in a folder of ours was made from what the fingerprint stands for, and is whole."""
    return (out / _SEAL).read_text() == _seal(out, mark)


def seal(out, mark=None):
    """Say what the site was made from; without a fingerprint, that it is not whole."""
    (out / _SEAL).write_text(_seal(out, mark) if mark else "")


@contextlib.contextmanager
def own_work(place, prefix):
    """A folder to work in that nobody else touches, gone at the end; those of killed processes go first."""
    place.mkdir(parents=True, exist_ok=True)
    for left in place.glob(f"{prefix}*"):
        remove_left(left)
    with tempfile.TemporaryDirectory(dir=place, prefix=prefix, ignore_cleanup_errors=True) as name:
        with hold(pathlib.Path(name)):
            yield pathlib.Path(name)


@contextlib.contextmanager
def hold(folder):
    """Mark a folder as somebody's work; the mark means nothing once this process has ended."""
    with open(folder / _HELD, "w") as file:
        _locked(file)
        yield
    (folder / _HELD).unlink(missing_ok=True)


def remove_left(folder):
    """Remove a folder of work that nobody holds any more."""
    try:
        with open(folder / _HELD) as file:
            held = not _locked(file)
    except OSError:
        # Its owner has not got to holding it yet; or was killed before it did.
        held = folder.exists() and time.time() - folder.stat().st_mtime < 60
    if not held:
        shutil.rmtree(folder, ignore_errors=True)


def _locked(file):
    """Take the lock on a file, which ends with the process at the latest; False if another process has it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB) if fcntl else msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    except OSError:
        return False
    return True
