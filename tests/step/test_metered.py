"""What a board draws, part by part: each worked out again from rows of `data/power_runs.csv`, whose ids are named."""

import pytest

from llmpower.facts import catalog
from llmpower.facts.runs import power_runs
from llmpower.step import metered

H100, H200 = metered.board("h100-sxm"), metered.board("h200-sxm")


def test_only_boards_whose_memory_was_swept_have_their_parts_told():
    assert metered.boards() == {"h100-sxm": "H100 board 1", "h200-sxm": "H200 board 1"}
    assert metered.board("b200") is None and metered.board("a100-sxm-80gb") is None
    # The second and the third H100 read no stream.
    assert {run.board for run in power_runs() if run.kind == "memory"} == set(metered.boards().values())


def test_a_board_that_does_nothing():
    # h100-00, h200-00: no program.
    assert (H100.idle_w, H200.idle_w) == (70.08, 79.32)
    # h100-01, and h100b-01 on the second board; one H200, h200-01.
    up = H100.clocks_up_w
    assert (up.low, up.central, up.high) == (114.40, 114.40, 119.93)
    assert H200.clocks_up_w.low == H200.clocks_up_w.central == H200.clocks_up_w.high == 122.67
    # h100-03: 284.37 - 114.40; h200-03: 299.01 - 122.67.
    assert H100.unpacking_w == pytest.approx(169.97) and H200.unpacking_w == pytest.approx(176.34)
    assert metered.highest_clock("H100 board 1") == 1980


def test_the_sweep_without_traffic_by_hand():
    # h100-04 to h100-08, the five streams of random bits above 0.5 TB/s: x in TB/s, y in W.
    #   x = 2.9964, 2.7800, 1.9851, 1.0794, 0.55821    y = 510.23, 486.37, 390.51, 276.63, 207.73
    # n = 5, sum x = 9.39911, sum y = 1,871.47, sum xx = 22.12414, sum xy = 4,070.7146.
    # D = 5 x 22.12414 - 9.39911^2 = 22.27742; start = (22.12414 x 1,871.47 - 9.39911 x 4,070.7146) / D = 141.11 W;
    # slope = (5 x 4,070.7146 - 9.39911 x 1,871.47) / D = 124.05 W per TB/s.
    # Left over: -2.57, 0.41, 3.16, 1.62, -2.62 W, squares sum to 26.27; with 3 degrees of freedom the start is known to
    # root(26.27 / 3 x 22.12414 / D) = 2.949 W, times 3.182 = 9.38 W.
    start = H100.sweep_w
    assert (start.low, start.central, start.high) == pytest.approx((131.73, 141.11, 150.49), abs=0.01)
    # h200-04 to h200-08: sums 11.95609, 2,261.14, 39.38249, 6,721.747; D = 53.96434; start 160.91 W; squares left over
    # 348.81: 9.2115 W, times 3.182 = 29.31 W.
    start = H200.sweep_w
    assert (start.low, start.central, start.high) == pytest.approx((131.60, 160.91, 190.22), abs=0.01)


@pytest.mark.parametrize("board", [H100, H200], ids=lambda board: board.accelerator)
def test_the_two_readings_of_what_always_flows_differ(board):
    assert board.clocks_up_w.central < board.sweep_w.low
    static = board.static_w
    assert (static.low, static.central, static.high) == (
        board.clocks_up_w.central, board.clocks_up_w.central, board.sweep_w.central,
    )  # fmt: skip


def test_thin_streams_are_dearer_so_they_are_no_part_of_the_line():
    # h100-09: 165.77 W at 0.271 TB/s, and the line has 141.11 + 124.05 x 0.271 = 174.7 W there; h100-10: 143.65 W at
    # 0.134 TB/s, where it has 157.7 W. With all seven the start would be lower.
    assert [run.power_w for run in H100.streams] == [510.23, 486.37, 390.51, 276.63, 207.73, 165.77, 143.65]
    assert 165.77 < H100.sweep_w.central + 124.05 * 0.271 and 143.65 < H100.sweep_w.central + 124.05 * 0.134
    # (165.77 - 114.40) W / 0.271 TB/s and (143.65 - 114.40) W / 0.13382 TB/s, against 132 pJ at the full rate.
    assert H100.byte_j_at(0.271e12) == pytest.approx(189.6e-12, rel=1e-3)
    assert H100.byte_j_at(0.13382e12) == pytest.approx(218.6e-12, rel=1e-3)
    # Half way between 1.9851 TB/s (390.51 W: 139.09 pJ) and 2.78 TB/s (486.37 W: 133.80 pJ).
    assert H100.byte_j_at(2.38255e12) == pytest.approx((139.091e-12 + 133.802e-12) / 2, rel=1e-4)
    # Beyond the sweep its ends hold.
    assert H100.byte_j_at(1e9) == H100.byte_j_at(0.13382e12) and H100.byte_j_at(9e12) == H100.byte_j_at(2.9964e12)


def test_the_price_of_a_byte_by_content():
    # h100-12: (481.80 - 114.40) W / 3.0242 TB/s; h100-11: (368.55 - 114.40) / 3.0778; h100-04: (510.23 - 114.40) /
    # 2.9964.
    assert H100.byte_j == pytest.approx(
        {"bf16 normal": 121.487e-12, "zeros": 82.575e-12, "random bits": 132.102e-12}, rel=1e-5
    )
    # h200-12: (668.44 - 122.67) / 4.5305; h200-11: (483.15 - 122.67) / 4.5477; h200-04: (700.87 - 122.67) / 4.5205.
    assert H200.byte_j == pytest.approx(
        {"bf16 normal": 120.466e-12, "zeros": 79.266e-12, "random bits": 127.906e-12}, rel=1e-5
    )
    # Above the start of the sweep: (481.80 - 141.11) / 3.0242, (668.44 - 160.912) / 4.5305.
    assert H100.marginal_byte_j["bf16 normal"] == pytest.approx(112.655e-12, rel=1e-5)
    assert H200.marginal_byte_j["bf16 normal"] == pytest.approx(112.025e-12, rel=1e-5)
    assert (H100.stream_bytes_per_s, H200.stream_bytes_per_s) == (3.0242e12, 4.5305e12)


def test_parts_of_the_way_of_a_byte():
    # The memory's own figure, h100-12 and h100-01: (187.1 - 26.1) W / 3.0242 TB/s; h200: (263.7 - 50.0) / 4.5305.
    assert H100.chip_byte_j == pytest.approx(53.24e-12, rel=1e-4)
    assert H200.chip_byte_j == pytest.approx(47.17e-12, rel=1e-4)
    # h100-14, h100-15, h100-16: (423.47 - 114.40) W / 7.2131 TB/s, (321.85 - 114.40) / 4.8178, (173.68 - 114.40) /
    # 1.2857: 42.85, 43.06 and 46.11 pJ/B.
    cache = H100.l2_byte_j
    assert (cache.low, cache.central, cache.high) == pytest.approx((42.848e-12, 42.848e-12, 46.107e-12), rel=1e-4)
    # h200-14 to -16: (505.50 - 122.67) / 8.4336, (354.77 - 122.67) / 5.156, (186.98 - 122.67) / 1.3768.
    cache = H200.l2_byte_j
    assert (cache.low, cache.central, cache.high) == pytest.approx((45.016e-12, 45.393e-12, 46.710e-12), rel=1e-4)
    # Chips and cache are on the way of every byte that a stream reads, so both together cost less than it.
    for board in (H100, H200):
        assert board.chip_byte_j + board.l2_byte_j.high < board.byte_j["bf16 normal"]


def test_the_price_of_an_operation():
    # h100-19, rest 3: (348.78 - 114.40) W / 214.67 TFLOP/s = 1.0918 pJ; h100-18, rest 1: (572.34 - 114.40) / 419.86 =
    # 1.0907; h100-20, rest 8: (220.93 - 114.40) / 96.106 = 1.1085; all at 1,980 MHz, and 1.0918 is in the middle.
    # At the power limit and 1,410 MHz, h100-17: (698.62 - 114.40) / 657.46 = 0.8886.
    found = H100.flop_j["bf16"]
    assert (found.low, found.central, found.high) == pytest.approx((0.88860e-12, 1.09182e-12, 1.10846e-12), rel=1e-5)
    assert H100.limited_share == pytest.approx(0.88860 / 1.09182, rel=1e-5)
    # From the highest clock to 1,410 / 1,980 = 0.71212 of it, the price falls by 1 - 0.8886 / 1.0918 = 18.612 %.
    assert H100.clock_slope == pytest.approx(0.18612 / 0.28788, rel=1e-4)
    # h200-18, -19, -20: (560.14 - 122.67) / 407.86 = 1.0726; (346.65 - 122.67) / 207.07 = 1.0817; (223.32 - 122.67) /
    # 93.052 = 1.0817; h200-17 at 1,470 MHz: (690.29 - 122.67) / 664.43 = 0.8543.
    found = H200.flop_j["bf16"]
    assert (found.low, found.central, found.high) == pytest.approx((0.85430e-12, 1.08165e-12, 1.08166e-12), rel=1e-5)
    assert H200.clock_slope == pytest.approx((1 - 0.85430 / 1.08165) / (1 - 1470 / 1980), rel=1e-4)


def test_prices_of_operations_that_were_seen_at_a_lower_clock_only():
    # h100-22 in 8 bit at 1,365 MHz: (678.38 - 114.40) / 1,126.1 = 0.50083 pJ; at the highest clock, by the slope of
    # 0.64654 over 1 - 1,365 / 1,980 = 0.31061: 0.50083 / (1 - 0.20082) = 0.62667 pJ.
    found = H100.flop_j["fp8"]
    assert (found.low, found.central, found.high) == pytest.approx((0.50083e-12, 0.62667e-12, 0.62667e-12), rel=1e-4)
    # h100-21, zeros at 1,665 MHz: (410.88 - 114.40) / 753.76 = 0.39333; over 1 - 0.64654 x 0.15909 = 0.89714: 0.43843.
    assert H100.zero_flop_j == pytest.approx(0.43843e-12, rel=1e-4)
    # Half as many bits take more than half the energy; zeros of all bits take less than half.
    assert H100.zero_flop_j < H100.flop_j["bf16"].central / 2 < found.central < H100.flop_j["bf16"].central
    assert H100.product_flop_per_s == {"bf16": 6.5746e14, "fp8": 1.1261e15}
    assert H200.product_flop_per_s == {"bf16": 6.6443e14, "fp8": 1.1848e15}


def test_what_a_board_draws_at_its_power_limit():
    # h100-17, -22, -37 and -38 in order: 678.38, 692.94, 697.84, 698.62 W: half way between the middle two. The
    # products of zeros, h100-21, carry the flag at 410.88 W and are left out; so is the decode step h100-32.
    assert H100.plateau_w == pytest.approx((692.94 + 697.84) / 2)
    # h200-25, -17, -22, -04: 688.88, 690.29, 692.69, 700.87 W; h200-24 was held for a part of the time, at 621.21 W.
    assert H200.plateau_w == pytest.approx((690.29 + 692.69) / 2)


def test_energy_constants_for_readers_are_those_of_the_first_board():
    # As printed: 15.19 (10.32 to 16.51) pJ/bit and 1.0918 (0.8886 to 1.1085) pJ/FLOP.
    fact = catalog.fact("energy_constants.csv", "h100-stream-bf16", "energy_j_per_byte")
    prices = [H100.byte_j[content] for content in ("zeros", "bf16 normal", "random bits")]
    assert [round(1e12 * price / 8, 2) for price in prices] == [10.32, 15.19, 16.51]
    assert fact.ends == pytest.approx([8e-12 * printed for printed in (10.32, 15.19, 16.51)])
    fact, price = catalog.fact("energy_constants.csv", "h100-product-bf16", "energy_j_per_flop"), H100.flop_j["bf16"]
    assert [round(1e12 * end, 4) for end in (price.low, price.central, price.high)] == [0.8886, 1.0918, 1.1085]
    assert fact.ends == pytest.approx([1e-12 * printed for printed in (0.8886, 1.0918, 1.1085)])
