"""The forecast of a step: pieces of a sweep make the whole, and an estimate leaves nothing behind."""

import numpy
import pytest

from llmpower import estimate
from llmpower.evidence import fit
from llmpower.facts import catalog
from llmpower.step import served


@pytest.mark.parametrize("shape", ["list", "grid"])
def test_pieces_make_the_whole(monkeypatch, shape):
    random = numpy.random.default_rng(0)
    batch, prompt = random.integers(1, 300, 1000), random.integers(0, 2, 1000) * 400
    context, counts = random.uniform(0, 9000, 1000 if shape == "list" else (7, 1)), random.choice([1, 2, 4, 8], 1000)

    def run():
        found = estimate("qwen3-30b-a3b", "h100-sxm", counts, batch, prompt, 500, context, parallelism="ep")
        return found.j_per_token, found.tokens_per_s, found.energy_by_part["interconnect"]

    whole = run()
    monkeypatch.setattr(served, "_PIECE", 64)
    for one, other in zip(whole, run()):
        assert one.shape == {"list": (1000,), "grid": (7, 1000)}[shape]
        numpy.testing.assert_allclose(one, other, rtol=1e-12)


def test_an_estimate_leaves_nothing_behind_for_a_fit():
    estimate("llama-3.1-70b", "h100-sxm", 4), estimate("qwen3-30b-a3b", "h200-sxm", 2, link_bytes_per_s=1e9)
    # NVLink 4: 900 GB/s in both directions.
    machine = served.machine(catalog.accelerator("h200-sxm"), catalog.number_format("bf16"))
    assert machine.link_bytes_per_s == 450e9
    assert len(fit.Runs("validation.csv")) > 0
