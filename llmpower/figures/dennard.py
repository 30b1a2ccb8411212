"""Figures of the chapter dennard-collapse; they draw what they are given and compute nothing."""

from matplotlib.ticker import EngFormatter

from llmpower.figures import style
from llmpower.figures.style import BLUE, GREEN, GREY, ORANGE, PURPLE, RED, SKY, axes, data, direct

RULES = {
    "constant_field": ("constant field", BLUE, "-"),
    "fixed_voltage_flat": ("fixed voltage,\nflat clock", GREEN, (0, (6, 2))),
    "fixed_voltage_rising": ("fixed voltage,\nrising clock", ORANGE, (0, (2, 1.5))),
}


def _rules(plot, lines):
    for rule, line in lines.items():
        label, color, dashes = RULES[rule]
        plot.plot(*line, color=color, linestyle=dashes, label=label)


def power_density(points, lines, named, boards):
    """Power per area [W/mm2] of real processors against their feature size [m], three rules, and accelerators.

    points : name, kind of logic, size and density of each processor.
    lines : rule -> sizes and densities.
    named : label, name of a processor, offset of the label in points.
    boards : name, size that the process is named by and density, a Range, of each accelerator.
    """
    table = [("processor", *point) for point in points]
    table += [("accelerator", name, "CMOS", size, heat.central) for name, size, heat in boards]
    table += [(RULES[rule][0], None, None, x, y) for rule, line in lines.items() for x, y in zip(*line)]
    data(["series", "processor", "logic", "feature_size [m]", "power_density [W/mm2]"], table)
    plot = axes(4.4, "size or name of the process, shrinking to the right", "rated power per area (W/mm²)", "xy")
    plot.xaxis.set_major_formatter(EngFormatter("m"))
    _rules(plot, lines)
    for old, color in ((True, SKY), (False, GREY)):
        some = [point[2:] for point in points if (point[1] in ("PMOS", "NMOS")) is old]
        plot.plot(*zip(*some), "o", color=color, markersize=5, alpha=0.75)
    places = {name: place for name, _, *place in points}
    for label, name, offset in named:
        style.mark(plot, *places[name], label, RED, offset, "o", leader=True, ha="center")
    _, where, heats = zip(*boards)
    for size, heat in zip(where, heats):
        plot.plot([size] * 2, [heat.low, heat.high], color=PURPLE)
        plot.plot(size, heat.central, "D", color=PURPLE, markersize=4)
    direct(plot, max(where), min(heat.low for heat in heats), "accelerators", PURPLE, (0, -14))
    direct(plot, 0.02, 0.95, "blue: PMOS and NMOS", SKY, (0, 0), xycoords="axes fraction")
    sizes, densities = zip(*places.values())
    plot.set(xticks=[1e-5, 1e-6, 1e-7, 1e-8])
    plot.set(xlim=(max(sizes) * 1.25, min(where) * 0.8), ylim=(min(densities) * 0.5, None))
    style.ends(plot, 0.1)


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
    for (label, floor, real), color in zip(curves, (RED, BLUE)):
        plot.fill_between(thresholds, floor, real, color=color, alpha=0.15, linewidth=0)
        plot.plot(thresholds, floor, color=color, linewidth=1, linestyle=style.DASHED)
        plot.plot(thresholds, real, color=color, label=label)
    plot.set_yscale("log")
    plot.set(xlim=(0, thresholds[-1]), ylim=(None, 1))
    style.ends(plot, 1 / 12)
    plot.plot(*zip(*marks), "o", color=GREY, markersize=6, zorder=5)
    direct(plot, *marks[0], start, GREY, (5, 9))
    direct(plot, 0.02, 0.05, "dashed: the floor", GREY, (0, 0), xycoords="axes fraction")


def dark(generations, shares, projected, chosen):
    """Share of a chip that must stay dark under the rules, a projection of 2011, and the reader's generations.

    shares : rule -> dark share at each generation.
    projected : label, generations, dark share, whether it is a lower end.
    """
    inside = [one for one in projected if one[1] <= generations[-1]]
    table = style.tidy(generations, [(RULES[rule][0], values) for rule, values in shares.items()])
    table += [(label, x, y, "lower end" if lower else None) for label, x, y, lower in inside]
    data(["series", "generation [count]", "dark_share [1]", "note"], table)
    plot = axes(x="generations of shrinking", y="share of the chip that must stay dark (%)")
    _rules(plot, {rule: (generations, values) for rule, values in shares.items()})
    for label, x, y, lower in inside:
        if lower:
            plot.annotate("", (x, min(y + 0.12, 1)), (x, y), arrowprops={"arrowstyle": "->", "color": RED})
        style.mark(plot, x, y, label, RED, (0, -9), ha="center", va="top")
    if generations[0] < chosen < generations[-1]:
        plot.axvline(chosen, color=GREY, linewidth=1, linestyle=":")
    plot.set(xlim=(generations[0], generations[-1]), ylim=(-0.02, 1.04))
    if all(values == shares["constant_field"] for values in shares.values()):
        direct(plot, generations[-1], shares["constant_field"][-1], "all three rules", GREY)
    else:
        style.ends(plot, 0.16)
