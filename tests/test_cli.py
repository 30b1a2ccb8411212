"""What the commands that need no book print, and what they refuse."""

import inspect
import json
import re
import subprocess
import sys

import pytest

import llmpower
from llmpower import estimate, plan, text
from llmpower.evidence import exam, fit
from llmpower.step import constants
from tests.conftest import BOOK

RUN = "llama-3.1-70b h100-sxm --n-accelerators 4 --batch 64 --prompt-tokens 200 --output-tokens 400"
SERVICE = "llama-3.1-70b h100-sxm --queries-per-day 1e7 --batch 64"


def printed(value):
    return text.three(value)


def readable(text):
    """The text, if its lines are short, and its broken numbers have three significant digits at most."""
    assert max(map(len, text.splitlines())) <= 130
    assert not re.search(r"\bnan\b|\binf\b|\de[+-]?\d|np\.|None", text)
    for number in re.findall(r"\d[\d,]*\.\d+", text):
        assert len(number.replace(".", "").replace(",", "").lstrip("0")) <= 3, number
    return text


def test_estimate_tells_what_a_reader_needs(say):
    code, out, err = say(f"estimate {RUN}")
    assert (code, err) == (0, "")
    found = estimate("llama-3.1-70b", "h100-sxm", 4, 64, 200, 400)
    assert out == str(found) + "\n"
    assert len(out.splitlines()) <= 35
    lines = readable(out)
    assert "Llama-3.1-70B-Instruct on 4 x NVIDIA H100 SXM5 80 GB" in lines
    assert "batch 64, prompt 200, output 400, mean context 400 tokens" in lines

    def row(name):
        return next(line.split() for line in lines.splitlines() if line.strip().startswith(name))

    assert row("speed")[1:] == [*(printed(one.tokens_per_s) for one in (found.low, found, found.high)), "tokens/s"]
    assert row("of one user")[3:] == [
        *(printed(one.tokens_per_s / 64) for one in (found.low, found, found.high)),
        "tokens/s",
    ]
    assert row("power")[1:5] == [*(printed(one.power_w) for one in (found.low, found, found.high)), "W;"]
    assert row("energy")[1:] == [*(printed(one.j_per_token) for one in (found.low, found, found.high)), "J/token"]
    # 1000 tokens at x J each are x / 3.6 Wh.
    assert row("of 1,000 tokens")[4] == printed(found.j_per_token / 3.6) and row("of 1,000 tokens")[-1] == "Wh"
    assert row("weights from memory")[3:] == [
        printed(found.energy_by_part["weights"]),
        printed(100 * found.energy_by_part["weights"] / found.j_per_token),
        "%",
    ]
    shares = [float(line.split()[-2]) for line in lines.partition("J/token\n  w")[2].splitlines()[:5]]
    assert sum(shares) == pytest.approx(100, abs=0.3)
    assert f"a step takes {printed(1000 * found.step_s)} ms, bound by {found.bound}" in lines
    known = constants.errors()[constants.EXAMS["fitted"], "dense", "j_per_token"]
    runs = f"{known['n']:.0f} measured runs of dense networks, each predicted by terms chosen and constants fitted"
    assert f"{runs} without its architecture" in " ".join(lines.split())
    assert row("energy per token")[3:6] == [f"{known[name]:.1f}" for name in ("median_pct", "mean_pct", "p90_pct")]
    assert "boundary: accelerators alone; a token is an output token" in lines
    assert "right for answers of one length" in lines


def test_estimate_of_a_machine_that_was_never_fitted_says_so(say):
    _, out, _ = say("estimate qwen3-30b-a3b a100 --batch 64 --n-accelerators 2 --parallelism ep --boundary facility")
    known = constants.errors()["accelerators", "moe", "tokens_per_s"]
    runs = f"{known['n']:.0f} measured runs of expert networks, each predicted by constants fitted on the other"
    assert f"{runs} accelerator; this one" in " ".join(out.split())
    assert "constants scaled from b200 and h100-sxm" in out
    assert "whole experts spread" in out and "rest of the server" in out and "rest of the site" in out
    assert "site factor 1.2" in out and "host scaled with the rating" in out


def test_several_batches_are_a_table(say):
    code, out, _ = say(
        "estimate llama-3.1-70b h100-sxm --n-accelerators 4 --batch 1,64,4096 --output-tokens 400 --prompt-tokens 200"
    )
    assert code == 0
    head, *rows = [line.split() for line in readable(out).splitlines()[5:9]]
    assert head[0] == "batch"
    one = estimate("llama-3.1-70b", "h100-sxm", 4, 64, 200, 400)
    assert rows[1][:4] == ["64", printed(one.tokens_per_s), printed(one.tokens_per_s_per_user), printed(one.power_w)]
    assert rows[1][4:] == [
        printed(one.j_per_token),
        printed(one.low.j_per_token),
        printed(one.high.j_per_token),
        one.bound,
    ]
    # 141.1 GB of weights and 4096 caches of 400 x 327,680 B = 536.9 GB, less 320 GB.
    assert " ".join(rows[2]) == "4,096 - - - - - - does not fit: 358 GB are missing"


def test_estimate_as_json(say):
    code, out, _ = say(f"estimate {RUN} --boundary facility --json")
    record, found = json.loads(out), estimate("llama-3.1-70b", "h100-sxm", 4, 64, 200, 400, boundary="facility")
    assert code == 0
    # Programs read these names; a new one is fine, a lost one is not.
    assert list(record) == [
        "inputs",
        "fits",
        "missing_bytes",
        "tokens_per_s",
        "tokens_per_s_per_user",
        "power_w",
        "j_per_token",
        "prefill_j_per_token",
        "step_s",
        "bound",
        "energy_by_part",
        "calibration",
        "notes",
        "low",
        "high",
        "validation",
    ]
    for name in ("tokens_per_s", "power_w", "j_per_token", "step_s", "bound", "energy_by_part", "prefill_j_per_token"):
        assert record[name] == getattr(found, name)
    assert sum(record["energy_by_part"].values()) == pytest.approx(record["j_per_token"])
    assert (
        record["low"]["j_per_token"] == found.low.j_per_token
        and record["high"]["tokens_per_s"] == found.high.tokens_per_s
    )
    assert record["inputs"]["boundary"] == "facility" and record["inputs"]["context_tokens"] == 400
    assert record["validation"]["j_per_token"]["median_pct"] > 0


def test_sensitivity_is_told_when_asked_for(say):
    code, out, _ = say(f"estimate {RUN} --sensitivity")
    assert code == 0 and out.startswith(say(f"estimate {RUN}")[1])
    lines = {line.split()[0]: line.split() for line in out.partition("one per cent more of")[2].splitlines()[1:]}
    # From two estimates one per cent apart, with the context held.
    one, more = (
        estimate("llama-3.1-70b", "h100-sxm", 4, batch, 200, 400, context_tokens=400) for batch in (63.68, 64.32)
    )
    assert float(lines["batch"][1]) == pytest.approx(100 * (more.j_per_token / one.j_per_token - 1), abs=0.02)
    assert float(lines["batch"][3]) == pytest.approx(100 * (more.tokens_per_s / one.tokens_per_s - 1), abs=0.02)
    assert "link_energy_j_per_byte" not in lines
    record = json.loads(say(f"estimate {RUN} --sensitivity --json")[1])
    assert record["elasticities"]["j_per_token"]["batch"] == pytest.approx(float(lines["batch"][1]), abs=0.005)
    assert say("estimate llama-3.1-8b h100-sxm --batch 1,2 --sensitivity")[0] == 2


def test_json_has_nothing_where_there_is_no_number(say):
    record = json.loads(
        say("estimate llama-3.1-70b h100-sxm --n-accelerators 4 --batch 1,4096 --context-tokens 400 --json")[1]
    )
    assert record["fits"] == [True, False]
    assert record["j_per_token"][0] > 0 and record["j_per_token"][1] is None
    assert record["inputs"]["output_tokens"] is None


def test_plan_tells_what_a_planner_needs(say):
    code, out, err = say(f"plan {SERVICE}")
    assert (code, err) == (0, "")
    found = plan("llama-3.1-70b", "h100-sxm", 1e7, batch=64)
    assert out == str(found) + "\n"
    assert len(out.splitlines()) <= 45
    assert "10,000,000 queries a day, each with a prompt of 500 and an answer of 500 tokens" in readable(out)
    assert "a copy of Llama-3.1-70B-Instruct on 2 x NVIDIA H100 SXM5 80 GB, bf16 weights: batch 64" in out
    rows = {" ".join(line.split()): line for line in out.splitlines()}
    for words, one, unit in (
        ("speed of one user", found.tokens_per_s_per_user, "tokens/s"),
        ("accelerators", found.n_accelerators, ""),
        ("energy with machines that wait", found.j_per_token, "J/token"),
        ("energy of a query", found.wh_per_query, "Wh"),
        ("power to build for", found.site_mw, "MW"),
        ("electricity", found.electricity_usd_per_year, "USD a year"),
        ("carbon dioxide", found.carbon_t_per_year, "t a year"),
        ("water", found.water_m3_per_year, "m3 a year"),
    ):
        assert f"{words} {printed(one.low)} {printed(one.central)} {printed(one.high)} {unit}".strip() in rows
    for one in found.assumptions:
        assert f"  {one.name} " in out
    assert "pue 1.20 1.10 to 1.30 GPT-4o, typical query (Epoch AI) [epoch2025sheet]" in rows


def test_a_small_service_is_told_in_small_units(say):
    lines = [
        " ".join(line.split())
        for line in say("plan llama-3.1-8b h100-sxm --queries-per-day 10 --batch 8")[1].splitlines()
    ]
    found = plan("llama-3.1-8b", "h100-sxm", 10, batch=8)
    # One server of eight: (8 x 700 W + 2150 W) x 1.2 = 9.3 kW.
    assert (
        f"power to build for {printed(1000 * found.site_mw.low)} 9.30 {printed(1000 * found.site_mw.high)} kW" in lines
    )
    assert any(line.startswith("energy ") and line.endswith(" MWh a year") for line in lines)


def test_plan_as_json(say):
    code, out, _ = say(f"plan {SERVICE} --pue 1.1 --json")
    record, found = json.loads(out), plan("llama-3.1-70b", "h100-sxm", 1e7, batch=64, pue=1.1)
    assert code == 0
    for name in (
        "tokens_per_s_per_user",
        "tokens_per_s",
        "j_per_token_at_work",
        "j_per_token",
        "wh_per_query",
        "n_accelerators",
        "n_servers",
        "site_mw",
        "mean_mw",
        "energy_gwh_per_year",
        "electricity_usd_per_year",
        "carbon_t_per_year",
        "water_m3_per_year",
    ):
        one = getattr(found, name)
        assert record[name] == {"low": one.low, "central": one.central, "high": one.high}
    assert record["inputs"]["n_together"] == 2 and record["inputs"]["weight_format"] == "bf16"
    assert "pue" not in {one["name"] for one in record["assumptions"]}
    assert {"name", "value", "low", "high", "unit", "source", "note"} == set(record["assumptions"][0])


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("estimate lama-3.1-70b H10 --batch=-1,nan --output-tokens zero --boundary site --kv-format fp3", [
            "6 problems", "model: no model", "accelerator: no acc", "batch: got -1.0 among 2 values; allowed",
            "output_tokens: got 'zero'", "boundary: got 'site'", "kv_format: no format",
        ]),
        ("estimate llama-3.1-70b h100-sxm --batch 1e9", ["got 1000000000.0; allowed is a number from 1 to 1,000,000"]),
        ("estimate llama-3.1-70b h100-sxm --batch 1,two", ["batch: got [1.0, 'two']; allowed"]),
        ("estimate llama-3.1-70b h100-sxm --batch 64", ["misses 61.1 GB on 1 x h100-sxm; 2 would do"]),
        ("estimate llama-3.1-8b a100 --weight-format fp8", ["weight_format: a100-sxm-80gb has no rate for fp8"]),
        ("plan llama-3.1-70b h100-sxm --queries-per-day 0 --batch 8 --pue 0.5 --max-load x", [
            "3 problems", "queries_per_day: got 0.0; ", "pue: got 0.5; ", "max_load: got 'x'; ",
        ]),
        ("plan llama-3.1-70b h100-sxm --queries-per-day 1e6", ["batch, tokens_per_s_per_user: give one of them"]),
        ("plan llama-3.1-70b h100-sxm --queries-per-day 1e6 --tokens-per-s-per-user 5000", [
            "tokens_per_s_per_user: got 5,000; 8 x h100-sxm give a user",
        ]),
        ("plan llama-3.1-70b h100-sxm --batch 8", ["--queries-per-day"]),
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
        "--queries-per-day X queries the service answers [1 to 1e+13 1/day] --",
        "--kv-format FORMAT number format of the key-value cache [bf16, fp16,",
        "--parallelism tp|ep tp cuts",
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
    known = constants.errors()["architectures", "all", "j_per_token"]
    row = [
        "architectures",
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
    assert len(blocks) == 2
    for line, shown in blocks:
        code, out, _ = say(line)
        missing = [one for one in shown.splitlines() if one not in (*out.splitlines(), "…")]
        assert code == 0 and not missing, f"`llmpower {line}` prints something else: {missing}"


def test_a_pipe_that_closes_early_is_no_error():
    command = f"{sys.executable} -m llmpower plan {SERVICE}"
    with subprocess.Popen(command.split(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.close()
        assert process.stderr.read() == ""


def test_help_names_what_counts_where_nothing_is_given(say):
    code, printed, _ = say("estimate --help")
    printed = " ".join(printed.split())
    left_open = llmpower.case("llama-3.1-8b", "h100-sxm", prompt_tokens=300, output_tokens=100)
    assert code == 0 and left_open.context_tokens == 350 and "(default: prompt + output / 2)" in printed
    assert printed.count(f"(default: {left_open.kv_format.entity})") == 2
    assert f"(default: {left_open.parallelism})" in printed
