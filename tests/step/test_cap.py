"""A power cap: what it leaves alone, the clock it asks for, and what that does to a step, by hand."""

import math

import numpy
import pytest

from llmpower import estimate
from llmpower.step import served
from llmpower.step.cap import capped, clocked
from llmpower.step.point import usual
from tests.step.paper import DENSE, SERVED, UNIT, changed

# A step that does nothing but read: products take no time, and there are no gaps.
READING = changed(UNIT, product_flop_per_s=1e30), changed(SERVED, layer_time_s=0.0, operation_tdp_share=0.0)
# One that does nothing but multiply, and moves bytes for nothing.
MULTIPLYING = (
    changed(UNIT, memory_bandwidth_bytes_per_s=1e30),
    changed(
        SERVED, layer_time_s=0.0, sequence_time_s=0.0, host_step_time_s=0.0, operation_tdp_share=0.0,
        weight_energy_j_per_byte=0.0, cache_energy_j_per_byte=0.0,
    ),
)  # fmt: skip


def step(power_cap_w, kind=READING, batch=8.0, context=1000.0, n=1.0):
    return capped(served.step, power_cap_w, DENSE, *kind, n, batch, context, 0.0, math.inf, usual())


def watts(found):
    return found.energy_j / found.time_s


def free(kind=READING, batch=8.0, n=1.0):
    return served.step(DENSE, *kind, n, batch, 1000.0, 0.0, math.inf, usual())


def test_a_cap_above_the_draw_changes_nothing():
    for kind, batch in ((READING, 8.0), (MULTIPLYING, 4096.0), ((UNIT, SERVED), 64.0)):
        alone = free(kind, batch)
        for cap in (1.001 * watts(alone), 1e6):
            assert list(step(cap, kind, batch)) == pytest.approx(list(alone), rel=1e-12)


def test_a_board_at_its_plateau_stays_there():
    # 0.15 of 1,000 W: 177 W are cut to 150 without a cap, and with one above.
    low = READING[0], changed(READING[1], plateau_tdp_share=0.15)
    assert list(step(151.0, low)) == pytest.approx(list(free(low)), rel=1e-12)
    assert watts(step(151.0, low)) == pytest.approx(150.0)


def test_a_lower_cap_is_what_is_drawn():
    for kind, batch in ((READING, 8.0), (MULTIPLYING, 4096.0), ((UNIT, SERVED), 64.0)):
        most = watts(free(kind, batch))
        for cap in numpy.linspace(0.5, 0.999, 9) * most:
            found = step(cap, kind, batch)
            assert watts(found) == pytest.approx(cap, rel=1e-4)
            # Its parts are all of it, and it would draw more.
            parts = (found.weights_j, found.kv_j, found.compute_j, found.interconnect_j, found.static_j)
            assert sum(parts) == pytest.approx(found.energy_j)
            assert found.uncapped_j > found.energy_j


def test_reading_by_hand():
    # 2 GB and 64 MB at 0.8 TB/s: 2.58 ms; 8 x 10 us of sampling. 0.2096 J move, 100 W flow, 50 W while sampling:
    # 0.2096 + 0.258 + 0.004 = 0.4716 J in 2.66 ms are 177.3 W.
    assert free().time_s == pytest.approx(2.66e-3) and watts(free()) == pytest.approx(0.4716 / 2.66e-3)
    # At 0.6 of the clock memory is as fast. A price is 1 - 0.5 x 0.4 = 0.8, of a byte 1 - 0.5 x 0.2 = 0.9; 40 + 60 x
    # 0.6 x 0.8 = 68.8 W flow, and 40 + 10 x 0.48 = 44.8: 0.18864 + 0.177504 + 0.003584 = 0.369728 J, 139.0 W.
    knee_w = 0.369728 / 2.66e-3
    for cap in (knee_w, 150.0, 165.0, 177.0):
        assert step(cap).time_s == pytest.approx(2.66e-3, rel=1e-6)
    assert step(0.98 * knee_w).time_s > 1.005 * 2.66e-3
    # At 0.3 memory gives half: 5.16 ms. The voltage stays from 0.5 on, at 0.75; of a byte 0.875. 40 + 60 x 0.225 = 53.5
    # W flow, and 42.25: 0.1834 + 0.27606 + 0.00338 = 0.46284 J in 5.24 ms.
    found = step(0.46284 / 5.24e-3)
    assert found.time_s == pytest.approx(5.24e-3, rel=1e-4)
    assert (found.weights_j, found.static_j) == pytest.approx((0.175, 0.27944), rel=1e-4)


def test_multiplying_by_hand():
    # 4,096 x 2 GFLOP at 50 TFLOP/s: 163.84 ms at 500 + 100 W.
    alone = free(MULTIPLYING, 4096.0)
    assert alone.time_s == pytest.approx(163.84e-3) and watts(alone) == pytest.approx(600.0)
    # At 0.8 of the clock a price is 0.9: 0.8 x 0.9 x 500 + 40 + 60 x 0.72 = 443.2 W.
    assert step(443.2, MULTIPLYING, 4096.0).time_s == pytest.approx(163.84e-3 / 0.8, rel=1e-5)


def test_gaps_between_kernels_follow_the_clock():
    # Ten gaps of 100 us are 1.66667 ms at 0.6 of the clock, beside 2.58 of reading: 0.18864 J, 68.8 W for 4.24667 ms
    # and 0.003584 J are 0.484395 J in 4.32667 ms.
    gaps = READING[0], changed(READING[1], layer_time_s=100e-6)
    assert step(0.484395 / 4.326667e-3, gaps).time_s == pytest.approx(4.326667e-3, rel=1e-4)


def test_arithmetic_falls_before_reading():
    kept = {}
    for name, kind, batch in (("reads", READING, 8.0), ("multiplies", MULTIPLYING, 4096.0)):
        alone = free(kind, batch)
        kept[name] = alone.time_s / step(0.85 * watts(alone), kind, batch).time_s
    assert kept["reads"] == pytest.approx(1.0, rel=1e-6) and kept["multiplies"] < 0.95


def test_the_lowest_clock_at_tiny_caps():
    # A tenth of the clock: memory gives a sixth, 15.48 ms; a price is 0.75, of a byte 0.875. 40 + 60 x 0.075 = 44.5 W
    # flow, and 40.75: 0.1834 + 0.68886 + 0.00326 = 0.87552 J in 15.56 ms.
    for cap in (1.0, 30.0):
        assert step(cap).time_s == pytest.approx(15.56e-3)
        assert watts(step(cap)) == pytest.approx(0.87552 / 15.56e-3) and watts(step(cap)) > cap


def test_speed_rises_with_the_cap():
    for kind, batch in ((READING, 8.0), (MULTIPLYING, 4096.0), ((UNIT, SERVED), 64.0)):
        times = [step(cap, kind, batch).time_s for cap in numpy.geomspace(20.0, 900.0, 40)]
        assert all(later <= sooner * (1 + 1e-9) for sooner, later in zip(times, times[1:]))


def test_a_cap_is_that_of_each_board():
    both = watts(free(n=2.0))
    assert watts(step(0.4 * both, n=2.0)) == pytest.approx(0.8 * both, rel=1e-4)


def test_the_host_does_not_follow_the_clock():
    slow = READING[0], changed(READING[1], host_step_time_s=9e-3)
    # 9 ms of the host and 0.08 of sampling. At 0.3 of the clock the boards' 2.58 ms become 5.16 behind it: 0.1834 J
    # move, 53.5 W flow, and 42.25 W in the 3.92 ms left: 0.1834 + 0.27606 + 0.16562 = 0.62508 J.
    found = step(0.62508 / 9.08e-3, slow)
    assert found.time_s == pytest.approx(9.08e-3)
    assert found.static_j == pytest.approx(0.44168, rel=1e-4)


def test_arrays_hold_what_numbers_give():
    batch, context = numpy.array([1.0, 40.0, 700.0]), numpy.array([10.0, 2000.0, 900.0])
    for cap in (40.0, 150.0, 250.0, 5000.0):
        together = step(cap, (UNIT, SERVED), batch, context)
        for place in range(3):
            alone = step(cap, (UNIT, SERVED), batch[place], context[place])
            several = [numpy.broadcast_to(one, batch.shape)[place] for one in together]
            assert several == pytest.approx(list(alone), rel=1e-12)


def test_clocks_leave_rates_and_constants_as_they_were():
    before = dict(vars(UNIT)), dict(vars(SERVED))
    clocked(UNIT, SERVED, 0.5)
    assert (vars(UNIT), vars(SERVED)) == before


RUN = {"model": "llama-3.1-8b", "accelerator": "h100-sxm", "batch": 64, "context_tokens": 900, "software": "vllm"}


def test_an_estimate_under_a_cap():
    alone = estimate(**RUN)
    assert alone.bound != "power"
    above = estimate(**RUN, power_cap_w=700)
    assert (above.power_w, above.tokens_per_s, above.bound) == (
        pytest.approx(alone.power_w), pytest.approx(alone.tokens_per_s), alone.bound,
    )  # fmt: skip
    held = estimate(**RUN, power_cap_w=350)
    assert held.power_w == pytest.approx(350, rel=1e-3) and held.bound == "power"
    assert held.tokens_per_s < alone.tokens_per_s and held.j_per_token < alone.j_per_token
