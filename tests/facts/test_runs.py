"""Measured runs: their contract, and rows read again in their sources."""

import datetime
import re
from types import SimpleNamespace

import numpy as np
import pytest
from pybtex.database import parse_file

from llmpower.book.fresh import forget
from llmpower.facts import catalog, tables
from llmpower.facts.runs import POWER_KINDS, in_fit, measured, measurements, pairs, power_runs, seen_in_fit, server

TABLES = ["measurements.csv", "validation.csv", "server_runs.csv"]


@pytest.fixture(scope="module", params=TABLES)
def runs(request):
    return measurements(request.param)


def test_ids_are_unique(runs):
    assert len(set(runs["id"])) == len(runs["id"])


def test_power_is_energy_times_speed(runs):
    given = np.isfinite(runs["power_w"]) & np.isfinite(runs["j_per_token"]) & np.isfinite(runs["tokens_per_s"])
    # Public runs of servers have no watts.
    assert given.any() != ("kv_format" in runs)
    assert runs["power_w"][given] == pytest.approx((runs["j_per_token"] * runs["tokens_per_s"])[given], rel=0.01)


def test_names_are_those_of_the_other_tables(runs):
    assert set(runs["model"]) <= set(catalog.names("model"))
    assert {*runs["weight_format"], *runs.get("kv_format", ())} <= set(catalog.names("format"))
    unknown = set(runs["accelerator"]) - set(catalog.names("accelerator"))
    assert unknown <= {"rtx-6000-ada"}, "add them to data/accelerators.csv"


def test_sources_are_in_the_bibliography(runs):
    library = set(parse_file(tables.DATA / "references.bib").entries)
    assert set(runs["source"]) <= library


def test_splits_divide_the_accelerators(runs):
    for way in ("tensor_parallel", "expert_parallel"):
        assert all(runs["n_accelerators"] % runs[way] == 0)


def test_power_stays_below_the_rating(runs):
    # The roof of the estimator; measured sums may exceed it by the error of the sensor.
    for name, watts, count in zip(runs["accelerator"], runs["power_w"], runs["n_accelerators"]):
        if np.isfinite(watts):
            assert 0.05 < watts / count / catalog.accelerator(name).tdp_w < 1.05


def test_held_out_runs_were_seen_and_are_not_fitted_to():
    fitted, held = measurements(), measurements("validation.csv")
    assert not set(fitted["id"]) & set(held["id"])
    points = [set(zip(one["model"], one["accelerator"], one["n_accelerators"])) for one in (fitted, held)]
    assert not points[0] & points[1], "a network on a machine that the fit has seen"
    assert all(held["verified"]) and all(held["where"]) and all(held["lacks"])
    today = datetime.date.today()
    assert all(datetime.date.fromisoformat(day) <= today for day in held["verified"])


SERVERS = measurements("server_runs.csv")
SERVER_RUNS = [SimpleNamespace(**dict(zip(SERVERS, row))) for row in zip(*SERVERS.values())]


def test_server_runs_were_seen_and_are_in_no_fit_and_no_exam():
    assert not set(SERVERS["id"]) & {run.id for run in measured()}
    assert all(SERVERS["verified"]) and all(SERVERS["where"]) and all(SERVERS["lacks"])
    assert {name.split()[0] for name in SERVERS["software"]} == {"vllm", "trtllm", "sglang", "llama.cpp"}


def test_an_unmarked_server_run_fits_into_its_boards_and_is_no_faster_than_they_read_its_caches():
    # By hand for one that is marked: Qwen3-32B has 2 x 64 layers x 8 heads x 128 = 131,072 cached values a token, at
    # two bytes 0.262 MB; 48 requests of 4,500 tokens are 56.6 GB. With 32.8 GB of weights 89.4 GB at 2 x 3.35 TB/s:
    # 13.3 ms, published 11.6 ms. Mixtures read a part of their weights, so theirs must fit only.
    beyond = set()
    for run in (run for run in SERVER_RUNS if not catalog.model(run.model).n_experts):
        net, machine = catalog.model(run.model), catalog.accelerator(run.accelerator)
        size = {name: catalog.number_format(name).bytes_per_value for name in (run.weight_format, run.kv_format)}
        token = 2 * net.n_layers * net.n_kv_heads * net.head_dim * size[run.kv_format]
        held = run.batch * (run.prompt_tokens + run.stationary_context_tokens) * token
        needed = net.params_total * size[run.weight_format] + held
        fits = needed < run.n_accelerators * machine.memory_bytes
        reads = needed / (run.n_accelerators * machine.memory_bandwidth_bytes_per_s) < run.batch / run.tokens_per_s
        beyond |= {run.id} if not (fits and reads) else set()
        assert (fits and reads) or run.anomaly, run.id
    assert beyond == {"nvidia-silicon-0094", "nvidia-silicon-0107", "nvidia-silicon-0109"}
    mixtures = [run for run in SERVER_RUNS if catalog.model(run.model).n_experts]
    for run in mixtures:
        weights = catalog.model(run.model).params_total * catalog.number_format(run.weight_format).bytes_per_value
        memory = run.n_accelerators * catalog.accelerator(run.accelerator).memory_bytes
        assert (weights < memory) != run.anomaly.startswith("weights alone exceed"), run.id


def test_times_of_a_server_run_go_together():
    # A token takes a step, so each request writes at most one in the time between two; prompts and waiting come on top.
    for run in (run for run in SERVER_RUNS if np.isfinite(run.median_itl_ms) and not run.anomaly):
        assert 0.39 < run.tokens_per_s * run.median_itl_ms / 1000 / run.batch < 1.02, run.id


# Read again in their sources: the package's table, the pages, their commands.
SERVERS_SEEN = {
    # 32 x 512 / (0.298667 s + 0.0225540 s x 511) = 1,385.7
    "nvidia-silicon-0001": ("qwen3-235b-a22b", "fp8", "h100-sxm", 4, "trtllm 1.0.0rc3", 32, 128, 512, 1385.69),
    # 320 x 1000 / (1.27545 s + 0.0475839 s x 999) = 6,555.8
    "nvidia-silicon-0163": ("gpt-oss-120b", "mxfp4", "h100-sxm", 4, "trtllm 1.3.0rc1", 320, 4000, 1000, 6555.8),
    # 0.9 x 1024 and 0.9 x 8192 tokens; 4 x 7372.8 / (0.0719311 s + 0.00984383 s x 7371.8) = 406.0
    "inferencex-silicon-0352": ("llama-3.1-70b", "fp8", "b200", 2, "trtllm", 4, 921.6, 7372.8, 406.0),
    # 128 x 2048 tokens in 117.027 s
    "rocm-vllm-docker-0024": ("llama-3.1-405b", "fp8", "mi300x", 8, "vllm 0.10.0 rocm6.4.1", 128, 128, 2048, 2240.03),
    # 80 requests, 39668 tokens of prompts and 40805 written
    "sglang-cookbook-0002": ("llama-3.1-70b", "bf16", "a100-sxm-80gb", 8, "sglang 0.5.6", 13.47, 495.9, 510.1, 513.48),
    # 2.26 requests a second of 6.08915 s each: 13.76 at once
    "sglang-cookbook-0008": ("llama-4-scout", "bf16", "mi300x", 8, "sglang 0.5.9", 13.76, 495.9, 510.1, 1152.47),
    "gpustack-lab-0005": ("qwen3-8b", "fp8", "h100-sxm", 1, "sglang 0.5.3.post3", 4, 232.6, 220.6, 657.83),
    "spark-vllm-0006": ("gpt-oss-120b", "mxfp4", "dgx-spark", 1, "vllm mxfp4 branch, eager", 32, 0, None, 318.7),
    "spark-llamacpp-0002": ("gpt-oss-20b", "mxfp4", "dgx-spark", 1, "llama.cpp b6767", 1, 0, None, 74.63),
}


@pytest.mark.parametrize("name", SERVERS_SEEN)
def test_server_runs_read_again_in_their_source(name):
    (run,) = [run for run in SERVER_RUNS if run.id == name]
    *words, batch, prompt, output, speed = SERVERS_SEEN[name]
    assert [run.model, run.weight_format, run.accelerator, run.n_accelerators, run.software] == words
    assert (run.batch, run.prompt_tokens, run.tokens_per_s) == (batch, prompt, pytest.approx(speed, rel=1e-5))
    assert np.isnan(run.output_tokens) if output is None else run.output_tokens == output


def test_a_number_that_is_none_is_named(tmp_path, monkeypatch):
    text = (tables.DATA / "measurements.csv").read_text()
    (tmp_path / "measurements.csv").write_text(re.sub(r"419\.171", "many", text, count=1))
    monkeypatch.setattr(tables, "DATA", tmp_path)
    with pytest.raises(tables.FactError, match="measurements.csv, line 2, column tokens_per_s: expected a number"):
        measurements()


def test_a_table_is_read_again_when_it_changed_and_only_then(tmp_path, monkeypatch):
    first = measurements()
    first["id"].clear()
    first["tokens_per_s"][:] = 0
    again = measurements()
    assert len(again["id"]) == len(again["tokens_per_s"]) and again["tokens_per_s"].all(), "what one has is one's own"
    text = (tables.DATA / "measurements.csv").read_text()
    (tmp_path / "measurements.csv").write_text(re.sub(r"419\.171", "419.5", text, count=1))
    monkeypatch.setattr(tables, "DATA", tmp_path)
    (changed,) = np.flatnonzero(measurements()["tokens_per_s"] != again["tokens_per_s"])
    assert measurements()["tokens_per_s"][changed] == 419.5
    lines = list(tables.rows("measurements.csv"))
    assert all(one is other for one, other in zip(lines, tables.rows("measurements.csv"), strict=True))


# Read again in the leaderboard's pages and in Argonne's table: model, accelerators, max_batch -> W, J/token, tokens/s.
SEEN = {
    ("qwen3-8b", "h100-sxm", 1, "lm-arena-chat", 512): (615.5932690290543, 0.07212917800029628, 8534.59426678238),
    ("qwen3-8b", "b200", 1, "lm-arena-chat", 8): (646.3385532103331, 0.43039510958494537, 1501.7330327791929),
    ("llama-3.1-8b", "h100-sxm", 1, "lm-arena-chat", 128): (669.2439022030471, 0.09510991243206074, 7036.531577937304),
    ("llama-3.1-70b", "h100-sxm", 4, "lm-arena-chat", 1024): (2547.51808188361, 0.3731420112064737, 6827.207887009997),
    ("qwen3-235b-a22b", "h100-sxm", 8, "gpqa", 128): (3918.0969655339563, 1.3846291846315368, 2829.7084945357406),
    ("gpt-oss-120b", "h100-sxm", 2, "gpqa", 1024): (1138.9522207481266, 0.09540020046199459, 11938.677437075836),
    ("qwen3-coder-30b-a3b", "b200", 1, "sourcegraph-fim", 1024): (
        964.9797751714376,
        0.11189398044252594,
        8624.054407172483,
    ),
    ("qwen3-coder-30b-a3b", "h100-sxm", 2, "sourcegraph-fim", 768): (
        1188.195790433295,
        0.2003523504187493,
        5930.530827064866,
    ),
    ("gpt-oss-20b", "b200", 1, "gpqa", 2048): (646.0116180331404, 0.029096299281516816, 22202.53551088244),
    ("qwen3-14b", "b200", 1, "lm-arena-chat", 1024): (932.265569899849, 0.06194408549009, 15050.114349480478),
    ("llama-4-scout", "h100-sxm", 8, "lm-arena-chat", 96): (2932.5972254129206, 0.9636148081503074, 3043.329347586661),
    ("llama-3.1-405b", "b200", 4, "lm-arena-chat", 512): (3883.077089471107, 1.1466946288350555, 3386.3218609613477),
    ("qwen3-coder-480b-a35b", "b200", 4, "sourcegraph-fim", 64): (
        3847.1798745797246,
        5.333480642019776,
        721.3263031780325,
    ),
}


# Our own power runs

OURS = power_runs()


def test_power_runs_are_told_apart():
    assert len({run.id for run in OURS}) == len(OURS) == 95 + 144
    assert {run.kind for run in OURS} == set(POWER_KINDS)
    # The letters of a run's name stand for its board.
    assert {(run.id.partition("-")[0], run.board) for run in OURS} == {
        ("h100", "H100 board 1"), ("h100b", "H100 board 2"), ("h100c", "H100 board 3"), ("h200", "H200 board 1"),
        ("h100d", "H100 of 2026-11-27"),
        ("h200d", "H200 of 2026-11-27, first"), ("h200e", "H200 of 2026-11-27, second"),
    }  # fmt: skip


def test_power_runs_are_of_machines_and_formats_of_the_other_tables():
    for run in OURS:
        assert run.power_w > 0 and run.date == ("2026-11-27" if "2026-11-27" in run.board else "2026-11-26")
        assert not run.weight_format or run.weight_format in catalog.names("format")
        machine = catalog.accelerator(run.accelerator)
        # A mean over two seconds: no board draws more than its rating by more than the error of the counter.
        assert 0.09 < run.power_w / machine.tdp_w < 1.01
        assert (run.memory_bytes_per_s or 0) < machine.memory_bandwidth_bytes_per_s
        peak = machine.dense_fp8_flop_per_s if run.weight_format == "fp8" else machine.dense_bf16_flop_per_s
        assert (run.flop_per_s or 0) < peak


def test_rates_of_power_runs_go_together():
    steps = [run for run in OURS if run.kind in ("decode", "prefill")]
    assert len(steps) == 17 + 14 + 8  # of the first, second and third H100 board
    for run in steps:
        tokens = run.batch * (run.context_tokens if run.kind == "prefill" else 1)
        assert run.tokens_per_s == pytest.approx(run.steps_per_s * tokens, rel=1e-3), run.id
        assert run.j_per_token == pytest.approx(run.power_w / run.tokens_per_s, rel=1e-3), run.id


def test_runs_of_the_second_day_say_in_words_what_their_columns_say():
    for run in (run for run in OURS if run.kind == "rows"):
        rows, _, inputs, _, outputs = run.what.partition("by rows, ")[2].partition(",")[0].split()
        assert run.batch == int(rows) and run.what.startswith(run.weight_format)
        # Two operations a weight and row, and each weight is read once: 2 bytes in bf16, 1 in fp8.
        weights_per_s = run.memory_bytes_per_s / {"bf16": 2, "fp8": 1}[run.weight_format]
        assert run.flop_per_s == pytest.approx(2 * run.batch * weights_per_s, rel=1e-4)
        assert int(inputs) * int(outputs) in (8192 * 8192, 14336 * 4096)
    for run in (run for run in OURS if run.kind == "eager"):
        assert run.batch == int(run.what.partition("batch ")[2].partition(",")[0])
        assert run.steps_per_s == pytest.approx(run.tokens_per_s / run.batch, rel=1e-3)
        assert ("captured" in run.what) == run.software.endswith(", captured graphs")


def test_a_new_length_costs_an_eager_step_some_50_ms_where_attention_is_planned():
    """Milliseconds of a step by hand, as 1,000 over the steps a second of the file."""
    runs = {run.what.partition("generate eagerly, ")[2]: run for run in OURS if run.board == "H100 of 2026-11-27"}
    for what, planned_ms, plain_ms in (
        ("Llama-3.1-8B shape, 32 layers, batch 1", 94.67, 32.80),
        ("Qwen3-1.7B shape, 28 layers, batch 1", 80.29, 42.69),
        ("Llama-3.2-1B shape, 16 layers, batch 1", 66.84, 17.82),
        ("Llama-3.1-8B shape, 8 layers, batch 1", 72.14, 16.08),
    ):
        assert 1000 / runs[what].steps_per_s == pytest.approx(planned_ms, abs=0.01)
        assert 1000 / runs[f"{what}, no cuDNN attention"].steps_per_s == pytest.approx(plain_ms, abs=0.01)
        # One plan took 47.1 ms apart; the host varies by a third.
        assert 35 < planned_ms - plain_ms < 65


@pytest.mark.parametrize(
    "board, step_ms, rested_w",
    [
        ("H200 of 2026-11-27, first", 5.11, (285.11, 204.29, 157.52)),
        ("H100 of 2026-11-27", 6.59, (285.85, 207.99, 161.79)),
    ],
)
def test_a_board_that_waits_for_its_host_draws_what_it_draws_with_clocks_up(board, step_ms, rested_w):
    runs = {run.what: run for run in OURS if run.board == board and run.kind == "waiting"}
    up_w = runs["clocks up, nothing queued"].power_w
    step = "step of the 8B network in bf16, batch 1, then the host waits {} times " + f"{step_ms} ms"
    full = runs[step.format(0)]
    for times, watts in zip((1, 3, 9), rested_w):
        run = runs[step.format(times)]
        assert run.power_w == watts
        # The board works while a step of the full run lasts, and waits for the rest.
        share = run.steps_per_s / full.steps_per_s
        assert watts == pytest.approx(up_w + share * (full.power_w - up_w), rel=0.02)


def test_a_power_run_says_in_words_what_its_columns_say():
    for run in (run for run in OURS if run.kind == "decode"):
        words = run.what.replace(",", "").split()
        assert run.batch == int(words[words.index("batch") + 1]) and run.weight_format in words
        if "plain" not in words:
            assert run.context_tokens == int(words[words.index("context") + 1])
        assert (run.repeat_rest is not None) == ("rest" in words)
    for run in (run for run in OURS if run.programs):
        assert run.what.endswith(f", {run.programs:.0f} programs")


def test_power_runs_with_what_is_no_such_thing_are_refused(data):
    path = data / "power_runs.csv"
    whole = path.read_text()
    for wrong, told in (
        (",404.03,", "power_w: expected a number above zero"),
        (",decode,decode 8B bf16 batch 1 context 1024,", "kind: expected "),
    ):
        put = {",404.03,": ",-404.03,"}.get(wrong, ",sleep,decode 8B bf16 batch 1 context 1024,")
        path.write_text(whole.replace(wrong, put, 1))
        forget()
        with pytest.raises(tables.FactError, match=f"power_runs.csv, line 28, column {told}"):
            power_runs()


@pytest.mark.parametrize("run", SEEN, ids=lambda run: f"{run[0]}-{run[1]}-{run[4]}")
def test_rows_read_again_in_their_source(run):
    fitted, held = measurements(), measurements("validation.csv")
    runs = {name: [*fitted[name], *held[name]] for name in fitted}
    columns = ("model", "accelerator", "n_accelerators", "task", "max_batch")
    rows = [row for row, key in enumerate(zip(*(runs[name] for name in columns))) if key == run]
    shown = [tuple(float(runs[name][row]) for name in ("power_w", "j_per_token", "tokens_per_s")) for row in rows]
    assert any(one == pytest.approx(SEEN[run], rel=1e-5) for one in shown)


def test_pairs_differ_in_one_thing():
    def eight_bits(run):
        return (
            run.model == "qwen3-235b-a22b"
            and run.accelerator == "b200"
            and run.n_accelerators == 4
            and run.max_batch == 8
        )

    same = ("model", "accelerator", "n_accelerators", "tensor_parallel", "task", "software", "max_batch")
    [(wide, narrow)] = pairs(
        [run for run in measured() if eight_bits(run) and run.task == "gpqa"], "weight_format", same
    )
    assert (wide.weight_format, narrow.weight_format) == ("bf16", "fp8")
    # mlenergy_v3-0010 and its twin: 9.25786 J over 6.02760 J a token.
    assert narrow.j_per_token / wide.j_per_token == pytest.approx(9.25786 / 6.02760, rel=1e-5)
    # Llama-3-8B on five machines and Llama-3-70B on one in both formats: six pairs of two runs.
    gguf = pairs([run for run in measured() if run.software.startswith("llama.cpp")], "weight_format", same)
    assert len(gguf) == 6 and {narrow.weight_format for _, narrow in gguf} == {"q4_k_m"}


def test_pairs_are_neighbours_and_twins_count_twice():
    made = [SimpleNamespace(n=n, task=task) for n, task in ((2, "a"), (8, "a"), (4, "a"), (4, "a"), (1, "b"))]
    assert [(one.n, other.n) for one, other in pairs(made, "n", ("task",))] == [(2, 4), (2, 4), (4, 8), (4, 8)]


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("vllm-0.11.1", "vllm"), ("vllm mxfp4 branch, eager", "vllm"), ("sglang 0.5.6.post2", "sglang"),
        ("trtllm 1.2.0rc2.post2", "trtllm"), ("TensorRT-LLM 0.20", "trtllm"), ("llama.cpp b6767", "llama.cpp"),
        ("deepspeed-mii-2024", "deepspeed-mii-2024"),
    ],
)  # fmt: skip
def test_a_server_is_known_by_its_words(words, name):
    assert server(words) == name


def test_constants_are_fitted_to_servers_of_today_that_are_not_marked():
    assert in_fit("vllm 0.10.2", "") and in_fit("trtllm", "")
    assert not in_fit("vllm 0.10.2", "slower than on an older board")
    assert not in_fit("vllm-2024", "") and not in_fit("tensorrt-llm-2024", "") and not in_fit("llama.cpp b6767", "")


def test_what_the_fit_has_seen():
    """Watts were metered on two boards; public speeds add others, and the older runs of 2024 none."""
    assert seen_in_fit("accelerator", metered=True) == {"h100-sxm", "b200"}
    more = {"h200-sxm", "mi300x", "a100-sxm-80gb", "gb200", "dgx-spark"}
    assert seen_in_fit("accelerator") == {"h100-sxm", "b200"} | more
    assert "rtx-4090" not in seen_in_fit("accelerator")
    # Scout and Qwen3-Coder-480B are known by public speeds alone.
    alone = seen_in_fit("model") - seen_in_fit("model", metered=True)
    assert {"llama-4-scout", "qwen3-coder-480b-a35b"} <= alone
