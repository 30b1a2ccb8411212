"""The estimator over a grid: point by point what `estimate` says, with little memory, and refusals that are told."""

import csv
import json
import math
import resource
import subprocess
import sys

import pandas
import pyarrow.parquet
import pytest

import llmpower
from llmpower.arguments import ParameterError
from llmpower.sweep import points, store
from tests.conftest import BOOK


def sweep(out, *swept, fixed=(), columns=points.USUAL, **more):
    told = []
    pairs, fixed = ([tuple(one.split("=", 1)) for one in some] for some in (swept, fixed))
    asked = {"grid": pairs, "together": (), "fixed": fixed, "file": None}
    failed = points.sweep(BOOK, "decode-breakdown", out, asked, columns, jobs=1, say=told.append, **more)
    return failed, "\n".join(told)


def test_every_point_is_what_an_estimate_says(tmp_path, monkeypatch):
    # So that parts end within a case.
    monkeypatch.setattr(points, "PART", 7)
    swept = ["batch=1,8,64", "accelerator=h100-sxm,b200", "context_tokens=100:9000:4", "software=vllm,bare"]
    fixed = ["model=llama-3.1-8b", "prompt_tokens=300"]
    assert sweep(tmp_path / "out", *swept, fixed=fixed, columns=tuple(points.COLUMNS))[0] == 0
    table = pandas.read_parquet(tmp_path / "out" / "points.parquet")
    assert len(table) == 3 * 2 * 4 * 2 and len(list((tmp_path / "out" / "points.parquet").iterdir())) == 7
    asked, missing = [name for name in table.columns if name not in points.COLUMNS], 0
    for row in table.to_dict("records"):
        if math.isnan(row["j_per_token"]):
            # Weights and caches do not find so much in nine tenths of the memory, or all of it without a server.
            assert row["missing_bytes"] > 0
            with pytest.raises(ParameterError, match=f"misses {row['missing_bytes'] / 1e9:,.1f} GB"):
                llmpower.estimate(**{name: row[name] for name in asked})
            missing += 1
            continue
        assert row["missing_bytes"] <= 0
        one = llmpower.estimate(**{name: row[name] for name in asked})
        assert one.prompt_tokens == 300 and one.model == "llama-3.1-8b"
        for name in ("tokens_per_s", "j_per_token", "power_w", "step_s", "first_token_s"):
            assert row[name] == pytest.approx(getattr(one, name), rel=1e-12), row
        for end in ("low", "high"):
            assert row[f"j_per_token_{end}"] == pytest.approx(getattr(one, end).j_per_token, rel=1e-12)
    assert missing == 2


def test_numbers_are_those_of_the_chapter(tmp_path):
    """The chapter expects 70 billion parameters on the boards that hold them, under the server it names."""
    results = json.loads(next((BOOK / "_build" / "runs" / "decode-breakdown").glob("*/results.json")).read_text())
    given, numbers = results["parameters"], results["numbers"]
    fixed = [f"{name}={value}" for name, value in given.items() if name in ("context_tokens", "model", "accelerator")]
    # It counts prompts as read already.
    fixed += [f"n_accelerators={numbers['held']['value']:.0f}", "prompt_tokens=0"]
    sweep(tmp_path / "out", f"batch={given['batch']},64", fixed=[*fixed, "software=vllm"])
    table = pandas.read_parquet(tmp_path / "out" / "points.parquet")
    assert table.tokens_per_s[0] == pytest.approx(numbers["likely"]["value"], rel=1e-9)
    low, high = table.tokens_per_s_low[0], table.tokens_per_s_high[0]
    assert [low, high] == pytest.approx([numbers["likely"]["low"], numbers["likely"]["high"]], rel=1e-9)


def test_few_points_are_told_as_runs_are(tmp_path):
    swept = ["model=llama-3.1-8b,llama-3.1-405b", "batch=1,8", "accelerator=h100-sxm,tpu-v4"]
    failed, _ = sweep(tmp_path / "out", *swept, fixed=["context_tokens=750"])
    table = pandas.read_csv(tmp_path / "out" / "results.csv")
    row = table[(table.model == "llama-3.1-8b") & (table.batch == 8) & (table.name == "j_per_token")].iloc[0]
    one = llmpower.estimate("llama-3.1-8b", "h100-sxm", batch=8, prompt_tokens=500, output_tokens=500, software="vllm")
    assert [row.value, row.low, row.high] == pytest.approx([one.j_per_token, one.low.j_per_token, one.high.j_per_token])
    # What does not fit has no number; what the estimator refuses is told with its words.
    assert set(table[table.model == "llama-3.1-405b"].name) == {"missing_bytes"}
    refused = [*csv.DictReader(open(tmp_path / "out" / "failed.csv"))]
    assert failed == len(refused) and {json.loads(one["parameters"])["accelerator"] for one in refused} <= {"tpu-v4"}
    assert "j_per_token" in (tmp_path / "out" / "summary.html").read_text()


def test_only_missing_parts_are_made_and_nothing_partial_has_a_name(tmp_path, monkeypatch):
    monkeypatch.setattr(points, "PART", 100)
    swept = ["batch=1:50:50", "context_tokens=100:9000:20"]
    stopped = store.Store.writing

    def writing(self, name):
        if "part-000006" in name:
            raise OSError("no room")
        return stopped(self, name)

    # A part whose disk is full stops the sweep; the parts that are there stay, under another name.
    monkeypatch.setattr(store.Store, "writing", writing)
    with monkeypatch.context() as patch, pytest.raises(OSError):
        patch.setattr(points.runs, "cluster", lambda scheduler, jobs: _Here())
        patch.setattr(points.runs, "each", _each)
        sweep(tmp_path / "out", *swept)
    assert not (tmp_path / "out" / "points.parquet").exists()
    monkeypatch.setattr(store.Store, "writing", stopped)
    _, told = sweep(tmp_path / "out", *swept)
    assert "1,000 points: 50 batch x 20 context_tokens" in told and "4 of 10 to do" in told
    assert "the same in all: n_accelerators=1, model=llama-3.1-70b" in told
    assert len(pandas.read_parquet(tmp_path / "out" / "points.parquet")) == 1000
    assert "0 of 10 to do" in sweep(tmp_path / "out", *swept)[1]
    # What was done stays where another sweep is refused.
    with pytest.raises(ParameterError, match="it holds a sweep of estimates; name another folder"):
        store.Store(tmp_path / "out").open("tokens-per-watt")
    assert len(pandas.read_parquet(tmp_path / "out" / "points.parquet")) == 1000


class _Here:
    def __enter__(self):
        return self

    def __exit__(self, *error):
        return None


def _each(client, todo, task, say):
    for name, arguments in todo.items():
        yield name, task(*arguments)


def test_what_is_refused_for_two_boards_is_not_for_one(tmp_path):
    """Of Rubin no link between boards is known: an axis of their number once took the single boards with it."""
    swept = ["n_accelerators=1,2", "batch=1,2"]
    failed, _ = sweep(tmp_path / "out", *swept, fixed=["model=llama-3.1-8b", "accelerator=rubin", "context_tokens=500"])
    table = pandas.read_parquet(tmp_path / "out" / "points.parquet")
    assert table[table.n_accelerators == 1].j_per_token.notna().all() and failed == 1
    assert table[table.n_accelerators == 2].j_per_token.isna().all()
    assert "no bandwidth between accelerators" in (tmp_path / "out" / "failed.csv").read_text()


def test_a_disk_that_is_too_small_is_told_first(tmp_path, monkeypatch):
    monkeypatch.setattr(store.shutil, "disk_usage", lambda place: type("Usage", (), {"free": 5e6}))
    with pytest.raises(ParameterError, match=r"5\.00 MB are free, needed are .* \[B\]"):
        sweep(tmp_path / "out", "batch=1:100000:3000", "context_tokens=1:100000:3000")
    assert not (tmp_path / "out" / "points.parquet").exists()


@pytest.mark.parametrize(
    ("swept", "more", "message"),
    [
        (["batch=0,1"], {}, "batch: got '0'; allowed is a whole number from 1"),
        (["pue=1,2"], {}, "pue: no argument of an estimate; it has model"),
        (["bacth=1,2"], {}, "bacth: no argument of an estimate; did you mean batch?"),
        (["software=vlm"], {}, "software: got 'vlm'; did you mean vllm?"),
        (["batch=1,2"], {"columns": ("watts",)}, "columns: got watts; allowed are tokens_per_s"),
    ],
)
def test_what_is_wrong_is_told(tmp_path, swept, more, message):
    with pytest.raises(ParameterError) as found:
        sweep(tmp_path / "out", *swept, **more)
    assert message in str(found.value) and not (tmp_path / "out").exists()


def test_ten_million_points_take_little_memory(tmp_path):
    axes = ["batch=1:100:100", "context_tokens=1:4000:1000", "output_tokens=100:1000:100"]
    command = [sys.executable, "-m", "llmpower", "sweep", "decode-breakdown", "--model-only", "--out", "out"]
    command += [f"--grid={axis}" for axis in axes] + ["-p", "model=llama-3.1-8b", "--columns", "j_per_token"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    done = subprocess.run([*command, "--book", str(BOOK)], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    # The largest of all processes that have ended. [kB]
    most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    assert most == before or most < 1_000_000
    found = pyarrow.parquet.ParquetDataset(tmp_path / "out" / "points.parquet")
    assert sum(part.count_rows() for part in found.fragments) == 10_000_000
    row = found.fragments[10].to_table().slice(123_456, 1).to_pylist()[0]
    one = llmpower.estimate(**{name: value for name, value in row.items() if name != "j_per_token"})
    assert row["j_per_token"] == pytest.approx(one.j_per_token, rel=1e-12)
