"""Sweeps of a small chapter: what they leave, that they go on, and that nothing is lost when something dies."""

import csv
import json
import os
import signal
import subprocess
import sys
import threading
import time

import fsspec
import pandas
import pytest

from llmpower.arguments import ParameterError
from llmpower.book import run
from llmpower.sweep import runs


def asked(*swept, fixed=()):
    pairs = [tuple(one.split("=", 1)) for one in swept]
    return {"grid": pairs, "together": (), "fixed": [tuple(one.split("=", 1)) for one in fixed], "file": None}


def sweep(book, out, *swept, **more):
    """Failed runs, and what was told."""
    told = []
    failed = runs.sweep(book.folder, "board", out, asked(*swept), say=told.append, **more)
    return failed, "\n".join(told)


def test_a_sweep_leaves_all_numbers_in_long_form_and_runs_only_what_is_missing(book, tmp_path):
    out = tmp_path / "out"
    assert sweep(book, out, "my_place=2,5", "kind=all", jobs=1)[0] == 0
    assert sorted(book.ran()) == [2, 2, 5, 5]
    table = pandas.read_parquet(out / "results.parquet")
    assert [*table.columns] == ["run", "my_place", "kind", "name", "value", "low", "high", "unit", "text"]
    assert len(table) == 4 * 3
    row = table[(table.my_place == 5) & (table.kind == "long") & (table.name == "span")].iloc[0]
    assert [row.value, row.low, row.high, row.unit, row.text] == [6, 5, 7, "s", "6.00 s (5.00 to 7.00 s)"]
    said = table[table.name == "said"]
    assert said.value.isna().all() and [*said.text] == ["short", "long", "short", "long"]
    plain = pandas.read_csv(out / "results.csv", keep_default_na=False, na_values={"value": "", "low": "", "high": ""})
    pandas.testing.assert_frame_equal(plain, table.astype({"my_place": "int64"}))
    assert [*csv.reader(open(out / "failed.csv"))] == [["run", "parameters", "error"]]
    assert not [name for name in os.listdir(out) if name.startswith(".")]
    # The same again does nothing; one value more, that one.
    assert "4 runs of board, 0 to do" in sweep(book, out, "my_place=2,5", "kind=all", jobs=1)[1]
    assert "6 runs of board, 2 to do" in sweep(book, out, "my_place=2,5,7", "kind=all", jobs=1)[1]
    assert sorted(book.ran()) == [2, 2, 5, 5, 7, 7]
    # The chapter is another one: all runs are.
    book.replace("chapters/board.ipynb", "2.0 * my_place", "3.0 * my_place")
    assert "1 runs of board, 1 to do" in sweep(book, out, "my_place=2", jobs=1)[1]
    table = pandas.read_csv(out / "results.csv")
    assert table[table.name == "doubled"].value.tolist() == [6]


def test_a_run_that_fails_is_told_and_stops_no_other(book, tmp_path):
    out = tmp_path / "out"
    failed, _ = sweep(book, out, "my_place=12,13,14", jobs=2)
    assert failed == 1 and len(pandas.read_csv(out / "results.csv").run.unique()) == 2
    (row,) = csv.DictReader(open(out / "failed.csv"))
    assert json.loads(row["parameters"]) == {"my_place": 13}
    assert "board failed in cell 3, line 8" in row["error"] and "ValueError: an unlucky number" in row["error"]
    assert "an unlucky number" in (out / "summary.html").read_text()
    assert "3 runs of board, 0 to do" in sweep(book, out, "my_place=12,13,14", jobs=2)[1]
    assert sorted(book.ran()) == [12, 13, 14]


def test_a_run_that_dies_is_told_and_tried_again(book, tmp_path):
    """Nothing says that the chapter is to blame: memory may have been short."""
    out = tmp_path / "out"
    for times in (1, 2):
        failed, told = sweep(book, out, "my_place=16,17,18", jobs=1)
        assert failed == 1 and f"3 runs of board, {3 if times == 1 else 1} to do" in told
        assert len(pandas.read_csv(out / "results.csv").run.unique()) == 2
        (row,) = csv.DictReader(open(out / "failed.csv"))
        assert (
            json.loads(row["parameters"]) == {"my_place": 17} and "board did not end: its kernel died" in row["error"]
        )
    assert sorted(book.ran()) == [16, 17, 17, 18]


def test_a_process_that_was_killed_is_started_again_and_one_that_cannot_begin_says_why(book):
    path = str(book.folder / "chapters" / "board.ipynb")
    with run.process() as one:
        assert one.call("numbers", path=path, values={})[0] == 0
        one.process.kill()
        one.process.wait()
        assert one.call("numbers", path=path, values={"my_place": 4})[0] == 0
    with run.process(["no_such_module"]) as one:
        code, told = one.call("numbers", path=path, values={})
        assert code == -1 and told == "ModuleNotFoundError: No module named 'no_such_module'"


def test_gears_give_the_numbers_of_a_run(book, tmp_path, monkeypatch):
    """A fork without figures, a whole page, and, where there is no fork, a kernel."""
    run.execute(book.folder / "chapters" / "board.ipynb", {"my_place": 5}, tmp_path / "run")
    numbers = json.loads((tmp_path / "run" / "results.json").read_text())["numbers"]

    def found(out):
        (name,) = (out / "runs").iterdir()
        return json.loads(name.read_text())["numbers"]

    sweep(book, tmp_path / "numbers", "my_place=5", jobs=1)
    assert found(tmp_path / "numbers") == numbers
    sweep(book, tmp_path / "pages", "my_place=5", jobs=1, pages=True)
    assert found(tmp_path / "pages") == numbers
    (page,) = (tmp_path / "pages" / "pages").glob("*/chapters/board.html")
    assert "10.0\N{NO-BREAK SPACE}J" in page.read_text()
    assert list(page.parents[1].glob("downloads/board.executed.ipynb"))
    assert page.relative_to(tmp_path / "pages").as_posix() in (tmp_path / "pages" / "summary.html").read_text()
    monkeypatch.setattr(run.warm, "FORKS", False)
    with run.process() as cold:
        path = str(book.folder / "chapters" / "board.ipynb")
        code, text = cold.call("numbers", path=path, values={"my_place": 5})
    assert code == 0 and json.loads(text)["numbers"] == numbers


def test_results_may_lie_in_memory(book):
    address = "memory://somewhere/sweep"
    assert sweep(book, address, "my_place=1,2", jobs=1)[0] == 0
    files = fsspec.filesystem("memory")
    names = sorted(one.rpartition("/")[2] for one in files.ls("/somewhere/sweep", detail=False))
    assert names == ["failed.csv", "results.csv", "results.parquet", "runs", "summary.html", "sweep.json"]
    assert "2 runs of board, 0 to do" in sweep(book, address, "my_place=1,2", jobs=1)[1]


def test_what_lies_beside_the_chapter_goes_along_and_counts(book, tmp_path):
    book.write("chapters/helper.py", "FACTOR = 3\n")
    book.replace("chapters/board.ipynb", "import time", "import time, helper")
    book.replace("chapters/board.ipynb", "2.0 * my_place", "helper.FACTOR * my_place")
    sweep(book, tmp_path / "out", "my_place=2", jobs=1)
    book.write("chapters/helper.py", "FACTOR = 4\n")
    assert "1 to do" in sweep(book, tmp_path / "out", "my_place=2", jobs=1)[1]
    table = pandas.read_csv(tmp_path / "out" / "results.csv")
    assert table[table.name == "doubled"].value.tolist() == [8]


def test_a_folder_of_somebody_else_is_left_alone(book, tmp_path, monkeypatch):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("years of work")
    with pytest.raises(ParameterError, match="its thesis.txt was not made by a sweep; name another folder"):
        sweep(book, tmp_path / "out", "my_place=2")
    sweep(book, tmp_path / "other", "my_place=2", jobs=1)
    former = (tmp_path / "other" / "results.csv").read_bytes()
    (tmp_path / "out" / "thesis.txt").rename(tmp_path / "out" / "sweep.json")
    with pytest.raises(ParameterError, match="it holds a sweep of something else; name another folder"):
        sweep(book, tmp_path / "out", "my_place=2")
    with pytest.raises(ParameterError, match="scheduler: got tcp://127.0.0.1:1; "):
        sweep(book, tmp_path / "other", "my_place=3", scheduler="tcp://127.0.0.1:1")
    with pytest.raises(ParameterError, match="it holds a sweep of board; name another folder"):
        runs.sweep(book.folder, "step", tmp_path / "other", asked("batch=2"), say=lambda line: None)
    monkeypatch.setattr(runs, "_MOST", 3)
    with pytest.raises(ParameterError, match="got 4 combinations, 2 my_place x 2 kind; allowed are up to 3 runs"):
        sweep(book, tmp_path / "other", "my_place=2,3", "kind=all")
    # What is there stays until all of another one is.
    assert (tmp_path / "other" / "results.csv").read_bytes() == former


def test_a_worker_dies_and_nothing_is_lost_or_done_twice(book, tmp_path, started):
    out, killed = tmp_path / "out", []

    def kill():
        while len(book.ran()) < 6:
            time.sleep(0.02)
        started.workers[0].kill()
        killed.append(len(book.ran()))

    killer = threading.Thread(target=kill)
    killer.start()
    places = ",".join(str(at) for at in range(100, 130))
    failed, _ = sweep(book, out, f"my_place={places}", scheduler=started.address)
    killer.join()
    assert failed == 0 and killed and killed[0] < 30
    table = pandas.read_csv(out / "results.csv")
    assert sorted(table[table.name == "doubled"].value) == [2 * at for at in range(100, 130)]
    assert len(list((out / "runs").iterdir())) == 30
    # The run in the hands of the worker that died, and no other, may have begun twice.
    assert set(book.ran()) == set(range(100, 130)) and len(book.ran()) <= 31


def test_without_its_scheduler_a_sweep_stops_and_goes_on_later(book, tmp_path, started):
    out = tmp_path / "out"

    def kill():
        while len(book.ran()) < 6:
            time.sleep(0.02)
        started.scheduler.kill()

    killer = threading.Thread(target=kill)
    killer.start()
    places = "my_place=" + ",".join(str(at) for at in range(100, 130))
    with pytest.raises(runs.Stopped, match="the scheduler is gone; what was done is kept"):
        sweep(book, out, places, scheduler=started.address)
    killer.join()
    kept = len(list((out / "runs").iterdir()))
    assert 3 <= kept < 30 and not (out / "results.csv").exists()
    assert f"30 runs of board, {30 - kept} to do" in sweep(book, out, places, jobs=2)[1]
    assert len(pandas.read_csv(out / "results.csv").run.unique()) == 30


def test_a_killed_sweep_goes_on_with_what_is_missing(book, tmp_path):
    places = "my_place=" + ",".join(str(at) for at in range(100, 130))
    command = [sys.executable, "-m", "llmpower", "sweep", "board", "--grid", places, "--jobs", "1", "--out", "out"]
    process = subprocess.Popen([*command, "--book", str(book.folder)], cwd=tmp_path, start_new_session=True)
    while len(book.ran()) < 6:
        assert process.poll() is None
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    time.sleep(1)
    kept, begun = len(list((tmp_path / "out" / "runs").glob("[!.]*"))), len(book.ran())
    assert not (tmp_path / "out" / "results.csv").exists() and 3 <= kept <= begun < 30
    assert f"30 runs of board, {30 - kept} to do" in sweep(book, tmp_path / "out", places, jobs=2)[1]
    assert len(book.ran()) == begun + 30 - kept
