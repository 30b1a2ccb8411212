"""Figures of the chapter tdp-escalator; they draw what they are given and compute nothing."""

from math import log2

from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter

from llmpower.figures.style import BLUE, GREEN, GREY, INK, ORANGE, RED, apart, axes, data, direct, vertical

COOLING = {
    "air": (BLUE, "o", "sold for air"),
    "liquid": (ORANGE, "s", "liquid only"),
    "": (GREY, "D", "cooling not in our facts"),
}


def history(points, ceiling, forecast):
    """Rated power against the year of announcement.

    Parameters
    ----------
    points : list of Rated
        Accelerators by year and power; the range is drawn where power is no vendor's rating.
    ceiling : float
        The article's ceiling of air cooling. [W]
    forecast : tuple of float
        The article's range for the next generation. [W]
    """
    rows = [
        (
            point.name,
            int(point.year),
            point.tdp_w,
            *((point.low_w, point.high_w) if point.low_w < point.high_w else (None, None)),
            COOLING[point.cooling][2],
            "vendor" if point.vendor_power else "other",
        )
        for point in points
    ]
    rows += [
        ("the article's ceiling for air", None, ceiling, *[None] * 4),
        ("the article's forecast", None, None, *forecast, None, None),
    ]
    data(
        [
            "accelerator",
            "year",
            "rated_power [W]",
            "rated_power_low [W]",
            "rated_power_high [W]",
            "cooling",
            "rated_by",
        ],
        rows,
    )
    plot = axes(5.0)
    top = 1.12 * max(point.high_w for point in points)
    years = sorted({point.year for point in points})
    for column, year in enumerate(years):
        labels, looks = {}, {}
        for point in sorted(
            (point for point in points if point.year == year), key=lambda one: (not one.cooling, not one.vendor_power)
        ):
            color, marker, _ = COOLING[point.cooling]
            # Marks of equal height stand side by side; equal marks are one.
            same = looks.setdefault(point.tdp_w, [])
            look = point.cooling, point.vendor_power
            if look not in same:
                same.append(look)
                here = column - 0.2 * (len(same) - 1)
                plot.plot(
                    [here], [point.tdp_w], marker, color=color, fillstyle="full" if point.vendor_power else "none"
                )
                if point.low_w < point.high_w:
                    plot.plot([here, here], [point.low_w, point.high_w], color=color, alpha=0.35, linewidth=6)
            labels.setdefault((point.tdp_w, point.label), color)
        ordered = sorted(labels)
        for (value, label), height in zip(ordered, apart([value for value, _ in ordered], top / 32)):
            above = 7 if abs(height - ceiling) < top / 60 else 0
            direct(plot, column, height, label, labels[value, label], xytext=(6, above))
    plot.axhline(ceiling, color=RED, linewidth=1.2, linestyle=(0, (4, 3)), zorder=0)
    direct(plot, -0.6, ceiling, "the article's\nceiling for air", RED, xytext=(2, 15))
    last = len(years) - 0.35
    plot.plot([last, last], forecast, color=RED, linewidth=6, alpha=0.5, solid_capstyle="butt")
    direct(plot, last, forecast[0], "the article's\nforecast", RED, xytext=(0, -14), ha="center")
    for place, (color, marker, words) in enumerate(COOLING.values()):
        height = top * (0.95 - 0.055 * place)
        plot.plot([-0.4], [height], marker, color=color)
        direct(plot, -0.4, height, words, color)
    plot.set_xlim(-0.6, last + 0.55)
    plot.set_ylim(0, top)
    plot.set_xticks(range(len(years)), [f"{year:.0f}" for year in years])
    plot.set_xlabel("year of announcement (empty years left out)")
    vertical(plot, "rated power of one accelerator (W)")


def _factor(value, _=None):
    return f"×{value:,.0f}" if value >= 1 else f"÷{1 / value:,.0f}"


def split(rows):
    """Gain as efficiency times power, one bar a row on a logarithmic axis.

    Parameters
    ----------
    rows : list of tuple
        Label, efficiency, power and label of the end; the first two are
        factors. [1]
    """
    products = [(label, efficiency, power, efficiency * power) for label, efficiency, power, _ in rows]
    data(["accelerators", "efficiency_factor [1]", "power_factor [1]", "performance_factor [1]"], products)
    plot = axes(1.2 + 0.5 * len(rows))
    reach = [1.0]
    for place, (_, efficiency, power, end) in enumerate(reversed(rows)):
        left, right = 1.0, 1.0
        for factor, color in ((efficiency, BLUE), (power, ORANGE)):
            start = right if factor >= 1 else left
            plot.plot([start, start * factor], [place, place], color=color, linewidth=17, solid_capstyle="butt")
            right, left = (start * factor, left) if factor >= 1 else (right, start * factor)
        reach += [left, right]
        direct(plot, right, place, end, INK)
    plot.axvline(1, color=GREY, linewidth=1.2)
    low, high = min(reach), max(*reach, 2)
    plot.set_xscale("log", base=2)
    # Room to the right for the words at the ends.
    plot.set_xlim(low / (high / low) ** 0.03, high * (high / low) ** 0.5)
    powers = [power for power in range(-60, 61) if low / 1.01 <= 2.0**power <= high * 1.01]
    stride = 1 + len(powers) // 8
    ticks = [2.0**power for power in powers if power % stride == 0]
    plot.xaxis.set_major_locator(FixedLocator(ticks))
    plot.xaxis.set_minor_formatter(NullFormatter())
    plot.xaxis.set_major_formatter(FuncFormatter(_factor))
    plot.set_yticks(range(len(rows)), [label for label, *_ in reversed(rows)])
    plot.set_ylim(-0.6, len(rows) + 0.1)
    plot.grid(axis="y", visible=False)
    height = len(rows) - 0.35
    direct(plot, 1, height, "performance per watt", BLUE)
    direct(plot, 1, height, "power", ORANGE, xytext=(112, 0))
    plot.set_xlabel("factor between the two accelerators (logarithmic)")


def _index_axis(plot, ticks, label):
    low, high = plot.get_ylim()
    plot.yaxis.set_major_locator(FixedLocator([tick for tick in ticks if low <= tick <= high]))
    plot.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"×{value:g}"))
    plot.yaxis.set_minor_formatter(NullFormatter())
    vertical(plot, label)


def _lines(plot, years, names, lines, distance):
    """Lines with a label at the right end of each, kept apart by a distance in octaves."""
    rows = [
        (label, *row)
        for label, values, *_ in lines
        for row in zip(names, map(int, years), values)
        if row[2] is not None
    ]
    data(["series", "accelerator", "year", f"over_the_{names[0]} [1]"], rows)
    ends = []
    for label, values, color, style in lines:
        known = [(year, value) for year, value in zip(years, values) if value is not None]
        plot.plot(*zip(*known), style, color=color, markersize=5)
        ends.append((known[-1][1], label, color))
    plot.set_yscale("log", base=2)
    ends.sort()
    for height, (_, label, color) in zip(apart([log2(end[0]) for end in ends], distance), ends):
        direct(plot, years[-1], 2**height, label, color)
    # Room for a label of two lines at the lowest end.
    low, high = plot.get_ylim()
    plot.set_ylim(low * (low / high) ** 0.04, high)


def transistors(years, names, lines):
    """Board power, transistors, watts per transistor and per area, over those of the first.

    Parameters
    ----------
    years : list of float
        Years of announcement.
    names : list of str
        Accelerators.
    lines : list of tuple
        Label and values over the first. [1]
    """
    plot = axes()
    colors = (GREEN, ORANGE, GREY, BLUE)
    _lines(plot, years, names, [(label, values, color, "o-") for (label, values), color in zip(lines, colors)], 0.35)
    plot.axhline(1, color=GREY, linewidth=0.8)
    _index_axis(plot, [2.0**power for power in range(-6, 12)], f"over the {names[0]} (logarithmic)")
    plot.set_xlim(years[0] - 0.3, years[-1] + 2.6)
    plot.set_xticks(years, [f"{year:.0f}\n{name}" for year, name in zip(years, names)])


def efficiency(years, names, lines, article):
    """Performance per watt by three metrics, and what the article printed.

    Parameters
    ----------
    years : list of float
        Years of announcement.
    names : list of str
        Accelerators.
    lines : list of tuple
        Label and values over the first, None where there is no value. [1]
    article : list of float
        The article's values. [1]
    """
    plot = axes()
    styles = ((BLUE, "o-"), (GREEN, "o-"), (GREY, "o:"))
    rows = [(label, values, color, style) for (label, values), (color, style) in zip(lines, styles)]
    _lines(plot, years, names, [*rows, ("the article", article, RED, "D--")], 0.3)
    _index_axis(
        plot, [2.0**power for power in range(-3, 9)], f"performance per watt, over the {names[0]} (logarithmic)"
    )
    plot.set_xlim(years[0] - 0.3, years[-1] + 2.9)
    plot.set_xticks(years, [f"{year:.0f}\n{name}" for year, name in zip(years, names)])
