"""Ends of the formulas of serving: what a limit, a server or a clock leaves as it is."""

import pytest

from llmpower.formulas import serving


def test_a_short_prompt_takes_one_step_and_more_of_them_come_together():
    assert serving.prompt_passes(500.0, 192.0, 8192.0) == 1
    # Two prompts begin in each step: every step carries both.
    assert serving.prompt_step_share(2.0, 1.0) == 1
    assert serving.mixed_step_tokens(128.0, 2.0, 1.0, 500.0) == 1128


@pytest.mark.parametrize(("begun", "passes", "prompt"), [(0.1, 1.0, 500.0), (0.1, 3.0, 9000.0), (2.0, 1.0, 500.0)])
def test_steps_take_in_as_many_tokens_of_prompts_as_begin(begun, passes, prompt):
    """Nothing is lost or read twice: share of steps x their tokens of prompts = prompts a step x their length."""
    carried = serving.mixed_step_tokens(64.0, begun, passes, prompt) - 64
    assert serving.prompt_step_share(begun, passes) * carried == pytest.approx(begun * prompt)


def test_tokens_that_choose_alike():
    assert serving.differing_tokens(64.0, 0.0) == 64 and serving.differing_tokens(64.0, 1.0) == 1
    assert serving.differing_tokens(1.0, 0.2) == 1


def test_inside_one_server_nothing_leaves_it():
    assert [serving.between_share(float(n), 8.0) for n in (1, 4, 8)] == [0, 0, 0]
    assert [serving.passed_share(float(n), 8.0) for n in (1, 4, 8)] == [0, 0, 0]
    assert serving.summed_share(0.0, 8.0) == 0
    # Where each is a server of its own everything leaves one.
    assert serving.passed_share(4.0, 1.0) == 1


def test_few_accelerators_are_all_told_of_a_token():
    # Eight experts a token on four boards: the vector goes to the three others, whatever the number of experts there.
    few = serving.dispatch_bytes(10.0, 40.0, 1000.0, 2.0, 8.0, 4.0)
    assert few == pytest.approx(2 * 10 * 10 * 3 * 1000 * 2)
    assert serving.dispatch_bytes(10.0, 40.0, 1000.0, 2.0, 8.0, 1.0) == 0


def test_the_longer_of_boards_and_host_decides():
    assert serving.serving_time_s(0.022, 0.003, 0.0, 1.0) == 0.022
    assert serving.serving_time_s(0.022, 0.030, 0.0, 1.0) == 0.030


def test_at_the_highest_clock_all_is_as_without_one():
    assert serving.clocked_bandwidth_share(1.0, 0.6) == serving.clocked_bandwidth_share(0.6, 0.6) == 1
    assert serving.clocked_byte_share(1.0, 0.5) == 1
    assert serving.clocked_static_share(0.2, 0.1, 1.0, 1.0) == pytest.approx(0.2)
    # With the clock stopped remains what an idle board draws.
    assert serving.clocked_static_share(0.2, 0.1, 0.0, 0.5) == pytest.approx(0.1)
