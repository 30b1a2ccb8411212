"""Everything on everything: points are estimates, the best of them is not beaten, and what decides most."""

import statistics

import llmpower
from llmpower.facts import catalog
from llmpower.sweep.frontier import everywhere, frontier, spreads

BATCHES = [1.0, 8.0, 64.0]
POINTS = list(everywhere(BATCHES, prompt_tokens=500, output_tokens=500))


def test_points_are_estimates_on_the_fewest_boards():
    by_case = {(one.model, one.accelerator, one.batch): one for one in POINTS}
    for model, machine, batch, boards in (("llama-3.1-8b", "h100-sxm", 64, 1), ("llama-3.1-70b", "h100-sxm", 8, 2)):
        one = by_case[model, machine, batch]
        run = {"n_accelerators": boards, "batch": batch, "prompt_tokens": 500, "output_tokens": 500}
        found = llmpower.estimate(model, machine, **run)
        # Two boards give 144 GB, nine tenths of theirs; weights take 141.1, and 8 times 750 tokens of cache 2.0.
        assert one.n_accelerators == boards
        assert one.tokens_per_j * found.j_per_token == 1 or abs(one.tokens_per_j * found.j_per_token - 1) < 1e-12
        assert abs(one.tokens_per_s_per_user * batch / found.tokens_per_s - 1) < 1e-12
    assert {one.batch for one in POINTS} == set(BATCHES) and max(one.n_accelerators for one in POINTS) <= 8
    assert {catalog.accelerator(one.accelerator).category for one in POINTS} == {"datacenter"}
    assert {one.model for one in POINTS} > {"llama-3.1-8b", "deepseek-v3", "gpt-oss-120b"}


def test_no_point_beats_the_frontier():
    mine = [one for one in POINTS if one.model == "llama-3.1-70b"]
    best = frontier(mine)
    assert 1 < len(best) < len(mine)
    for one in mine:
        assert any(
            other.tokens_per_s_per_user >= one.tokens_per_s_per_user and other.tokens_per_j >= one.tokens_per_j
            for other in best
        )
    speeds, thrift = ([getattr(one, name) for one in best] for name in ("tokens_per_s_per_user", "tokens_per_j"))
    assert speeds == sorted(speeds, reverse=True) and thrift == sorted(thrift)


def test_the_board_decides_least():
    """A heading of the chapter on tokens per watt says so."""
    medians = [
        statistics.median(spreads(POINTS, *same))
        for same in (("accelerator", "batch"), ("model", "accelerator", "n_accelerators"), ("model", "batch"))
        if spreads(POINTS, *same)
    ]
    network, board = medians[0], medians[-1]
    lone = {(one.model, one.accelerator): one.tokens_per_j for one in POINTS if one.batch == 1}
    many = {(one.model, one.accelerator): one.tokens_per_j for one in POINTS if one.batch == 64}
    batch = statistics.median(many[key] / lone[key] for key in many)
    assert min(network, batch) > 4 * board
    # And among dense networks of like size the batch decides more than the network, as its text says.
    sizes = {net: llmpower.model(net).params_total for net in {one.model for one in POINTS}}
    near = [
        one
        for one in POINTS
        if sizes["llama-3.1-8b"] <= sizes[one.model] <= sizes["llama-3.1-70b"]
        and not llmpower.model(one.model).n_experts
    ]
    assert statistics.median(spreads(near, "accelerator", "batch")) < batch
