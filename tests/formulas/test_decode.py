"""Properties the decode formulas must have whatever the numbers."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmpower.formulas import decode

amount = st.floats(1e-6, 1e15)
positive = st.floats(1e-3, 1e6)


@given(amount, amount, st.floats(1.001, 100))
def test_movement_is_linear_in_bytes_and_in_energy_per_byte(n_bytes, per_byte, factor):
    once = decode.movement_energy_j(n_bytes, per_byte)
    assert decode.movement_energy_j(factor * n_bytes, per_byte) == pytest.approx(factor * once)
    assert decode.movement_energy_j(n_bytes, factor * per_byte) == pytest.approx(factor * once)


def test_zero_in_zero_out():
    assert decode.movement_energy_j(0, 1e-10) == 0
    assert decode.compute_energy_j(0, 1e-12) == 0
    assert decode.kv_cache_bytes(2048, decode.kv_positions(0, 80, 0, 0), 2, 0, 4) == 0
    assert decode.attention_flop(64, 128, 128, 0, 2) == 0


@given(positive, positive, positive, st.floats(1e-6, 1e6))
def test_shares_sum_to_one_and_do_not_depend_on_scale(weights, cache, compute, scale):
    share = decode.movement_share(weights, cache, compute)
    assert 0 < share < 1
    assert share + compute / (weights + cache + compute) == pytest.approx(1)
    assert decode.movement_share(scale * weights, scale * cache, scale * compute) == pytest.approx(share)


@given(positive, positive, positive, positive)
def test_more_arithmetic_lowers_the_share_and_more_cache_raises_it(weights, cache, compute, more):
    share = decode.movement_share(weights, cache, compute)
    assert decode.movement_share(weights, cache, compute + more) <= share
    assert decode.movement_share(weights, cache + more, compute) >= share


@given(positive, positive, positive)
def test_at_break_even_movement_and_arithmetic_are_even(weights, cache, more):
    compute = cache + more
    batch = decode.break_even_batch(weights, cache, compute)
    assert decode.movement_share(weights, batch * cache, batch * compute) == pytest.approx(0.5, rel=1e-6)


@given(st.integers(1, 512), st.integers(1, 64), st.integers(1, 4096))
def test_experts_touched_lie_between_one_tokens_and_all(n_experts, per_token, batch):
    per_token = min(per_token, n_experts)
    share = decode.expert_share(n_experts, per_token, batch)
    assert per_token / n_experts <= share + 1e-12
    assert share <= min(1.0, batch * per_token / n_experts) + 1e-12
    assert decode.expert_share(n_experts, per_token, batch + 1) >= share


def test_experts_touched_by_enumeration():
    # Two tokens choose 1 of 3 experts each, all nine pairs alike: 3 pairs touch 1, 6 touch 2, mean 15/9 of 3.
    assert decode.expert_share(3, 1, 2) == pytest.approx(15 / 9 / 3)


@given(st.integers(0, 10**6), st.integers(1, 10**5))
def test_a_window_reads_no_more_than_full_attention(context, window):
    full = decode.kv_positions(context, 2, 0, window)
    windowed = decode.kv_positions(context, 1, 1, window)
    assert windowed <= full
    assert (windowed == full) == (context <= window)


@given(amount, st.integers(1, 1000), st.floats(1e9, 1e13))
def test_twice_the_accelerators_halve_the_time(n_bytes, n_accelerators, bandwidth):
    once = decode.memory_time_s(n_bytes, n_accelerators, bandwidth)
    assert decode.memory_time_s(n_bytes, 2 * n_accelerators, bandwidth) == pytest.approx(once / 2)


@given(positive, positive)
def test_a_step_is_no_faster_than_its_slower_part(memory, compute):
    assert decode.step_time_s(memory, compute) in (memory, compute)
    assert decode.step_time_s(memory, compute) >= max(memory, compute)


def test_break_even_without_cache_reproduces_the_ledger():
    # 8 x (pJ/bit) / (pJ/FLOP) at 16 bit: 8 x 11.68 / 0.52 = 179.7; 8 x 18.0 / 0.295 = 488.1;
    # 8 x 3.92 / 0.7075 = 44.325.
    for per_bit, per_flop, by_hand in ((11.68, 0.52, 179.69), (18.0, 0.295, 488.14), (3.92, 0.7075, 44.325)):
        found = decode.break_even_batch_weights(2, 2, per_bit * 8e-12, per_flop * 1e-12)
        assert found == pytest.approx(by_hand, rel=1e-4)
    assert math.isclose(decode.break_even_batch_weights(2, 2, 160e-12, 0.3e-12), 1600 / 3)
