"""The window of the serving benchmark: by hand, as published, and in the columns made with it."""

import pytest

from llmpower.facts.runs import measurements
from tests.evidence.serving_window import serving_window


@pytest.mark.parametrize(
    "row",
    [
        "mlenergy_v3-0010",
        "mlenergy_v3-0159",
        "mlenergy_v3-0315",
        "mlenergy_hold-0040",
        "mlenergy_hold-0080",
        "mlenergy_hold-0143",
    ],
)
def test_the_window_columns_are_made_again(row):
    runs = measurements("validation.csv" if "hold" in row else "measurements.csv")
    at = runs["id"].index(row)
    one = {name: column[at] for name, column in runs.items()}
    context, per_prompt = serving_window(
        int(one["max_batch"]),
        int(one["n_requests"]),
        one["output_tokens"],
        one["stationary_context_tokens"],
        one["prompt_tokens"],
    )
    assert context == pytest.approx(one["window_context_tokens"], abs=0.1)
    assert per_prompt == pytest.approx(one["output_tokens_per_prompt"], abs=0.1)


def test_an_endless_window_sees_the_stationary_context():
    # Exponential lengths: mean square over twice the mean is the mean itself.
    context, per_prompt = serving_window(16, 16000, 500, 500, 0)
    assert context == pytest.approx(500, rel=0.05)
    assert per_prompt == pytest.approx(500, rel=0.05)


def test_equal_lengths_have_a_window_by_hand():
    # Nearly equal answers of 1000 tokens, 10 at once, 21 requests: the window is the first answer, 0 to 1000 tokens.
    context, per_prompt = serving_window(10, 21, 1000, 500.005, 0)
    assert context == pytest.approx(500, rel=0.02)
    assert per_prompt == pytest.approx(1000, rel=0.15)


@pytest.mark.parametrize(
    ("window_j", "j_per_token", "window", "rel"),
    [
        # gpt-oss-120b on two H100: 68434.7 J in the window, 1188 requests, at most 1024 at once.
        (68434.666, 0.09540020, (1024, 1188, 1775.2, 1305, 224), 0.12),
        # Qwen3-14B on one B200: 152443.9 J, 198 requests, at most 128 at once.
        (152443.913, 0.18257543, (128, 198, 7327, 5129, 224), 0.12),
    ],
)
def test_the_window_holds_as_many_tokens_as_published(window_j, j_per_token, window, rel):
    # The energy of the window in the heads of two raw results; all but batch + 1 requests finish, each makes room for
    # one.
    batch, n_requests = window[:2]
    _, per_prompt = serving_window(*window)
    assert per_prompt * (n_requests - batch - 1) == pytest.approx(window_j / j_per_token, rel=rel)
