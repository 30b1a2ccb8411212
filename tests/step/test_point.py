"""The operating point: what a layout makes of boards, servers and queues."""

import math

import numpy
import pytest

from llmpower.step.case import case
from llmpower.step.point import point, usual
from llmpower.step.served import normal_maxima

# Expected largest of so many standard normal numbers: tables of order statistics; that of two is 1 / sqrt(pi).
LARGEST = {1: 0.0, 2: math.pi**-0.5, 4: 1.02938, 8: 1.42360, 16: 1.76599}


def laid_out(way, n, model="deepseek-v3", **more):
    return point(case(model, "h100-sxm", n, **{"batch": 64, "context_tokens": 1000} | more, parallelism=way))


def test_largest_of_normal_numbers():
    assert [float(normal_maxima(n)) for n in LARGEST] == pytest.approx(list(LARGEST.values()), abs=2e-5)


def test_one_board_is_the_usual_point():
    found = laid_out("tp", 1, max_step_tokens=1000)
    assert vars(found) == vars(usual(max_step_tokens=1000, network_bytes_per_s=found.network_bytes_per_s))


def test_shared_matrices():
    # Two servers of eight: each board sends its eighth of a sum, half of it out and as much back: 2 x 1/2 / 8.
    found = laid_out("tp", 16)
    assert (found.stages, found.queues, found.spread, found.queue_spread) == (1, 1, 0, 0)
    assert found.between_share == pytest.approx(0.125)
    # In one server nothing leaves it, and eight servers of two send 2 x 7/8 / 2.
    assert laid_out("tp", 8).between_share == 0
    assert laid_out("tp", 16, accelerators_per_server=2).between_share == pytest.approx(0.875)


def test_spread_experts():
    found = laid_out("ep", 16)
    assert (found.stages, found.queues, found.queue_spread) == (1, 1, 0)
    assert found.spread == pytest.approx(LARGEST[16], abs=2e-5)
    # Sums travel as before.
    assert found.between_share == pytest.approx(0.125)


def test_sequences_of_its_own():
    found = laid_out("dp", 16)
    # Copies of popular experts keep boards alike; their queues differ.
    assert (found.stages, found.queues, found.spread) == (1, 16, 0)
    assert found.queue_spread == pytest.approx(LARGEST[16], abs=2e-5)
    # Of 16 boards eight are in the other server.
    assert found.between_share == pytest.approx(0.5)


def test_layers_cut_into_stages():
    found = laid_out("pp", 16)
    assert (found.stages, found.queues, found.spread, found.queue_spread) == (16, 1, 0, 0)
    # Fifteen passes from board to board, one of them between the two servers.
    assert found.between_share == pytest.approx(1 / 15)
    assert laid_out("pp", 8).between_share == 0


def test_what_a_step_may_hold():
    # 100 sequences with three drafts are 400 tokens, far from the limit; 6,000 with one are 12,000, below a limit that
    # was given; where none was, they get as much again for prompts.
    found = laid_out("tp", 8, batch=100, draft_tokens=3, accepted_tokens=2, max_step_tokens=5000)
    assert (found.draft_tokens, found.accepted_tokens, found.max_step_tokens) == (3, 2, 5000)
    assert laid_out("tp", 8, batch=6000, draft_tokens=1, max_step_tokens=20000).max_step_tokens == 20000
    assert laid_out("tp", 8, batch=6000, draft_tokens=1).max_step_tokens == 24000
    # Neither without a server, nor in llama.cpp, is there one.
    assert laid_out("tp", 8, software="bare").max_step_tokens == math.inf


@pytest.mark.parametrize("way", ["tp", "ep", "dp", "pp"])
def test_arrays_hold_what_numbers_give(way):
    counts, batch = numpy.array([1.0, 8.0, 32.0]), numpy.array([64.0, 5000.0, 300.0])
    together = vars(laid_out(way, counts, batch=batch))
    for place in range(3):
        alone = vars(laid_out(way, counts[place], batch=batch[place]))
        for name, value in together.items():
            one = value if isinstance(value, str) else numpy.broadcast_to(value, 3)[place]
            assert one == (alone[name] if isinstance(value, str) else pytest.approx(alone[name])), name
