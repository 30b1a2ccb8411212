"""The history of ratings: a true axis of time, and every part at its own place."""

import matplotlib.pyplot as plt
import pytest

from llmpower.chips import generations
from llmpower.figures import escalator


@pytest.fixture
def plot():
    escalator.history(generations.power_history(), 350, (1200, 1500))
    yield plt.gca()
    plt.close("all")


def test_a_year_is_a_year_wide(plot):
    drawn = [line for line in plot.lines if line.get_transform() is plot.transData]
    marks = [line.get_xydata()[0] for line in drawn if line.get_marker() not in ("None", None, "")]
    rated = {(one.label, one.year, one.tdp_w) for one in generations.power_history()}
    # One mark for each label; it stands in the year of its part, side by side with those of the same rating.
    assert len(marks) == len({label for label, *_ in rated})
    for x, watts in marks:
        assert any(watts == power and 0 <= x - year < 1 for _, year, power in rated)
    assert len({tuple(mark) for mark in marks}) == len(marks)


def test_names_follow_their_marks(plot):
    names = {text.get_text() for text in plot.texts}
    # 2024, 2024 and 2025 at 1,000 W; 2022, 2023 and 2023 at 700 W.
    assert {"B200, MI325X, MI350X", "H100, GH200, H200"} <= names
