"""Ranges of a result: tornado, random draws and elasticities, by hand and against differences of estimates."""

import importlib
import math
from types import SimpleNamespace

import pytest

from llmpower import estimate, ranges
from llmpower.step import served

estimator = importlib.import_module("llmpower.estimate")


def test_a_tornado_by_hand():
    bars = ranges.tornado(lambda a, b: a / b, {"a": 4.0, "b": 2.0}, {"a": (2.0, 6.0), "b": (1.0, 4.0)})
    assert bars == [("b", 4.0, 1.0), ("a", 1.0, 3.0)]


BUSY = {
    "dense": {"model": "llama-3.1-70b", "accelerator": "h100-sxm", "n_accelerators": 4, "batch": 64.0,
              "context_tokens": 900.0},
    "experts": {"model": "qwen3-30b-a3b", "accelerator": "b200", "n_accelerators": 2, "batch": 200.0,
                "context_tokens": 3000.0, "weight_format": "fp8", "parallelism": "ep", "boundary": "facility"},
    "recurrent": {"model": "nemotron-nano-9b-v2", "accelerator": "a100-sxm-80gb", "batch": 30.0,
                  "context_tokens": 700.0},
    "plateau": {"model": "llama-3.1-8b", "accelerator": "h100-sxm", "batch": 256.0, "context_tokens": 100.0,
                "prompt_tokens": 3000.0, "output_tokens": 50.0},
    "own sequences": {"model": "qwen3-30b-a3b", "accelerator": "h200-sxm", "n_accelerators": 4, "batch": 100.0,
                      "context_tokens": 900.0, "parallelism": "dp", "draft_tokens": 2, "accepted_tokens": 1.2},
    "stages": {"model": "llama-3.1-70b", "accelerator": "a100-sxm-80gb", "n_accelerators": 4, "batch": 64.0,
               "context_tokens": 900.0, "parallelism": "pp", "max_step_tokens": 300},
    "host": {"model": "llama-3.1-8b", "accelerator": "h100-sxm", "batch": 8.0, "context_tokens": 900.0,
             "software": "eager"},
}  # fmt: skip


@pytest.mark.parametrize("name", BUSY)
def test_elasticities_agree_with_differences_of_estimate(name, monkeypatch):
    run = {"prompt_tokens": 500.0, "output_tokens": 600.0, **BUSY[name]}
    found = estimate(**run)
    assert (found.bound == "power") == (name == "plateau")
    case = found.case
    unit, fitted, kind = estimator._unit(case.accelerator, case.weight_format, case.software, case.link_bytes_per_s)

    def at(name, value):
        """The estimate with one input changed from outside."""
        if name in run:
            return estimate(**{**run, name: value})
        spaces = [SimpleNamespace(**vars(space)) for space in (unit, fitted)]
        setattr(spaces[name not in served.RATES], name, value)
        with monkeypatch.context() as patch:
            patch.setattr(estimator, "_unit", lambda *records: (*spaces, kind))
            return estimate(**run)

    for quantity in ("j_per_token", "tokens_per_s"):
        symbolic = ranges.elasticities(found, quantity)
        step = 1e-4
        for name, value in found.inputs.items():
            low, high = (getattr(at(name, value * (1 + sign * step)), quantity) for sign in (-1, 1))
            by_difference = (high - low) / (2 * step) / getattr(found, quantity)
            assert symbolic.get(name, 0.0) == pytest.approx(by_difference, abs=1e-6), (quantity, name)
        assert list(map(abs, symbolic.values())) == sorted(map(abs, symbolic.values()), reverse=True)


def test_elasticities_that_must_be():
    # Twice the rating at the same speed: twice what is in proportion to it; rating and board energies together are all.
    found = estimate(**BUSY["dense"])
    energy = ranges.elasticities(found)
    assert energy["tdp_w"] + energy["weight_energy_j_per_byte"] + energy["cache_energy_j_per_byte"] + energy[
        "link_energy_j_per_byte"
    ] == pytest.approx(1)
    at_the_plateau = ranges.elasticities(estimate(**BUSY["plateau"]))
    assert at_the_plateau["tdp_w"] == at_the_plateau["plateau_tdp_share"] == pytest.approx(1)
    assert "weight_energy_j_per_byte" not in at_the_plateau


def test_monte_carlo_of_a_product():
    # The logarithm of a product of two spreads by the root of the sum of squares: 1.2^sqrt(2), 5 and 95 %.
    found = ranges.monte_carlo(lambda a, b: a * b, {"a": 2.0, "b": 5.0}, {"a": (2 / 1.2, 2.4), "b": (5 / 1.2, 6.0)})
    assert found.central == 10
    assert found.high == pytest.approx(10 * 1.2 ** math.sqrt(2), rel=2e-3)
    assert found.low == pytest.approx(10 / 1.2 ** math.sqrt(2), rel=2e-3)
    again = ranges.monte_carlo(lambda a, b: a * b, {"a": 2.0, "b": 5.0}, {"a": (2 / 1.2, 2.4), "b": (5 / 1.2, 6.0)})
    assert again == found


def test_monte_carlo_and_tornado_of_an_estimate():
    found = estimate(**BUSY["dense"])
    share, gap = found.inputs["static_tdp_share"], found.inputs["layer_time_s"]
    ends = {"static_tdp_share": (0.9 * share, 1.1 * share), "layer_time_s": (0.9 * gap, 1.1 * gap)}
    calls = []

    def energy(**inputs):
        calls.append(inputs)
        return found.vary(**inputs).j_per_token

    drawn = ranges.monte_carlo(energy, found.inputs, ends, draws=100_000)
    # Central, and all draws in one call.
    assert len(calls) == 2 and drawn.central == pytest.approx(found.j_per_token)
    bars = ranges.tornado(energy, found.inputs, ends)
    assert [name for name, *_ in bars] == ["static_tdp_share", "layer_time_s"]
    # Close to linear here: the widths of the bars add up by squares.
    width = math.hypot(*(high - low for _, low, high in bars))
    assert drawn.high - drawn.low == pytest.approx(width, rel=0.02)


def test_elasticities_under_a_cap_are_differences():
    found = estimate("llama-3.1-8b", "h100-sxm", batch=64, context_tokens=1000, software="vllm", power_cap_w=350)
    free = estimate("llama-3.1-8b", "h100-sxm", batch=64, context_tokens=1000, software="vllm")
    held, open_ = (ranges.elasticities(one, "tokens_per_s") for one in (found, free))
    # Dearer bytes cost no speed without a cap, and clocks under one.
    assert "weight_energy_j_per_byte" not in open_ and held["weight_energy_j_per_byte"] < -0.05
    assert found.power_w == pytest.approx(350, rel=1e-3) and found.high.power_w <= 350 * (1 + 1e-3)
