"""Figures of the chapter dennard-collapse; they draw what they are given and compute nothing."""

import math

from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter, PercentFormatter

from llmpower.figures.style import BLUE, GREEN, GREY, ORANGE, RED, apart, axes, data, direct, vertical

RULES = {
    "constant_field": ("constant field", BLUE, "-"),
    "fixed_voltage_flat": ("fixed voltage,\nflat clock", GREEN, (0, (6, 2))),
    "fixed_voltage_rising": ("fixed voltage,\nrising clock", ORANGE, (0, (2, 1.5))),
}


def _length(value, _):
    return f"{value * 1e6:g} µm" if value >= 1e-6 else f"{value * 1e9:g} nm"


def power_density(points, lines, named):
    """Power per area of real processors against their feature size, and three rules from the first one.

    Parameters
    ----------
    points : list of tuple
        Feature size [m] and power per area [W/mm2] of each processor.
    lines : dict
        Rule -> pair of lists: feature sizes [m], power per area [W/mm2].
    named : list of tuple
        Name, feature size, power per area, offset of the label in points.
    """
    names = {(x, y): name for name, x, y, _ in named}
    rows = [("processor", names.get(point), *point) for point in dict.fromkeys([*map(tuple, points), *names])]
    rows += [(RULES[rule][0], None, x, y) for rule, line in lines.items() for x, y in zip(*line)]
    data(["series", "processor", "feature_size [m]", "power_density [W/mm2]"], rows)
    plot = axes(4.2)
    for rule, (sizes, values) in lines.items():
        label, color, dashes = RULES[rule]
        plot.plot(sizes, values, color=color, linestyle=dashes)
        direct(plot, sizes[-1], values[-1], label, color)
    plot.plot([x for x, _ in points], [y for _, y in points], "o", color=GREY, markersize=5, alpha=0.75)
    for name, x, y, offset in named:
        plot.plot([x], [y], "o", color=RED, markersize=6, zorder=5)
        line = {"arrowstyle": "-", "color": RED, "linewidth": 0.8, "shrinkB": 4}
        direct(plot, x, y, name, RED, xytext=offset, ha="center", arrowprops=line)
    plot.set_xscale("log")
    plot.set_yscale("log")
    plot.set_xticks([1e-5, 3e-6, 1e-6, 3e-7, 1e-7, 3e-8])
    plot.set_xlim(max(x for x, _ in points) * 1.25, min(x for x, _ in points) * 0.9)
    plot.set_ylim(bottom=min(y for _, y in points) * 0.5)
    plot.xaxis.set_major_formatter(FuncFormatter(_length))
    plot.xaxis.set_minor_formatter(NullFormatter())
    plot.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    plot.set_xlabel("feature size of the process, shrinking to the right")
    vertical(plot, "rated power per area (W/mm²)")


def leakage(thresholds, curves, start, marks):
    """Current through a closed transistor against its threshold, from the floor up to the reader's transistor.

    Parameters
    ----------
    thresholds : sequence of float
        Threshold voltages, rising. [V]
    curves : list of tuple
        Label, currents at the floor and with the body factor, over that at the threshold. [1]
    start : str
        Label of the first mark.
    marks : list of tuple
        Threshold [V] and current of the reader's transistor after each generation. [1]
    """
    rows = [(label, *row) for label, floor, real in curves for row in zip(thresholds, floor, real)]
    rows += [("after each generation", threshold, None, current) for threshold, current in marks]
    data(["curve", "threshold_voltage [V]", "current_at_the_floor [1]", "current [1]"], rows)
    plot = axes()
    colors = (RED, BLUE)
    for place, (label, floor, real) in enumerate(curves):
        plot.fill_between(thresholds, floor, real, color=colors[place], alpha=0.15, linewidth=0)
        plot.plot(thresholds, floor, color=colors[place], linewidth=1, linestyle=(0, (4, 3)))
        plot.plot(thresholds, real, color=colors[place])
    plot.set_yscale("log")
    plot.set_xlim(0, thresholds[-1])
    plot.set_ylim(top=1)
    # Ends are set apart on the logarithmic axis.
    low, _ = plot.get_ylim()
    span = _decades(low)
    ends = [(_decades(real[-1] / low), label, color) for (label, _, real), color in zip(curves, colors)]
    ends.sort()
    for height, (_, label, color) in zip(apart([end[0] for end in ends], span / 12), ends):
        direct(plot, 1, height / span, label, color, xycoords="axes fraction")
    plot.plot([x for x, _ in marks], [y for _, y in marks], "o", color=GREY, markersize=6, zorder=5)
    direct(plot, *marks[0], start, GREY, xytext=(5, 9))
    plot.set_xlabel("threshold voltage (V)")
    vertical(plot, "current when off, over that at the threshold")
    direct(plot, 0.02, 0.05, "dashed: the floor", GREY, xytext=(0, 0), xycoords="axes fraction")


def _decades(value):
    return abs(math.log10(value))


def dark(generations, shares, projected, chosen):
    """Share of a chip that must stay dark under the rules, and a projection of 2011.

    Parameters
    ----------
    generations : sequence of float
        Generations, rising. [1]
    shares : dict
        Rule -> dark share at each. [1]
    projected : list of tuple
        Label, generations, dark share, whether it is a lower end. [1]
    chosen : int
        The reader's generations, marked if they are inside the axis.
    """
    inside = [one for one in projected if one[1] <= generations[-1]]
    rows = [(RULES[rule][0], *row, None) for rule, values in shares.items() for row in zip(generations, values)]
    rows += [(label, x, y, "lower end" if lower else None) for label, x, y, lower in inside]
    data(["series", "generation [count]", "dark_share [1]", "note"], rows)
    plot = axes()
    ends = []
    for rule, values in shares.items():
        label, color, dashes = RULES[rule]
        plot.plot(generations, values, color=color, linestyle=dashes)
        ends.append((values[-1], label, color))
    if all(values == shares["constant_field"] for values in shares.values()):
        ends = [(ends[0][0], "all three rules", GREY)]
    ends.sort()
    for height, (_, label, color) in zip(apart([end[0] for end in ends], 0.15), ends):
        direct(plot, generations[-1], height, label, color, annotation_clip=False)
    for label, x, y, lower in inside:
        plot.plot([x], [y], "D", color=RED, markersize=6, zorder=5)
        if lower:
            plot.annotate("", (x, min(y + 0.12, 1)), (x, y), arrowprops={"arrowstyle": "->", "color": RED})
        direct(plot, x, y, label, RED, xytext=(0, -12), ha="center", va="top")
    if generations[0] < chosen < generations[-1]:
        plot.axvline(chosen, color=GREY, linewidth=1, linestyle=":")
    plot.set_xlim(generations[0], generations[-1])
    plot.set_ylim(-0.02, 1.04)
    plot.xaxis.set_major_locator(MaxNLocator(integer=True))
    plot.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    plot.set_xlabel("generations of shrinking")
    vertical(plot, "share of the chip that must stay dark (%)")
