"""Arguments from outside: every problem is told, all of them at once."""

import numpy
import pytest

from llmpower.arguments import Check, ParameterError


def test_every_kind_of_problem_is_told_in_one_message():
    check = Check()
    assert check.record("model", "model", "lama-3.1-8b") is None
    assert check.choice("boundary", "sever", ("accelerators", "server")) is None
    assert check.choice("parallelism", 3, ("tp", "ep")) is None
    assert check.number("host_power_w", -5) is None
    assert check.number("n_accelerators", 2.5, whole=True) is None
    assert check.number("pue", "1.2") is None
    assert check.number("batch", [1, -3, 2], arrays=True) is None
    assert check.number("context_tokens", numpy.nan, arrays=True) is None
    assert check.number("n_accelerators", [], whole=True, arrays=True) is None
    check.shapes({"batch": numpy.ones(3), "context_tokens": numpy.ones(2), "prompt_tokens": 1.0})
    check.wrong("weight_format", "no rate for it")
    with pytest.raises(ParameterError) as caught:
        check.done()
    assert str(caught.value).splitlines() == caught.value.problems
    # Each line: name, value, what is allowed, unit.
    assert caught.value.problems == [
        "model: no model is called 'lama-3.1-8b'; did you mean llama-3.1-8b or llama-3.2-1b or llama-3-8b?"
        "; any other may be given by its config.json",
        "boundary: got 'sever'; did you mean server? allowed is accelerators, server",
        "parallelism: got 3; allowed is tp, ep",
        "host_power_w: got -5; allowed is a number from 0 to 1,000,000 [W]",
        "n_accelerators: got 2.5; allowed is a whole number from 1 to 100,000 [count]",
        "pue: got '1.2'; allowed is a number from 1 to 5 [count]",
        "batch: got -3.0 among 3 values; allowed is a number from 1 to 1,000,000, or an array of such [count]",
        "context_tokens: got nan; allowed is a number from 0 to 10,000,000, or an array of such [count]",
        "n_accelerators: got []; allowed is a whole number from 1 to 100,000, or an array of such [count]",
        "batch, context_tokens: shapes do not go together; got batch (3,), context_tokens (2,); "
        "allowed is what NumPy broadcasts",
        "weight_format: no rate for it",
    ]


def test_what_is_right_comes_back_and_nothing_is_raised():
    check = Check()
    assert check.record("accelerator", "accelerator", "H100").entity == "h100-sxm"
    machine = check.record("accelerator", "accelerator", "b200")
    assert check.record("accelerator", "accelerator", machine) is machine
    assert check.choice("parallelism", "EP", ("tp", "ep")) == "ep"
    assert check.number("host_power_w", 0) == 0
    assert list(check.number("batch", [1, 2], arrays=True)) == [1.0, 2.0] and check.number("batch", 8) == 8.0
    check.shapes({"batch": numpy.ones((3, 1)), "context_tokens": numpy.ones(2)})
    check.done()
    assert check.problems == []
