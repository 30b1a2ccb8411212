"""Copies of the book and of its facts that a test may break, and commands run in them."""

import contextlib
import functools
import os
import pathlib
import shlex
import shutil
import subprocess
import sys

import hypothesis
import nbformat
import pytest

from llmpower import cli
from llmpower.book import build, check, files
from llmpower.book.fresh import forget
from llmpower.facts import tables

BOOK = pathlib.Path(__file__).parent.parent
# A busy machine is no fault of a formula.
hypothesis.settings.register_profile("untimed", deadline=None)
if not os.environ.get("CI"):  # There the profile of Hypothesis has no deadline, either, and draws the same each time.
    hypothesis.settings.load_profile("untimed")
_PARTS = (
    "_config.yml", "_static", "data", "llmpower", "requirements.lock", "CITATION.cff", "CHANGELOG.md",
)  # fmt: skip
_PAGES = (
    "_toc.yml", "chapters", "pages", "index.ipynb"
)  # fmt: skip


def run_cells(chapter, begun=lambda number: None, **parameters):
    """Execute a chapter's own code in this process, without a kernel; parameters take the place of its own.

    begun: is told the number of each cell.
    """
    names = {}
    cells = nbformat.read(files.chapters(BOOK)[chapter], as_version=4).cells
    for number, cell in enumerate((cell for cell in cells if cell.cell_type == "code"), start=1):
        begun(number)
        exec(compile(cell.source, chapter, "exec"), names)
        if "parameters" in cell.metadata.get("tags", ()):
            names |= parameters


@functools.cache
def _contents():
    return files.contents(BOOK)


@pytest.fixture
def data(tmp_path, monkeypatch):
    """A copy of the tables of facts, which the package reads until the test ends."""
    folder, pages = tmp_path / "data", _contents()
    shutil.copytree(tables.DATA, folder)
    monkeypatch.setattr(tables, "DATA", folder)
    # The pages stay as they are, and YAML takes its time.
    monkeypatch.setattr(check, "contents", lambda book: pages)
    forget()
    yield folder
    forget()


class Copy:
    """A copy of the book with its own package, and a command line that uses it."""

    def __init__(self, folder):
        self.folder = folder
        self.changed = {}
        # What was built before the first test, and whether a command may have changed it.
        self.kept, self.used = None, False

    def restore(self):
        """Undo what a test changed."""
        for path, content in self.changed.items():
            path.unlink() if content is None else path.write_text(content, encoding="utf-8")
        self.changed.clear()
        if self.kept and self.used:
            shutil.rmtree(self.folder / "_build")
            shutil.copytree(self.kept, self.folder / "_build")
        self.used = False

    def write(self, name, content):
        """Replace a file, or write a new one, until the test ends."""
        path = self.folder / name
        self.changed.setdefault(path, path.read_text(encoding="utf-8") if path.exists() else None)
        path.write_text(content, encoding="utf-8")

    def llmpower(self, *arguments, **more):
        """Run a command in the copy; returns the finished process."""
        environment = {**os.environ, "PYTHONPATH": str(self.folder), **more.pop("env", {})}
        self.used = True
        return subprocess.run(
            [sys.executable, "-m", "llmpower", *arguments],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            **more,
        )

    def built(self, *arguments, **more):
        """What a command told, a build if none is named; it must succeed."""
        command = arguments if arguments and not arguments[0].startswith("-") else ("build", *arguments)
        done = self.llmpower(*command, **more)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def replace(self, name, old, new):
        """Change a file until the test ends; the old text must be there."""
        text = (self.folder / name).read_text(encoding="utf-8")
        assert old in text, f"{old!r} is not in {name}"
        self.write(name, text.replace(old, new))

    def page(self, name="chapters/decode-breakdown", out="_build"):
        """Text of a published page, with plain spaces between numbers and units."""
        return (
            (self.folder / out / "html" / f"{name}.html").read_text(encoding="utf-8").replace("\N{NO-BREAK SPACE}", " ")
        )


@pytest.fixture
def say(capsys):
    """Runs a command in this process; returns exit code and what was printed."""

    def run(line):
        try:
            code = cli.main(shlex.split(line))
        except SystemExit as ended:
            code = ended.code
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def copy(shared_copy):
    """The copy of the module, put right again after the test."""
    yield shared_copy
    shared_copy.restore()


def copy_book(folder, pages=True):
    """Copy the sources of the book, nothing that was made from them; without its pages, what any book needs."""
    folder.mkdir(parents=True, exist_ok=True)
    for part in _PARTS + (_PAGES if pages else ()):
        source = BOOK / part
        if source.is_dir():
            shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints"))
        else:
            shutil.copyfile(source, folder / part)
    return Copy(folder)


@pytest.fixture(scope="module")
def shared_copy(tmp_path_factory):
    """One copy for all tests of a module, since a first build takes seconds."""
    folder = tmp_path_factory.mktemp("book")
    copied = copy_book(folder)
    # Runs of the original that are still fresh need not be repeated: they are known by content, not by place.
    runs = BOOK / "_build" / "runs"
    if runs.is_dir():
        shutil.copytree(runs, folder / "_build" / "runs", ignore=shutil.ignore_patterns(".running-*"))
    return copied


@contextlib.contextmanager
def alone(name):
    """One test process at a time; where there are no such locks, tests are run by one process."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    with open(name, "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def built():
    """First page and runs of the book itself, built if something changed."""
    (BOOK / "_build").mkdir(exist_ok=True)
    with alone(BOOK / "_build" / ".site-lock"):
        return build.build(BOOK, say=lambda line: None)


@pytest.fixture(scope="session")
def site(built):
    """Folder of the book's own site."""
    return built[0].parent


def pytest_xdist_auto_num_workers(config):
    """One process more than there are cores: tests wait for kernels and for the browser."""
    return (os.cpu_count() or 1) + 1


def pytest_terminal_summary(terminalreporter):
    """Say why tests were skipped: pytest -q only counts them."""
    reasons = {
        report.longrepr[2] for report in terminalreporter.stats.get("skipped", []) if isinstance(report.longrepr, tuple)
    }
    for reason in sorted(reasons):
        terminalreporter.write_line(reason, yellow=True, bold=True)
