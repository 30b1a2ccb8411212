"""What the commands that need no book refuse, what their help tells, and what they load."""

import inspect
import re
import subprocess
import sys

import pytest

import llmpower
from llmpower.evidence import exam, fit
from llmpower.step import constants
from tests.conftest import BOOK


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("estimate lama-3.1-70b H10 --batch=-1,nan --output-tokens zero --boundary site --kv-format fp3", [
            "6 problems", "model: no model", "accelerator: no acc", "batch: got -1.0 among 2 values; allowed",
            "output_tokens: got 'zero'", "boundary: got 'site'", "kv_format: no format",
        ]),
        ("estimate llama-3.1-70b h100-sxm --batch 1e9", ["got 1000000000.0; allowed is a number from 1 to 1,000,000"]),
        ("estimate llama-3.1-70b h100-sxm --batch 1,two", ["batch: got [1.0, 'two']; allowed"]),
        # 141.1 GB, and 64 x 750 tokens x 2 x 8 heads x 128 x 80 layers x 2 B = 15.7 GB, less 80 GB.
        ("estimate llama-3.1-70b h100-sxm --batch 64", ["misses 84.8 GB on 1 x h100-sxm; 4 would do"]),
        ("estimate llama-3.1-8b a100 --weight-format fp8", ["weight_format: a100-sxm-80gb has no rate for fp8"]),
        ("plan llama-3.1-70b h100-sxm --queries-per-day 0 --batch 8 --pue 0.5 --max-load x", [
            "3 problems", "queries_per_day: got 0.0; ", "pue: got 0.5; ", "max_load: got 'x'; ",
        ]),
        ("plan llama-3.1-70b h100-sxm --queries-per-day 1e6", ["batch, tokens_per_s_per_user: give one of them"]),
        ("plan llama-3.1-70b h100-sxm --queries-per-day 1e6 --tokens-per-s-per-user 5000", [
            "tokens_per_s_per_user: got 5,000; 8 x h100-sxm give a user",
        ]),
        ("plan llama-3.1-70b h100-sxm --batch 8", ["queries_per_day, users_at_once: give one of them"]),
    ],
)  # fmt: skip
def test_wrong_arguments(say, line, said):
    code, out, err = say(line)
    assert (code, out) == (2, "")
    for words in said:
        assert words in err


def test_the_help_tells_what_is_allowed_and_what_holds_unless_given(say):
    text = " ".join(say("plan --help")[1].split())
    for told in (
        "price of electricity [0.0001 to 10 usd/kWh] (default: 0.0861, US industrial customers, 2025)",
        "--accelerators-per-server N accelerators in a server [1 to 10,000] (default: 8, NVIDIA DGX H100",
        "--queries-per-day X queries the service answers [1 to 1e+13 1/day] (default: what --users-at-once needs)",
        "--kv-format FORMAT number format of the key-value cache [bf16, fp16,",
        "--parallelism tp|ep|dp|pp tp cuts",
        "such as llama-3.1-70b",
        "example",
    ):
        assert told in text
    text = " ".join(say("estimate --help")[1].split())
    assert "--batch N[,N] sequences decoded together [1 to 1,000,000]; several print a table (default: 1)" in text
    assert "how far the energy is counted (default: accelerators)" in text


@pytest.mark.parametrize("command", ["estimate", "plan"])
def test_every_argument_is_an_option_and_no_default_is_unknown(say, command):
    text = say(f"{command} --help")[1]
    for name in inspect.signature(getattr(llmpower, command)).parameters:
        assert name.upper() in text or f"--{name.replace('_', '-')} " in text
    assert "default: none)" not in text and "None" not in text


def loaded(line, *modules):
    """Exit code of a command in a process of its own, and which of some modules it had to load."""
    code = (
        "import shlex, sys, llmpower.cli as cli\n"
        f"try: code = cli.main(shlex.split({line!r}))\n"
        "except SystemExit as ended: code = ended.code\n"
        f"print(code, [name for name in {modules!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[-1]


def test_help_needs_no_numerics():
    assert loaded("--help", "numpy", "scipy", "nbformat", "pandas") == "0 []"


def test_wrong_arguments_are_told_without_the_books_software():
    assert loaded("estimate x y", "papermill", "nbformat") == "2 []"


def test_calibrate_shows_progress_and_errors(say, monkeypatch):
    monkeypatch.chdir(BOOK)
    monkeypatch.setattr(fit, "calibrate", lambda tell: tell("[1/2] half way"))
    monkeypatch.setattr(exam, "write_predictions", lambda tell: tell("[2/2] held out"))
    code, out, _ = say("calibrate")
    assert code == 0
    lines = out.splitlines()
    assert "this takes minutes" in lines[0] and lines[1:3] == ["[1/2] half way", "[2/2] held out"]
    known = constants.errors()["architecture", "all", "j_per_token"]
    row = [
        "architecture",
        "all",
        "j_per_token",
        *(f"{known[name]:.1f}" for name in ("median_pct", "mean_pct", "p90_pct")),
        "%",
    ]
    assert row in [line.split() for line in lines]
    assert lines[-1] == "wrote data/calibration.csv, accuracy.csv, predictions.csv and studies.csv"


def test_calibrate_needs_the_checkout_it_belongs_to(say, monkeypatch, tmp_path):
    for part, name in ((fit, "calibrate"), (exam, "write_predictions")):
        monkeypatch.setattr(part, name, lambda tell: pytest.fail("began to fit"))
    monkeypatch.chdir(tmp_path)
    code, out, err = say("calibrate")
    assert (code, out) == (2, "") and "--book DIR" in err
    for name in ("chapters", "data"):
        (tmp_path / name).mkdir()
    (tmp_path / "_toc.yml").write_text("")
    code, out, err = say("calibrate")
    assert (code, out) == (2, "") and "reads another folder" in err


def test_the_readme_shows_what_the_commands_print(say):
    text = (BOOK / "README.md").read_text(encoding="utf-8").partition("## Ask it")[2].partition("\n## ")[0]
    blocks = re.findall(r"```\n\$ \S*llmpower (.*?)\n(.*?)```", text, re.DOTALL)
    assert len(blocks) == 1
    for line, shown in blocks:
        code, out, _ = say(line)
        missing = [one for one in shown.splitlines() if one not in (*out.splitlines(), "…")]
        assert code == 0 and not missing, f"`llmpower {line}` prints something else: {missing}"


def test_a_pipe_that_closes_early_is_no_error():
    command = f"{sys.executable} -m llmpower plan llama-3.1-8b h100-sxm --queries-per-day 1e6 --batch 64"
    with subprocess.Popen(command.split(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.close()
        assert process.stderr.read() == ""


def test_help_names_what_counts_where_nothing_is_given(say):
    code, printed, _ = say("estimate --help")
    printed = " ".join(printed.split())
    left_open = llmpower.case("llama-3.1-8b", "h100-sxm", prompt_tokens=300, output_tokens=100)
    assert code == 0 and left_open.context_tokens == 350 and "(default: prompt + output / 2)" in printed
    assert printed.count(f"(default: {left_open.kv_format.entity})") == 2
    assert f"(default: {left_open.parallelism}, under llama.cpp pp)" in printed
