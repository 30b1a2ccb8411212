"""Runs at batch 1 with known power: rows worked out by hand, and boundaries that are kept apart."""

import numpy as np
import pytest

from llmpower.evidence.lone import EAGER, batching, carriers, lone, power_by_size, spread, two_sizes
from llmpower.facts import catalog
from llmpower.facts.runs import measured, pairs, wall_runs

RUNS = lone().set_index("id")


def test_bytes_per_joule_by_hand():
    # The list of computers: 9.02 GB x 92.49 tokens/s / 464.2 W, and 2.01 GB x 41.31 / 30.1.
    assert RUNS.loc["geerling-0001", "read_per_j"] == pytest.approx(1.797e9, rel=1e-3)
    assert RUNS.loc["geerling-0075", "read_per_j"] == pytest.approx(2.759e9, rel=1e-3)
    # Mistral-7B on a GH200: 7.1107e9 weights without the embedding x 2 B + 1,536 tokens x 131,072 B of cache =
    # 14.42 GB; x 178.774 tokens/s / 418.899 W.
    assert RUNS.loc["argonne_hold-0049", "read_per_j"] == pytest.approx(6.155e9, rel=1e-3)
    # Our board: 15.14 GB counted, 142.891 tokens/s at 404.03 W.
    assert RUNS.loc["h100-26", "read_per_j"] == pytest.approx(5.356e9, rel=1e-3)
    assert RUNS.loc["h100c-00", "software"] == EAGER and RUNS.loc["h100c-00", "read_per_j"] < 1.6e9


def test_every_run_is_there_once_inside_its_boundary():
    assert RUNS.index.is_unique and len(wall_runs()) == 87
    assert (RUNS["boundary"] == "wall").sum() == 87
    ours = RUNS.index.str.match(r"h100b?c?-\d\d$")
    # Of our eight decode runs at batch 1 one is of a network that the catalog does not have.
    assert ours.sum() == 6 and (RUNS.loc[ours, "boundary"] == "board").all()
    # One published run stands in two tables of the book.
    same = RUNS[(RUNS["machine"] == "h100-sxm") & (RUNS["network"] == "llama-3-8b") & (RUNS["software"] == "vllm-2024")]
    assert len(same) == 1
    assert set(RUNS.loc[RUNS["boundary"] == "not stated"].index) == {"substrate-8b-rtx-4060-laptop"}
    assert not any(
        catalog.accelerator(name).category == "soc" for name in RUNS.loc[RUNS["boundary"] == "board", "machine"]
    )


def test_the_m4_is_the_best_of_the_computers_and_the_board_reads_several_times_more():
    wall, board = (RUNS.loc[RUNS["boundary"] == name, "read_per_j"] for name in ("wall", "board"))
    assert wall.idxmax() == "geerling-m4-8b"
    assert 2.5 < board.median() / wall.median() < 6
    assert spread(wall) > 2 * spread(board)


def test_a_spread_by_hand():
    # 1 to 11: the tenth percentile is 2, the ninetieth 10.
    assert spread(np.arange(1.0, 12.0)) == pytest.approx(5)


def test_one_card_in_two_computers():
    pairs = carriers().set_index(["graphics", "file"])
    # 83.31/397.5 over 92.49/464.2.
    card = pairs.loc[("Nvidia RTX 4090", "deepseek-r1-14b-q4-k-m-file")]
    assert card["tokens_per_j_pi"] / card["tokens_per_j"] == pytest.approx(1.0519, rel=1e-3)
    assert len(pairs) == 18 and (pairs["tokens_per_s_pi"] < pairs["tokens_per_s"]).all()


def test_two_sizes_on_one_part_of_a_computer():
    found = two_sizes().set_index("machine")
    one = found.loc["Intel 265K Custom PC + Nvidia RTX 4090"]
    # 92.49 tokens/s x 9.02 GB over 334.67 x 2.01 GB; 464.2 W over 261.9.
    assert one["bytes_per_s"] / one["bytes_per_s_small"] == pytest.approx(834.26 / 672.69, rel=1e-4)
    assert one["power_w"] / one["power_w_small"] == pytest.approx(1.7724, rel=1e-4)
    # One more computer ran both, the larger on its processor and the smaller on its graphics: another part.
    assert len(found) == 19 and not found.index.str.startswith("Framework Desktop").any()
    assert (found["bytes_per_s"] > found["bytes_per_s_small"]).sum() == 18


def test_what_batching_saves_by_hand():
    gains = batching().set_index(["network", "machine", "software"])
    # 2.87274 J at batch 1 over 0.130721 J at 64.
    assert gains.loc[("llama-3-8b", "h100-sxm", "vllm-2024"), "gain"] == pytest.approx(21.976, rel=1e-4)
    assert len(gains) == 20 and (gains["gain"] > 6).all()


def test_watts_hardly_follow_size():
    found = power_by_size()
    # The smallest network is not the one that draws least: 486.438 W, and 424.237 W with 1.57 times the parameters.
    assert found["power_w"].iloc[0] == pytest.approx(486.438) and found["power_w"].idxmin() > 0
    assert found["power_w"].max() / found["power_w"].min() < 1.4 < 4 < found["params"].max() / found["params"].min()


def test_pairs_of_networks_differ_in_the_network_only():
    same = ("accelerator", "n_accelerators", "weight_format", "software", "task", "max_batch")
    found = pairs([run for run in measured() if run.model in ("qwen3-30b-a3b", "qwen3-32b")], "model", same)
    gains = {
        (mixture.task, mixture.max_batch): dense.j_per_token / mixture.j_per_token
        for mixture, dense in found
        if (mixture.accelerator, mixture.n_accelerators) == ("h100-sxm", 2)
    }
    # 1.62712 J over 0.822952 J, and on GPQA 2.00813 over 0.835897.
    assert gains["lm-arena-chat", 8] == pytest.approx(1.97717, rel=1e-4)
    assert gains["gpqa", 8] == pytest.approx(2.40237, rel=1e-4)
    clean = [pair for pair in found if not any(run.anomaly for run in pair)]
    assert (len(found), len(clean)) == (31, 26)
    assert all(mixture.power_w < dense.power_w for mixture, dense in clean)
