"""How numbers, estimates and plans are printed, as text and as JSON."""

import html
import json
import math
import re

import numpy
import pytest

import llmpower
from llmpower import estimate, plan, text
from llmpower.arguments import ParameterError
from llmpower.facts import catalog
from llmpower.ranges import Range
from llmpower.step import constants

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
    assert len(out.splitlines()) <= 45
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
    known = constants.exam_errors(frozenset(["server"]), False)["j_per_token"]
    runs = "measured runs of dense networks, each predicted without its laboratory, with what any server adds"
    assert runs in " ".join(lines.split()) and text.HOW_SURE in " ".join(lines.split())
    assert row("energy per token")[5:8] == [f"{known[name]:.1f}" for name in ("median_pct", "mean_pct", "p90_pct")]
    assert "boundary: accelerators alone; a token is an output token" in lines
    assert "right for answers of one length" in lines


def test_estimate_of_a_machine_that_was_never_fitted_says_so(say):
    _, out, _ = say(
        "estimate qwen3-30b-a3b a100-sxm-40gb --batch 64 --n-accelerators 2 --parallelism ep --boundary facility"
        " --software vllm"
    )
    runs = "measured runs of expert networks, each predicted without its laboratory, with what a machine"
    assert f"{runs} of no fitted run adds" in " ".join(out.split())
    assert "scaled from h100-sxm" in out
    assert "whole experts spread" in out and "rest of the server" in out and "rest of the site" in out
    assert "site factor 1.2" in out and "host scaled with the rating" in out


def test_several_batches_are_a_table(say):
    code, out, _ = say(
        "estimate llama-3.1-70b h100-sxm --n-accelerators 4 --batch 1,64,4096 --output-tokens 400 --prompt-tokens 200"
    )
    assert code == 0
    head, *rows = [line.split() for line in readable(out).splitlines()[6:10]]
    assert head[0] == "batch"
    one = estimate("llama-3.1-70b", "h100-sxm", 4, 64, 200, 400)
    assert rows[1][:4] == ["64", printed(one.tokens_per_s), printed(one.tokens_per_s_per_user), printed(one.power_w)]
    assert rows[1][4:] == [
        printed(one.j_per_token),
        printed(one.low.j_per_token),
        printed(one.high.j_per_token),
        one.bound,
    ]
    # 141.1 GB of weights and 4096 caches of 400 x 327,680 B = 536.9 GB, less 0.9 x 320 GB.
    assert " ".join(rows[2]) == "4,096 - - - - - - does not fit: 390 GB are missing"


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
        "time_between_tokens_s",
        "first_token_s",
        "input_tokens_per_s",
        "j_per_input_token",
        "j_per_total_token",
        "j_per_request",
        "tokens_per_s_per_mw",
        "memory_bytes",
        "utilisation",
        "fitted_shares",
        "bound",
        "energy_by_part",
        "calibration",
        "notes",
        "low",
        "high",
        "validation",
        "validation_marked",
        "unknown",
        "how_sure",
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
    # 35 of the 42 metered runs that are marked are of dense networks: 5 of Qwen3-8B, 5 of Qwen3-32B, 25 of Nemotrons;
    # of the marked public runs 30: 15 of Llama 3.1 8B, 12 of Qwen3-32B on GB200, three of Qwen3-32B in 8 bit.
    marked, clean = (record[name]["tokens_per_s"]["n"] for name in ("validation_marked", "validation"))
    assert marked - clean == 35 + 30


def test_an_estimate_tells_its_error_with_and_without_the_runs_set_aside(say):
    out = say(f"estimate {RUN}")[1]
    clean, marked = (constants.exam_errors(frozenset(["server"]), False, marked=marked) for marked in (False, True))
    # 142 metered dense runs, 35 of whose neighbours they contradict are marked; 340 with a speed, 65 marked.
    rows = {
        "energy per token, 142 runs": clean["j_per_token"],
        "energy per token, with 35 marked ones": marked["j_per_token"],
        "tokens/s, 340 runs": clean["tokens_per_s"],
        "tokens/s, with 65 marked ones": marked["tokens_per_s"],
    }
    for name, row in rows.items():
        told = [f"{row[column]:.1f}" for column in ("median_pct", "mean_pct", "p90_pct")]
        assert [name.split() + told + ["%"]] == [
            line.split() for line in out.splitlines() if line.strip().startswith(name)
        ]
    assert "marked runs contradict their neighbours" in out and "eight in ten of such runs" in out
    assert "set aside" not in say(f"estimate {RUN} --software bare")[1]


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
    assert len(out.splitlines()) <= 50
    assert "10,000,000 queries a day, each with a prompt of 500 and an answer of 500 tokens" in readable(out)
    assert "a copy of Llama-3.1-70B-Instruct on 4 x NVIDIA H100 SXM5 80 GB, bf16 weights: batch 64" in out
    rows = {" ".join(line.split()): line for line in out.splitlines()}
    for words, one, unit in (
        ("speed of one user", found.tokens_per_s_per_user, "tokens/s"),
        ("accelerators", found.n_accelerators, ""),
        ("energy at the mean load", found.j_per_token, "J/token"),
        ("energy of a query", found.wh_per_query, "Wh"),
        ("power to build for", found.site_mw, "MW"),
        ("electricity", found.electricity_usd_per_year, "USD a year"),
        ("carbon dioxide", found.carbon_t_per_year, "t a year"),
        ("water", found.water_m3_per_year, "m3 a year"),
        ("rate of a megawatt", found.tokens_per_s_per_mw, "tokens/s"),
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
    assert record["inputs"]["n_together"] == 4 and record["inputs"]["weight_format"] == "bf16"
    assert "pue" not in {one["name"] for one in record["assumptions"]}
    assert {"name", "value", "low", "high", "unit", "source", "note"} == set(record["assumptions"][0])


@pytest.mark.parametrize(
    ("value", "unit", "printed"),
    [
        (140e9, "B", "140 GB"),
        (10_737_418_240, "B", "10.7 GB"),
        (22.4, "J", "22.4 J"),
        (0.042, "J", "0.0420 J"),
        (536.2, "W", "536 W"),
        (2700e3, "W", "2.70 MW"),
        (0.0418, "s", "41.8 ms"),
        (3.6e6 * 35e6, "Wh", "35.0 GWh"),
        (864, "Wh", "0.240 Wh"),
        (1.75e6, "usd", "1.75 million USD"),
        (4.8e-5, "usd", "0.0000480 USD"),
        (12_000, "kg", "12.0 t"),
        (9e-8, "m", "90.0 nm"),
        (1.5e-15, "J", "1.50 fJ"),
        (0.0595, "V", "59.5 mV"),
        (3.8e9, "Hz", "3.80 GHz"),
        (0, "J", "0 J"),
        (0.998, "%", "99.80 %"),
        (0.5, "%", "50.0 %"),
        (1, "%", "100 %"),
        (1.28, "%", "128 %"),
        (Range(0.978, 0.9945, 0.998), "%", "99.45 % (97.80 to 99.80 %)"),
        (85.9e9, "FLOP", "85.9 GFLOP"),
        (533.33, "1", "533"),
        (32768, "1", "32,768"),
        (float("inf"), "1", "∞"),
        (Range(0.14, 0.41, 0.66), "%", "41.0 % (14.0 to 66.0 %)"),
        (Range(4.36e0, 13.0, 20.0), "J", "13.0 J (4.36 to 20.0 J)"),
        (Range(44.3, 180, float("inf")), "1", "180 (44.3 to ∞)"),
    ],
)
def test_numbers(value, unit, printed):
    assert text.text(value, unit) == printed


def test_a_range_is_printed_on_one_scale():
    assert text.text(Range(0.5e9, 2e9, 4e12), "B") == "2.00 GB (0.500 to 4,000 GB)"


ARRAYS = [
    {"batch": 64, "output_tokens": numpy.array([100, 200]), "prompt_tokens": 50},
    {"batch": numpy.array([1, 8]), "n_accelerators": numpy.array([1, 2])},
    {"batch": numpy.array([[1, 8], [2, 100_000]]), "output_tokens": 100},
    {"context_tokens": numpy.array([0, 1000, 2000]), "draft_tokens": 3, "accepted_tokens": numpy.array([0, 1, 2])},
]


@pytest.mark.parametrize("given", ARRAYS)
def test_arrays_of_any_argument_are_told_run_by_run(given):
    found = estimate("llama-3.1-8b", "h100-sxm", **given)
    table, alone = found.to_frame(), {name: one for name, one in given.items() if not hasattr(one, "shape")}
    runs = numpy.broadcast_arrays(*(one for one in given.values() if hasattr(one, "shape")))
    assert len(table) == runs[0].size
    lines = str(found).partition("\n\n")[2].splitlines()[1 : 1 + len(table)]
    names = [name for name, one in given.items() if hasattr(one, "shape")]
    for row, line, *values in zip(table.to_dict("records"), lines, *map(numpy.ravel, runs)):
        run = alone | dict(zip(names, map(int, values)))
        assert {name: row[name] for name in run} == pytest.approx(run)
        if not row["fits"]:
            assert "does not fit: " in line and math.isnan(row["j_per_token"])
            continue
        one = estimate("llama-3.1-8b", "h100-sxm", **run)
        assert row["j_per_token"] == pytest.approx(one.j_per_token) and printed(one.tokens_per_s) in line.split()
        assert row["j_per_token_high"] == pytest.approx(one.high.j_per_token)
        parts = [value for name, value in row.items() if name in {f"j_per_token_{part}" for part in one.energy_by_part}]
        assert sum(parts) == pytest.approx(one.j_per_token)
    assert "<table>" in found._repr_html_() and html.escape(str(found)) in found._repr_html_()


def test_answers_in_a_notebook_are_tables_and_names_complete_themselves():
    found, service = estimate("llama-3.1-8b", "h100-sxm", batch=8), plan("llama-3.1-8b", "h100-sxm", 1e6, batch=8)
    assert f">{printed(found.j_per_token)}<" in found._repr_html_().replace(" ", "")
    assert f">{printed(service.wh_per_query.central)}<" in service._repr_html_().replace(" ", "")
    rows = service.to_frame().set_index("result")
    assert rows.loc["wh_per_query", "high"] == service.wh_per_query.high and rows.loc["mean_mw", "unit"] == "MW"
    own = llmpower.accelerator({"like": "h100-sxm", "name": "<img src=x onerror=alert(1)>"})
    assert "<img" not in estimate("llama-3.1-8b", own)._repr_html_()
    for one, names in (
        (llmpower, {"estimate", "plan", "model", "decode"}),
        (llmpower.model("qwen3-8b"), {"n_layers", "params_total"}),
        (llmpower.accelerator("h100"), {"tdp_w", "memory_bytes"}),
        (found, {"batch", "software", "j_per_token"}),
        (service, {"wh_per_query", "bill"}),
    ):
        assert names <= set(dir(one)) and all(hasattr(one, name) for name in names)


def test_messages_do_not_echo_what_is_long_and_name_what_is_missing():
    for wrong in ("model", "accelerator", "parallelism", "software", "weight_format"):
        given = {"model": "llama-3.1-8b", "accelerator": "h100-sxm"} | {wrong: "x" * 10_000}
        with pytest.raises(ParameterError) as found:
            estimate(**given)
        assert len(str(found.value)) < 1500
    with pytest.raises(ParameterError, match="model: no model is called 'None'"):
        plan(None, "h100-sxm", 1e6, batch=1)


def test_the_list_of_accelerators_has_all_of_them_and_marks_what_is_second_hand(say):
    code, out, err = say("accelerators")
    assert (code, err) == (0, "")
    lines = {line.split()[0]: line.split() for line in readable(out).splitlines() if line}
    assert set(catalog.names("accelerator")) <= set(lines)
    assert lines["l4"][1:5] == ["24.0", "GB", "300", "GB/s"] and lines["l4"][-2:] == ["31.0", "GB/s*"]
    assert lines["m1"][5:] == ["-"] * 5 and "GB/s*" in lines["m1"]
    (found,) = (one for one in json.loads(say("accelerators --json")[1]) if one["entity"] == "gb200")
    assert (found["accelerators_per_server"], found["link_bytes_per_s"]) == (72, 900e9)
    assert "link_bytes_per_s" in found["second_hand"] and "tdp_w" not in found["second_hand"]


def test_the_list_of_models_has_all_of_them(say):
    code, out, err = say("models")
    assert (code, err) == (0, "")
    lines = {line.split()[0]: line.split() for line in readable(out).splitlines() if line}
    assert set(catalog.names("model")) <= set(lines)
    found = {one["entity"]: one for one in json.loads(say("models --json")[1])}
    # 80 layers x 2 x 8 heads x 128 values x 2 B; 61 layers x (512 + 64) values x 2 B.
    assert found["llama-3.1-70b"]["cache_bytes_per_token"] == 327_680
    assert found["kimi-k2"]["cache_bytes_per_token"] == 70_272
    assert found["qwen3-30b-a3b"]["params_active"] / 1e9 == pytest.approx(3.04, abs=0.01)
    # 30 layers x (32 heads x 128 x 128 + 4 x 8,192) values x 4 B.
    assert found["qwen3.5-35b-a3b"]["state_bytes"] == 30 * (32 * 128 * 128 + 4 * 8192) * 4
