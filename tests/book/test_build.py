"""Publishing: what runs again, what is on the page then, what is refused, what a failure leaves behind."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

import nbformat
import psutil
import pytest

from llmpower.book import build, files, fresh, renew, run
from llmpower.book import living as living_pages
from llmpower.book.files import ChapterError, chapters
from llmpower.book.scenario import ask
from tests.book.small import CHAPTER, LATER, notebook

GLOSSARY = ("pages/glossary.md", "One pass through the network", "A single pass through the network")


@pytest.fixture(scope="module")
def shared_copy(small_copy):
    """A small book for all tests."""
    return small_copy


def stale(copy, monkeypatch):
    """Chapters of a copy that a build would execute."""
    monkeypatch.setattr(fresh, "PACKAGE", copy.folder / "llmpower")
    monkeypatch.setattr(fresh, "DATA", copy.folder / "data")
    values, cache = ask(copy.folder).values, copy.folder / "_build" / "runs"
    folders = {name: cache / name / fresh.hashed(values[name])[:12] for name in values}
    return {name for name, path in chapters(copy.folder).items() if fresh.outdated(path, folders[name])}


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        ("data/accelerators.csv", "h100-sxm,tdp_w,700,", "h100-sxm,tdp_w,640,", {"board"}),
        ("data/cpus.csv", "intel-", "untel-", set()),
        # Labels of the controls of a page come from the table of quantities.
        ("data/quantities.csv", "decoded together", "decoded at once", {"board", "index", "step"}),
        ("llmpower/formulas/decode.py", "return energy_j / batch", "return 3 * energy_j / batch", {"step"}),
        ("llmpower/evidence/fit.py", '"""', '"""Of old: ', set()),
        ("llmpower/cli.py", "A thin door", "A very thin door", set()),
        ("llmpower/book/build.py", '"""', '"""It ', set()),
        ("llmpower/book/report.py", '"""', '"""It ', {"index", "board", "step"}),
        ("llmpower/figures/style.mplstyle", "lines.linewidth: 2", "lines.linewidth: 3", {"index", "board", "step"}),
        ("requirements.lock", "papermill==", "# another edition\npapermill==", {"index", "board", "step"}),
        (LATER, "batch: int = 2", "batch: int = 5", {"step"}),
        (LATER, "plt.show()", "plt.show() ", {"step"}),
        (LATER, "An average step", "A mean step", set()),
        (GLOSSARY[0], GLOSSARY[1], GLOSSARY[2], set()),
        ("_build/runs/index/*/results.json", "{", "", {"index"}),
        ("_build/runs/index/*/executed.ipynb", "}", "", {"index"}),
    ],
)
def test_a_change_makes_stale_what_depends_on_it(copy, monkeypatch, file, old, new, expected):
    (path,) = copy.folder.glob(file)
    assert stale(copy, monkeypatch) == set()
    copy.replace(path.relative_to(copy.folder), old, new)
    assert stale(copy, monkeypatch) == expected


def test_what_changed_is_on_the_page_and_nothing_else_ran(copy):
    assert "executing: nothing to do" in copy.built() and "700 W" in copy.page("chapters/board")
    before = copy.page("chapters/step")
    copy.replace("data/accelerators.csv", "h100-sxm,tdp_w,700,", "h100-sxm,tdp_w,640,")
    told = copy.built()
    assert "board done" in told and "published after" in told
    assert "executing 1 of 3 chapters, 1 at a time, since accelerators.csv changed: board" in told
    assert "640 W" in copy.page("chapters/board") and copy.page("chapters/step") == before
    # 3 times 10 J over 4 tokens.
    copy.replace("llmpower/formulas/decode.py", "return energy_j / batch", "return 3 * energy_j / batch")
    copy.replace(LATER, "batch: int = 2", "batch: int = 4")
    assert "step done" in copy.built() and "7.50 J" in copy.page("chapters/step")


def test_text_changed_executes_nothing_and_leaves_no_stale_page(copy):
    """Another title, which stands in the side bar of all pages, and another text: the site is as if from nothing."""
    # What Sphinx read is known by its place: read here, once.
    copy.replace("pages/glossary.md", "# Glossary", "# Our glossary")
    copy.built()
    kept = copy.folder / "_build" / ".published"
    read = {path: path.stat().st_mtime for path in kept.rglob("*.doctree")}
    copy.replace(CHAPTER, "# Boards", "# Boards of all kinds")
    copy.replace(*GLOSSARY)
    told = copy.built()
    assert "executing: nothing to do" in told and "publishing with" in told
    again = {path.stem for path in read if path.stat().st_mtime != read[path]}
    assert {"board", "glossary"} <= again and {"step", "index"}.isdisjoint(again)
    copy.built("--out", "nothing-kept")
    first, second = (
        {name: path.read_bytes() for name, path in fresh.files_in(copy.folder / out).items()}
        for out in ("_build/html", "nothing-kept/html")
    )
    assert first == second
    assert "Boards of all kinds" in copy.page("glossary") and GLOSSARY[2] in copy.page("glossary")


def test_two_builds_at_once_do_not_share_a_folder(copy):
    taken = copy.folder / "_build" / ".publishing"
    (copy.folder / "_build" / ".published").rename(taken)
    copy.replace(*GLOSSARY)
    with fresh.hold(taken):
        before = sorted(taken.rglob("*"))
        copy.built()
        assert GLOSSARY[2] in copy.page("glossary") and sorted(taken.rglob("*")) == before


def test_a_run_tells_what_was_asked(copy):
    copy.built("run", "board", "-p", "batch=64", "--out", "mine")
    found = json.loads((copy.folder / "mine" / "results.json").read_text(encoding="utf-8"))
    assert found["parameters"] == {"batch": 64} and found["numbers"]["batch"]["value"] == 64
    assert found["numbers"]["rating"] == {"value": 700.0, "unit": "W", "text": "700 W"}
    page = copy.page("chapters/board", out="mine")
    assert "<strong>64</strong>" in page and "a reader's own parameters" in page.replace("&#39;", "'")
    ran = nbformat.read(copy.folder / "mine" / "board.ipynb", as_version=4)
    assert ran.cells[-1].source.startswith("## Parameters used")
    # One page was published; what it refers to is there, and says what it is.
    assert "This page is part of the whole book" in copy.page("chapters/step", out="mine")
    again = copy.llmpower("run", "board", "-p", "batch=64", "--out", "mine")
    assert "1 chapters are up to date" in again.stdout and "the site is up to date" in again.stdout
    forced = copy.llmpower("run", "board", "-p", "batch=64", "--out", "mine", "--force")
    assert "executing 1 of 1" in forced.stdout and "the site is up to date" in forced.stdout


OWN = """
my_students: int = 30  # students [1] (1 to 500)
kind: str = "short"  # kind of course [name] (short, long)
"""


def own_chapter(copy, title="My class", parameters=OWN):
    """Write a chapter as a teacher would: parameters of its own, a module and a table beside it."""
    text = (
        "import csv\nimport helper\nfrom llmpower import report\n"
        "rows = list(csv.reader(open('marks.csv')))\n"
        "report.show('marks', len(rows) * my_students * helper.FACTOR)"
    )
    cells = [
        nbformat.v4.new_markdown_cell(f"# {title}\n\nThere are {{glue:text}}`marks` marks.", id="a"),
        nbformat.v4.new_code_cell(parameters.strip(), metadata={"tags": ["parameters"]}, id="b"),
        nbformat.v4.new_code_cell(text, metadata={"tags": ["hide-input"]}, id="c"),
    ]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    made = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
    copy.write("chapters/marks.ipynb", nbformat.writes(made))
    copy.write("chapters/helper.py", "FACTOR = 2\n")
    copy.write("chapters/marks.csv", "1\n2\n")
    copy.write("_toc.yml", (copy.folder / "_toc.yml").read_text() + "  - file: chapters/marks\n")


def test_a_chapter_of_ones_own(copy):
    own_chapter(copy)

    def marks(*options):
        copy.built("run", "marks", *options, "--out", "mine")
        return json.loads((copy.folder / "mine" / "results.json").read_text())["numbers"]["marks"]["value"]

    # Two rows, 30 and 1,000 / 2 students, twice.
    assert marks() == 120 and marks("-p", "my_students=5e2", "-p", "kind=long") == 2000
    beside = copy.folder / "mine" / "html" / "downloads"
    assert [(beside / name).read_text() for name in ("helper.py", "marks.csv")] == ["FACTOR = 2\n", "1\n2\n"]
    assert "downloads/helper.py" in copy.page("chapters/marks", out="mine")
    # What lies beside it is one of its inputs.
    copy.write("chapters/marks.csv", "1\n2\n3\n")
    assert marks() == 180
    copy.write("chapters/helper.py", "FACTOR = 4\n")
    assert marks() == 360
    wrong = copy.llmpower("run", "marks", "-p", "my_students=501", "-p", "kind=medium")
    assert wrong.returncode == 2
    assert "my_students: got '501'; allowed is a whole number from 1 to 500 [count]" in wrong.stderr
    assert "kind: got 'medium'; allowed is one of short, long [name]" in wrong.stderr


@pytest.mark.parametrize(
    ("title", "parameters", "message"),
    [
        ("My {glue:text}`marks`", OWN, "marks: cell 1: a title holds no computed number, but this does: # My {glue"),
        ("My class", "my_students: int = 30", "its line should read `my_students: int = …  # students [1] (1 to 500)`"),
        ("My class", "my_students: int = 30  # students [head] (1 to 500)", "its unit should be one of 1, year, W"),
        ("My class", "my_students: int = 30  # students [1] (some)", "what is allowed should read like (1 to 500)"),
        ("My class", "my_students: int = 30  # students [1] (1 to 20)", "marks.ipynb: my_students: got 30; allowed is"),
        ("", OWN, "marks: cell 1 should be text with a title, such as `# What my class draws`"),
        (
            "My class",
            "my_students: int = 3 * 10",
            "the value of parameter my_students is a number or a text, not `3 * 10`",
        ),
        ("My class", "my_students: itn = 30", "its type should be int, float or str, not itn"),
        ("My class", "bacth: int = 30", "is not in data/quantities.csv; did you mean batch? else its line should read"),
        ("My class", "kind: str = 'a'", "its line should read `kind: str = …  # kind of course [name] (short, long)`"),
    ],
)
def test_what_is_wrong_with_a_chapter_of_ones_own(copy, title, parameters, message):
    own_chapter(copy, title, parameters)
    done = copy.llmpower("run", "marks")
    assert done.returncode == 1 and message in done.stderr and "Traceback" not in done.stderr


def test_a_run_is_about_its_chapter_alone_and_keeps_the_former_result(copy):
    copy.built("run", "board", "-p", "batch=64", "--out", "kept")
    before = copy.page("chapters/board", out="kept")
    # Others may be broken, or have parameters that nobody knows.
    copy.replace(LATER, "batch: int = 2", "bacth: int = 2")
    copy.built("run", "board", "-p", "batch=32", "--out", "other")
    listed = copy.llmpower("chapters")
    assert listed.returncode == 1 and "batch = 2" in listed.stdout
    assert "chapters/step.ipynb: parameter bacth is not in data/quantities.csv" in listed.stderr
    copy.replace(CHAPTER, "from llmpower.figures import style", "1 / 0")
    failed = copy.llmpower("run", "board", "-p", "batch=16", "--out", "kept")
    assert failed.returncode == 1 and copy.page("chapters/board", out="kept") == before
    assert json.loads((copy.folder / "kept" / "results.json").read_text())["parameters"] == {"batch": 64}


def test_a_scenario_file_publishes_a_book_of_its_own(copy):
    (copy.folder / "ours.yml").write_text(
        "title: Watts at our place\nparameters:\n  batch: 8\nchapters:\n  step:\n    batch: 20\n"
    )
    copy.built("build", "-f", "ours.yml", "--out", "ours")
    page = copy.page("chapters/step", out="ours")
    assert "Watts at our place" in page and "0.500 J" in page  # 10 J over 20 tokens
    assert "8</" in copy.page("chapters/board", out="ours")
    assert "Watts at our place" not in copy.page("chapters/step")


def test_two_scenarios_stand_side_by_side(copy):
    (copy.folder / "few.yml").write_text("title: Few & quick\nparameters:\n  batch: 8\n")
    (copy.folder / "many.yml").write_text("parameters:\n  batch: 20\n")
    told = copy.built("build", "-f", "few.yml", "-f", "many.yml", "--out", "both")
    assert str(copy.folder / "both" / "index.html") in told
    page = (copy.folder / "both" / "index.html").read_text(encoding="utf-8")
    assert (
        'href="few/html/index.html">Few &amp; quick</a>' in page and 'href="many/html/chapters/step.html">many<' in page
    )
    # 10 J over 8 and over 20 tokens; the rating is the same in both.
    assert "<td>An average step takes 1.25 J.</td><td>An average step takes 0.500 J.</td>" in page
    assert '<th scope="row">sequences decoded together [count]</th><td>8</td><td>20</td>' in page
    assert "8</" in copy.page("chapters/board", out="both/few")
    again = copy.built("build", "-f", "few.yml", "-f", "many.yml", "--out", "both")
    assert again.count("the site is up to date") == 2
    # Neither is built if one of them is wrong, and both need a name.
    (copy.folder / "wrong.yml").write_text("parameters:\n  bacth: 20\n")
    wrong = copy.llmpower("build", "-f", "few.yml", "-f", "wrong.yml", "--out", "none")
    assert wrong.returncode == 2 and "bacth" in wrong.stderr and not (copy.folder / "none").exists()
    same = copy.llmpower("build", "-f", "few.yml", "-f", "few.yml", "--out", "none")
    assert same.returncode == 2 and "allowed are files of different names" in same.stderr


def test_a_folder_of_somebody_else_is_not_replaced(copy, say):
    precious = copy.folder / "mine-alone" / "html" / "thesis.html"
    precious.parent.mkdir(parents=True)
    precious.write_text("years of work")
    front = (copy.folder / "index.ipynb").read_bytes()
    for command in (
        f"run board --out {copy.folder}/mine-alone",
        f"build --out {copy.folder}/mine-alone",
        f"run index --out {copy.folder}",
        f"run board --out {copy.folder}/chapters",
    ):
        code, _, err = say(f"{command} --book {copy.folder}")
        assert code == 2 and "was not made by llmpower" in err
    assert precious.read_text() == "years of work" and (copy.folder / "index.ipynb").read_bytes() == front


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("run borad", "did you mean board?"),
        ("run board -f nowhere.yml", "nowhere.yml: cannot be read"),
        ("run board -p batch", "expected name=value"),
        ("run board -p batch=1 -p batch=2", "given twice"),
        ("run board -p btach=1 -p batch=0 --out never", "2 problems, nothing was written"),
        ("run board -p btach=1 -p batch=0 --out never", "did you mean batch?"),
        ("run board -p btach=1 -p batch=0 --out never", "allowed is a whole number from 1 to 1,000,000"),
        ("run board -f typo.yml --out never", "bacth"),
        ("build -f typo.yml --out never", "staep"),
        ("build --jobs 0", "expected a whole number from 1"),
        ("build --out taken/sub", "cannot be written"),
        ("build --out ''", "--out"),
        ("build -f ''", "expected a name, got nothing"),
        ("chapters --book data", "say where it is with --book DIR"),
        ("serve --port 70000", "expected a port"),
        ("bulid", "invalid choice"),
        ("", "required"),
    ],
)
def test_wrong_commands(copy, say, monkeypatch, command, message):
    monkeypatch.chdir(copy.folder)
    (copy.folder / "typo.yml").write_text("parameters:\n  bacth: 64\nchapters:\n  staep:\n    batch: 7\n")
    (copy.folder / "taken").write_text("a file")
    code, out, err = say(command)
    assert (code, out) == (2, "") and message in err
    assert not (copy.folder / "never").exists()


def test_outside_a_checkout_commands_ask_for_the_book(say, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    code, _, err = say("chapters")
    assert code == 2 and "--book DIR" in err


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import os; os._exit(3)", "board did not end: its kernel died"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "board did not end: its kernel died"),
        ("import sys; sys.exit(0)", "board did not end: one of its cells left Python"),
    ],
)
def test_a_chapter_whose_kernel_ends_is_told(copy, code, message):
    copy.replace(CHAPTER, "from llmpower.figures import style", code)
    done = copy.llmpower("run", "board", "--out", "never-ended")
    assert done.returncode == 1 and message in done.stderr and "Traceback" not in done.stderr, done.stderr


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            'report.show("batch", batch)',
            'report.show("batch", batch)\nrows = {"ann": 1}\n\nrows["anna"]',
            """board failed in cell 4, line 5 (`rows["anna"]`): KeyError: 'anna'""",
        ),
        ('report.show("batch", batch)', "x = (1", "board failed in cell 4, line 2 (`x = (1`): SyntaxError: "),
        (
            "{glue:text}`rating`",
            "{glue:text}`ratign`",
            "board: cell 1 names ratign, which nothing shows; did you mean rating?",
        ),
        (
            "import matplotlib.pyplot as plt",
            'report.show("rating", 2)\nimport matplotlib.pyplot as plt',
            "board shows two numbers of one name: rating",
        ),
    ],
)
def test_a_fault_in_a_cell_is_named_where_it_is(copy, old, new, message):
    copy.replace(CHAPTER, json.dumps(old)[1:-1], json.dumps(new)[1:-1])
    done = copy.llmpower("run", "board", "--out", "never-ended")
    assert done.returncode == 1 and message in done.stderr and "Traceback" not in done.stderr, done.stderr


@pytest.mark.parametrize("forks", [True, False])
def test_forks_and_kernels_give_the_same_to_the_byte(copy, monkeypatch, forks):
    """Where there is no fork, a kernel executes; the runs of the small book were forked where there is."""
    monkeypatch.setattr(run.warm, "FORKS", forks)
    values = dict.fromkeys(chapters(copy.folder), {})
    folders = run.execute_stale(copy.folder, values, copy.folder / f"forks-{forks}", 2, lambda line: None)
    for name, folder in folders.items():
        former = next((copy.folder / "_build" / "runs" / name).iterdir())
        for file in ("executed.ipynb", "results.json", "living.json"):
            assert (folder / file).read_bytes() == (former / file).read_bytes(), (name, file)


def test_a_chapter_that_does_without_our_module_runs_in_a_fork_as_in_a_kernel(copy, tmp_path, monkeypatch):
    """What was loaded before the kernel took the picture, and followed a print that nobody had handed over."""
    path = copy.folder / "chapters" / "own.ipynb"
    notebook(
        path,
        "# Somebody's own\n\nIt reads no fact.",
        ("parameters", "batch: int = 2  # sequences decoded together [count]"),
        ("plain", "%matplotlib inline\nprint(f'before {batch * 2}')"),
        ("plain", "import matplotlib.pyplot as plt\nplt.plot([1, batch]);"),
        ("plain", "from llmpower import report\nreport.show('batch', batch)"),
        ("plain", "%matplotlib inline\n'half:', batch / 2"),
        ("plain", "# Nothing to do.\n"),
        (
            "plain",
            "w = batch + 1\nu = !echo {w}\nx = !echo 5\n"
            "report.say(f'The one is {w}.')\nreport.say(f'The other is {u}.')\nreport.say(f'The third is {x}.')",
        ),
        ("plain", "plt.figure().savefig('/dev/null', format='svg')\nprint(f'after {batch * 3}')\nplt.close('all')"),
    )
    stored = []
    for forks in (True, False):
        monkeypatch.setattr(run.warm, "FORKS", forks)
        with run.process() as one:
            folder = tmp_path / f"forks-{forks}"
            code, told = one.call("execute", path=str(path), values={}, folder=str(folder))
        assert code == 0, told
        stored.append([(folder / file).read_bytes() for file in ("executed.ipynb", "results.json", "living.json")])
    assert stored[0] == stored[1]
    executed = json.loads(stored[0][0])
    outputs = [output for cell in executed["cells"] for output in cell.get("outputs", [])]
    assert [kind for output in outputs for kind in output.get("data", {}) if kind.startswith("image/")] == ["image/png"]
    printed = "".join(line for output in outputs for line in output.get("text", ""))
    assert printed == "before 4\nafter 6\n"
    # What it printed itself stays what it was when the control moves, and says so.
    living = json.loads(stored[0][2])
    assert [living["page"]["waits"][living["cells"][cell]["waits"]] for cell in "578"] == [["batch"]] * 3
    # A magic is not done again; what follows from it waits, and what nobody has done again in its cell.
    said = living["cells"]["7"]["prints"]
    assert ".k" in said["0"] and ".waits" in said["1"] and "waits w" in said["2"], said
    dressed = living_pages.dress(nbformat.read(folder / "executed.ipynb", as_version=4), "own", folder)
    marked = [
        bool({*cell.metadata.get("tags", [])} & {"w0", "w1"}) for cell in dressed.cells if cell.cell_type == "code"
    ]
    assert marked == [False] * 4 + [True, False, False, True]


def test_a_kernel_that_lost_its_port_is_started_again(copy, tmp_path, monkeypatch):
    import papermill

    begun, real = [], papermill.execute_notebook

    def execute(*asked, **settings):
        begun.append(asked)
        if len(begun) < 3:
            raise RuntimeError("Kernel died before replying to kernel_info")
        return real(*asked, **settings)

    monkeypatch.setattr(papermill, "execute_notebook", execute)
    run.execute(copy.folder / CHAPTER, {}, tmp_path / "stored")
    assert len(begun) == 3 and (tmp_path / "stored" / "results.json").is_file()
    monkeypatch.setattr(papermill, "execute_notebook", lambda *asked, **settings: begun.clear() or execute(*asked))
    with pytest.raises(ChapterError, match="board did not begin: its kernel died 3 times"):
        run.execute(copy.folder / CHAPTER, {}, tmp_path / "other")


def test_a_cell_without_an_end(copy, tmp_path, monkeypatch):
    monkeypatch.setitem(run._SETTINGS, "execution_timeout", 5)
    copy.replace(CHAPTER, "from llmpower.figures import style", "import time; time.sleep(60)")
    with pytest.raises(ChapterError, match="board did not end: a cell took more than 0 minutes"):
        run.execute(copy.folder / CHAPTER, {}, tmp_path / "stored")


def test_a_link_to_the_folder_of_a_web_server_stays_one(copy):
    web, out = copy.folder / "srv" / "www", copy.folder / "linked"
    copy.built("run", "board", "--out", "linked")
    web.parent.mkdir(exist_ok=True)
    (out / "html").rename(web)
    (out / "html").symlink_to(web)
    copy.built("run", "board", "-p", "batch=9", "--out", "linked")
    assert (out / "html").is_symlink() and "<strong>9</strong>" in (web / "chapters" / "board.html").read_text()


def test_who_may_only_read_a_book_keeps_runs_beside_the_site(tmp_path):
    (tmp_path / "_build").write_text("no folder")
    assert build._kept(tmp_path, tmp_path / "mine") == tmp_path / "mine"
    (tmp_path / "other").mkdir()
    assert build._kept(tmp_path / "other", tmp_path / "mine") == tmp_path / "other" / "_build"


def test_serve_shows_what_was_made_last(copy):
    copy.built("run", "board", "--out", "served")
    made = (copy.folder / "served" / "html").resolve()
    assert files.last_site(copy.folder) == made
    environment = {**os.environ, "PYTHONPATH": str(copy.folder), "PYTHONUNBUFFERED": "1"}
    # The folder that a build was told is as good as that of the site.
    for given in ([], ["served"], ["served/html"]):
        command = [sys.executable, "-m", "llmpower", "serve", *given, "--port", "0"]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        with subprocess.Popen(command, cwd=copy.folder, env=environment, **pipes) as server:
            line = server.stdout.readline()
            address = re.search(r"http://127.0.0.1:\d+/", line)[0]
            with urllib.request.urlopen(f"{address}chapters/board.html") as page:
                assert b"Boards" in page.read()
            for missing in ("_static/", "%00", "chapters/"):
                with pytest.raises((urllib.error.HTTPError, OSError)):
                    urllib.request.urlopen(f"{address}{missing}")
            server.send_signal(signal.SIGTERM)
            _, told = server.communicate(timeout=30)
        assert told == "" and ("served" in line or "html" in line)


def test_a_chapter_that_fails_names_cell_and_error_and_leaves_nothing(copy):
    copy.replace(LATER, "from llmpower.figures import style", "1 / (batch - batch)")
    copy.replace(
        CHAPTER,
        "from llmpower.figures import style",
        "import warnings; warnings.warn('look out')\\nfrom llmpower.figures import style",
    )
    done = copy.llmpower("build", "--out", "failed")
    assert done.returncode == 1
    assert "step failed in cell 5, line 1 (`1 / (batch - batch)`): ZeroDivisionError: division by zero" in done.stderr
    assert "board printed a warning" in done.stderr and "look out" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(copy.folder.glob("failed/**/*.html")) and not list((copy.folder / "_build").rglob(".running-*"))


def test_a_broken_reference_stops_the_build_and_keeps_the_former_site(copy):
    before = copy.page("glossary")
    copy.replace("pages/glossary.md", "# Glossary", "# Glossary\n\nSee {ref}`nowhere-at-all`.")
    done = copy.llmpower("build")
    assert done.returncode == 1 and "nowhere-at-all" in done.stderr and "glossary.md" in done.stderr
    assert copy.page("glossary") == before


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("_config.yml", "a: [", "_config.yml, line 1"),
        ("index.ipynb", "{", "index.ipynb: not a notebook"),
        ("chapters/run-times.json", None, "chapters/run-times.json is missing"),
    ],
)
def test_what_cannot_be_read_is_one_line(copy, say, name, content, message):
    copy.write(name, content or "")
    if content is None:
        (copy.folder / name).unlink()
    code, _, err = say(f"build --book {copy.folder}")
    assert code == 1 and message in err and len(err.splitlines()) == 1


@pytest.mark.parametrize("kind", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_stopping_leaves_no_half_page_and_no_kernel(copy, kind):
    """Ctrl-C reaches all processes of a terminal; being ended, or losing the terminal, only the one that is meant."""
    copy.replace(CHAPTER, "from llmpower.figures import style", "import time; time.sleep(40)")
    process = psutil.Popen(
        [sys.executable, "-m", "llmpower", "run", "board", "-p", "batch=7", "--out", "stopped"],
        cwd=copy.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A test run in the background has it ignored, and its children would inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        env={**os.environ, "PYTHONPATH": str(copy.folder)},
    )
    # A process that has loaded what chapters need, and the fork of it that executes one.
    started = []
    while sum("book.warm" in " ".join(one.as_dict(["cmdline"])["cmdline"] or ()) for one in started) < 2:
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
        started = [one for one in process.children(recursive=True) if one.is_running()]
    ending = getattr(signal, kind)
    os.killpg(process.pid, ending) if kind == "SIGINT" else os.kill(process.pid, ending)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "stopped; nothing half done was published" in errors and "Traceback" not in errors
    assert not (copy.folder / "stopped" / "html").exists()
    _, left = psutil.wait_procs(started, timeout=60)
    assert not left, "a kernel is still running"


def test_nbval_sees_a_changed_constant_and_renew_names_what_moved(copy):
    def nbval():
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "no:cacheprovider",
            "-p",
            "llmpower.book.renew",
            "--nbval",
            "-q",
            CHAPTER,
        ]
        environment = {**os.environ, "PYTHONPATH": str(copy.folder)}
        return subprocess.run(command, cwd=copy.folder, env=environment, capture_output=True, text=True, check=False)

    for name in (CHAPTER, LATER, "index.ipynb", "chapters/run-times.json"):
        copy.write(name, (copy.folder / name).read_text(encoding="utf-8"))
    told = []
    with pytest.MonkeyPatch.context() as patch:
        stored = copy.folder / "_build" / "runs"
        folders = {path.parent.name: path for path in stored.glob("*/[!.]*")}
        patch.setattr(run, "execute_stale", lambda *asked: folders)
        renew.renew(copy.folder, say=told.append)
    assert "rating: not there -> 700 W" in told[0]
    copy.replace("data/accelerators.csv", "h100-sxm,tdp_w,700,", "h100-sxm,tdp_w,640,")
    broken = nbval()
    assert broken.returncode == 1 and "failed" in broken.stdout
    assert "board: 1 numbers moved\n  rating: 700 W -> 640 W\nstep: no number moved" in copy.built("renew")
    assert nbval().returncode == 0
    notebook = nbformat.read(copy.folder / CHAPTER, as_version=4)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert not [kind for output in outputs for kind in output.get("data", {}) if kind.startswith("image/")]


def test_the_command_on_a_page_of_ones_own_gives_that_page(copy, reader):
    copy.built("run", "board", "-p", "batch=16", "--out", "sixteen")
    reader.open((copy.folder / "sixteen" / "html" / "chapters" / "board.html").as_uri())
    reader.page.locator(".living > summary").click()
    command = reader.page.locator(".living-command")
    assert command.inner_text() == "llmpower run board -p batch=16"
    # The default of the chapter, which this page has to be told.
    reader.page.evaluate("location.hash = '#~batch=2'")
    reader.page.wait_for_function("() => document.querySelector('.living-command').textContent.endsWith('batch=2')")


def test_a_pack_that_goes_away_is_told(copy):
    assert "the former site offered" not in copy.built("build", "--zip", "--out", "packed")
    told = copy.built("build", "--out", "packed")
    assert "the former site offered a zip, this one does not; --zip makes it again" in told
    assert "the former site offered" not in copy.built("build", "--out", "packed")
