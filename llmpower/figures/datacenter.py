"""Figures of the chapter datacenter-scale; they draw what they are given and compute nothing."""

from math import log10

from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from llmpower.figures.style import BLUE, GREEN, GREY, INK, ORANGE, RED, apart, axes, data, direct, vertical

STEPS = {
    "busy": ("boards\nat work,\nmean load", BLUE),
    "spare": ("boards\nfor the peak\nand spare", GREEN),
    "host": ("rest\nof the\nservers", ORANGE),
    "overhead": ("cooling\nand con-\nversion", RED),
}
_WATTS = ((1e9, "GW"), (1e6, "MW"), (1e3, "kW"), (1, "W"))


def _watts(highest):
    return next((one for one in _WATTS if highest >= one[0]), _WATTS[-1])


def _short(value):
    """Three digits, without zeros that say nothing."""
    return f"{value:,.0f}" if 100 <= value < 1e6 else f"{value:.3g}"


def waterfall(steps_w, drawn_w):
    """How boards grow into a site, and what is drawn on average.

    Parameters
    ----------
    steps_w : dict
        Names of `STEPS` -> power added, in this order. [W]
    drawn_w : float
        Mean power at the meter. [W]
    """
    plot = axes(3.4)
    total = sum(steps_w.values())
    factor, unit = _watts(total)
    labels, reached, top = [], 0.0, total / factor
    rows = [
        *((STEPS[name][0], watts) for name, watts in steps_w.items()),
        ("to be built", total),
        ("drawn on average", drawn_w),
    ]
    data(["step", f"power [{unit}]"], [(label, watts / factor) for label, watts in rows])
    for place, (name, watts) in enumerate(steps_w.items()):
        label, color = STEPS[name]
        labels.append(label)
        plot.bar(place, watts / factor, bottom=reached, color=color, width=0.62)
        following = reached + watts / factor
        plot.plot([place - 0.31, place + 1.31], [following, following], color=GREY, linewidth=0.9)
        sign = "" if place == 0 else "+"
        direct(plot, place, following, sign + _short(watts / factor), INK, xytext=(0, 8), ha="center")
        reached = following
    for place, watts, label in ((4, total, "to be\nbuilt"), (5, drawn_w, "drawn on\naverage")):
        plot.bar(place, watts / factor, color=GREY, width=0.62, alpha=1 if place == 4 else 0.55)
        direct(plot, place, watts / factor, _short(watts / factor), INK, xytext=(0, 8), ha="center")
        labels.append(label)
    plot.set_xticks(range(6), labels)
    plot.set_ylim(0, 1.12 * max(top, drawn_w / factor))
    vertical(plot, f"power ({unit})")
    plot.grid(axis="x", visible=False)


def _count(value, _=None):
    for factor, word in ((1e12, "trillion"), (1e9, "billion"), (1e6, "million"), (1e3, "thousand")):
        if value >= factor:
            return f"{value / factor:g} {word}"
    return f"{value:g}"


def sites(megawatts, lines, traffic, marks):
    """Queries a day that a site can answer, for several rates of a board.

    Parameters
    ----------
    megawatts : sequence of float
        Power of the site, rising. [MW]
    lines : list of tuple
        Label, queries per day at each power; the highest first. [1/day]
    traffic : dict
        Label of a service -> its queries per day. [1/day]
    marks : dict
        Label of a kind of site -> its power. [MW]
    """
    rows = [(label, *row) for label, queries in lines for row in zip(megawatts, queries)]
    rows += [
        *((label, None, queries) for label, queries in traffic.items()),
        *((label, power, None) for label, power in marks.items()),
    ]
    data(["line", "site_power [MW]", "queries [1/day]"], rows)
    plot = axes(4.2)
    plot.set_xscale("log")
    plot.set_yscale("log")
    for (label, queries), color in zip(lines, (BLUE, GREEN, ORANGE)):
        plot.plot(megawatts, queries, color=color)
    lowest = min(*(queries[0] for _, queries in lines), *traffic.values())
    highest = max(*(queries[-1] for _, queries in lines), *traffic.values())
    bottom, top = lowest / (highest / lowest) ** 0.35, highest * (highest / lowest) ** 0.08
    # Labels at the right end keep a distance of an eighth of the axis, downwards from the highest.
    depths = apart([-log10(queries[-1]) for _, queries in lines], log10(top / bottom) / 8)
    for depth, (label, _), color in zip(depths, lines, (BLUE, GREEN, ORANGE)):
        direct(plot, megawatts[-1], 10**-depth, label, color, annotation_clip=False)
    for label, queries in traffic.items():
        plot.axhline(queries, color=GREY, linewidth=1, linestyle=(0, (4, 3)))
        # Where no line can be: above all of them on the left, or below them on the right.
        left = queries > 2 * max(line[0] for _, line in lines)
        direct(
            plot,
            megawatts[0 if left else -1],
            queries,
            label,
            GREY,
            xytext=(6 if left else -6, 9),
            ha="left" if left else "right",
        )
    for label, power in marks.items():
        plot.axvline(power, color=GREY, linewidth=1, linestyle=":")
        aside = {"rotation": 90, "xytext": (-3, 0), "ha": "right", "va": "bottom"}
        direct(plot, power, 0.02, label, GREY, xycoords=("data", "axes fraction"), **aside)
    plot.set_xlim(megawatts[0], megawatts[-1])
    plot.set_ylim(bottom, top)
    plot.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    plot.yaxis.set_major_formatter(FuncFormatter(_count))
    plot.set_xlabel("power of the site (MW)")
    vertical(plot, "queries a day")


def tornado(bars, central):
    """How far a cost moves with each input.

    Parameters
    ----------
    bars : list of tuple
        Label, text of the low end, text of the high end, result there and there; the widest first. [usd]
    central : float
        Result with all inputs at their own values. [usd]
    """
    columns = [
        "input",
        "low_end",
        "high_end",
        *(f"electricity_cost{end} [USD per 1e6 tokens]" for end in ("", "_at_low_end", "_at_high_end")),
    ]
    data(columns, [(*bar[:3], central, *bar[3:]) for bar in bars])
    plot = axes(1.1 + 0.36 * len(bars))
    results = [value for bar in bars for value in bar[3:]] + [central]
    left, right = min(results), max(results)
    for place, (_, low_text, high_text, at_low, at_high) in enumerate(reversed(bars)):
        ends = sorted([(at_low, low_text, BLUE), (at_high, high_text, ORANGE)], key=lambda end: -abs(end[0] - central))
        # The far end first, so that a near one on the same side stays in sight.
        for value, _, color in ends:
            plot.plot([central, value], [place, place], color=color, linewidth=11, solid_capstyle="butt")
        (far, far_text, _), (near, near_text, _) = ends
        right_of = far > central
        same_side = (near > central) == right_of and near != central
        for value, label, outward in (
            (far, far_text, right_of),
            (central if same_side else near, near_text, not right_of),
        ):
            direct(plot, value, place, label, INK, xytext=(5 if outward else -5, 0), ha="left" if outward else "right")
    plot.axvline(central, color=GREY, linewidth=1.2)
    for across, label, color, side in (
        (0, "low end of the input", BLUE, "left"),
        (1, "high end of the input", ORANGE, "right"),
    ):
        direct(plot, across, 1, label, color, xycoords="axes fraction", xytext=(0, 9), ha=side)
    plot.set_xscale("log")
    room = max((right / left) ** 0.26, 1.2)
    plot.set_xlim(left / room, right * room)
    plot.set_ylim(-0.7, len(bars) - 0.3)
    plot.set_yticks(range(len(bars)), [bar[0] for bar in reversed(bars)])
    plot.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    plot.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if right / left < 300 else (1,)))
    plot.xaxis.set_minor_formatter(NullFormatter())
    plot.set_xlabel("electricity per million output tokens (USD)")
    plot.grid(axis="y", visible=False)
