"""Small multiples of a sweep: a panel for each number, a line for each case, all over one parameter."""

import io

import matplotlib.pyplot as plt
from matplotlib.ticker import EngFormatter, NullLocator, PercentFormatter

from llmpower.figures import style

_COLUMNS, _HEIGHT = 3, 2.1
# So many values stand at the axis, each one.
_TICKS = 6


def multiples(panels, x, places, labels=None):
    """Draw panels and return them as SVG.

    panels : (title, lines), a line being its label, its values at the places, None where there is none, its colour, and
        how it is dashed.
    x : name of the parameter along the horizontal axis.
    places : where its values lie. labels : what stands there instead of numbers.
    """
    rows = -(-len(panels) // _COLUMNS)
    style.axes()
    plt.close("all")
    width = style.WIDTH * 1.9
    figure, grid = plt.subplots(
        rows, _COLUMNS, figsize=(width, _HEIGHT * rows + 0.3), layout="constrained", squeeze=False
    )
    wide = labels is None and min(places) > 0 and max(places) > 20 * min(places)
    for plot, (title, lines) in zip(grid.flat, panels):
        for label, values, color, dashed in lines:
            known = [(place, value) for place, value in zip(places, values) if value is not None]
            look = {"color": color, "markersize": 3, "linewidth": 1.2, "linestyle": dashed if labels is None else ""}
            plot.plot(*zip(*known), marker="o", label=label, **look)
        shown = [value for _, values, *_ in lines for value in values if value is not None]
        plot.set_title(title, fontsize=9, loc="left")
        if wide:
            style.log(plot, "x")
            if len(places) <= _TICKS:
                plot.set_xticks(places)
        if min(shown) > 0 and max(shown) > 20 * min(shown):
            plot.set_yscale("log")
        plain = "{x:,.4g}" if "usd" in title else EngFormatter(sep="")
        plot.yaxis.set_major_formatter(PercentFormatter(1) if title.endswith("[%]") else plain)
        plot.yaxis.set_minor_locator(NullLocator())
        if labels is not None:
            plot.set_xticks(places, labels, rotation=60, ha="right", fontsize=7)
    for plot in grid.flat[len(panels) :]:
        plot.set_axis_off()
    figure.supxlabel(x, fontsize=9)
    text = io.BytesIO()
    figure.savefig(text, format="svg", metadata={"Date": None})
    plt.close(figure)
    drawn = text.getvalue().decode("utf-8")
    return drawn[drawn.index("<svg") :]
