"""Figures of the chapter on measurements draw every point they are given."""

import matplotlib.pyplot as plt
import numpy as np

from llmpower.facts import catalog
from llmpower.figures import measurement as figures
from llmpower.step import roof as ceilings


def test_figures_draw_every_point_they_are_given():
    intensity = np.geomspace(1, 2000, 50)
    ten, one = np.array([10.0, 20.0]), np.array([5.0])
    points = [("Llama", ten, ten * 2e12, ten / 2, ten * 1e12), ("Unknown", one, one * 2e12, one, one * 2e12)]
    roof = ceilings.roof(catalog.accelerator("h100-sxm"), intensity)
    figures.roofs(intensity, roof, "H100", 700, points)
    plot = plt.gca()
    drawn = [
        line.get_xydata() for line in plot.lines if line.get_transform() == plot.transData and line.get_marker() == "o"
    ]
    assert sum(len(one) for one in drawn) == 3
    assert any((one == [[5.0, 10.0]]).all() for one in drawn)
    plt.close()
