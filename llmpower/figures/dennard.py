"""Figures of the chapter dennard-collapse; they draw what they are given and compute nothing."""

from matplotlib.ticker import MaxNLocator

from llmpower.figures.style import BLUE, DASHED, GREEN, GREY, ORANGE, RED, axes, data, direct, ends, log, tidy

RULES = {
    "constant_field": ("constant field", BLUE, "-"),
    "fixed_voltage_flat": ("fixed voltage,\nflat clock", GREEN, (0, (6, 2))),
    "fixed_voltage_rising": ("fixed voltage,\nrising clock", ORANGE, (0, (2, 1.5))),
}


def _length(value, _):
    return f"{value * 1e6:g} µm" if value >= 1e-6 else f"{value * 1e9:g} nm"


def power_density(points, lines, named):
    """Power per area [W/mm2] of real processors against their feature size [m], and three rules from the first one.

    points : size and density of each processor.
    lines : rule -> sizes and densities.
    named : name, size, density, offset of the label in points.
    """
    names = {(x, y): name for name, x, y, _ in named}
    table = [("processor", names.get(point), *point) for point in dict.fromkeys([*map(tuple, points), *names])]
    table += [(RULES[rule][0], None, x, y) for rule, line in lines.items() for x, y in zip(*line)]
    data(["series", "processor", "feature_size [m]", "power_density [W/mm2]"], table)
    plot = axes(4.2, "feature size of the process, shrinking to the right", "rated power per area (W/mm²)")
    for rule, (sizes, values) in lines.items():
        label, color, dashes = RULES[rule]
        plot.plot(sizes, values, color=color, linestyle=dashes)
        direct(plot, sizes[-1], values[-1], label, color)
    plot.plot(*zip(*points), "o", color=GREY, markersize=5, alpha=0.75)
    for name, x, y, offset in named:
        plot.plot(x, y, "o", color=RED, markersize=6, zorder=5)
        direct(plot, x, y, name, RED, offset, leader=True, ha="center")
    log(plot, "x", form=_length)
    log(plot, "y")
    plot.set_xticks([1e-5, 3e-6, 1e-6, 3e-7, 1e-7, 3e-8])
    plot.set_xlim(max(x for x, _ in points) * 1.25, min(x for x, _ in points) * 0.9)
    plot.set_ylim(bottom=min(y for _, y in points) * 0.5)


def leakage(thresholds, curves, start, marks):
    """Current through a closed transistor against its threshold [V], from the floor up to the reader's transistor.

    curves : label, currents at the floor and with the body factor, over that at the threshold.
    start : label of the first mark.
    marks : threshold and current of the reader's transistor after each generation.
    """
    table = [(label, *point) for label, floor, real in curves for point in zip(thresholds, floor, real)]
    table += [("after each generation", threshold, None, current) for threshold, current in marks]
    data(["curve", "threshold_voltage [V]", "current_at_the_floor [1]", "current [1]"], table)
    plot = axes(x="threshold voltage (V)", y="current when off, over that at the threshold")
    labels = []
    for (label, floor, real), color in zip(curves, (RED, BLUE)):
        plot.fill_between(thresholds, floor, real, color=color, alpha=0.15, linewidth=0)
        plot.plot(thresholds, floor, color=color, linewidth=1, linestyle=DASHED)
        plot.plot(thresholds, real, color=color)
        labels.append((real[-1], label, color))
    plot.set_yscale("log")
    plot.set_xlim(0, thresholds[-1])
    plot.set_ylim(top=1)
    ends(plot, thresholds[-1], labels, 1 / 12)
    plot.plot(*zip(*marks), "o", color=GREY, markersize=6, zorder=5)
    direct(plot, *marks[0], start, GREY, (5, 9))
    direct(plot, 0.02, 0.05, "dashed: the floor", GREY, (0, 0), xycoords="axes fraction")


def dark(generations, shares, projected, chosen):
    """Share of a chip that must stay dark under the rules, a projection of 2011, and the reader's generations.

    shares : rule -> dark share at each generation.
    projected : label, generations, dark share, whether it is a lower end.
    """
    inside = [one for one in projected if one[1] <= generations[-1]]
    table = tidy(generations, [(RULES[rule][0], values) for rule, values in shares.items()])
    table += [(label, x, y, "lower end" if lower else None) for label, x, y, lower in inside]
    data(["series", "generation [count]", "dark_share [1]", "note"], table)
    plot = axes(x="generations of shrinking", y="share of the chip that must stay dark (%)")
    labels = []
    for rule, values in shares.items():
        label, color, dashes = RULES[rule]
        plot.plot(generations, values, color=color, linestyle=dashes)
        labels.append((values[-1], label, color))
    if all(values == shares["constant_field"] for values in shares.values()):
        labels = [(labels[0][0], "all three rules", GREY)]
    for label, x, y, lower in inside:
        plot.plot(x, y, "D", color=RED, markersize=6, zorder=5)
        if lower:
            plot.annotate("", (x, min(y + 0.12, 1)), (x, y), arrowprops={"arrowstyle": "->", "color": RED})
        direct(plot, x, y, label, RED, (0, -9), ha="center", va="top")
    if generations[0] < chosen < generations[-1]:
        plot.axvline(chosen, color=GREY, linewidth=1, linestyle=":")
    plot.set_xlim(generations[0], generations[-1])
    plot.set_ylim(-0.02, 1.04)
    plot.xaxis.set_major_locator(MaxNLocator(integer=True))
    plot.yaxis.set_major_formatter("{x:.0%}")
    ends(plot, generations[-1], labels, 0.16)
