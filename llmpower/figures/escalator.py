"""Figures of the chapter tdp-escalator; they draw what they are given and compute nothing."""

from llmpower.figures import style
from llmpower.figures.style import BLUE, GREEN, GREY, INK, ORANGE, RED, axes, data, direct

COOLING = {
    "air": (BLUE, "o", "sold for air"),
    "liquid": (ORANGE, "s", "liquid only"),
    "": (GREY, "D", "cooling not found"),
}


def history(points, ceiling, forecast):
    """Rated power against the year of announcement; parts of one year side by side, of one rating on a line.

    points : rated accelerators by year and power; a range is drawn where power is no vendor's rating.
    ceiling, forecast : the article's, of air cooling and for the next generation. [W]
    """
    table = []
    for point in points:
        power_w, rater = (point.tdp_w, point.low_w, point.high_w), "vendor" if point.vendor_power else "other"
        table.append((point.name, int(point.year), *power_w, COOLING[point.cooling][2], rater))
    table += [("the article's ceiling for air", None, ceiling), ("the article's forecast", None, None, *forecast)]
    powers = ["rated_power [W]", "rated_power_low [W]", "rated_power_high [W]"]
    data(["accelerator", "year", *powers, "cooling", "rated_by"], table)
    first, last = (round(end(point.year for point in points)) for end in (min, max))
    top, side = 1.08 * max(point.high_w or point.tdp_w for point in points), last + 1.25
    plot = axes(5.4, "year of announcement", "rated power of one accelerator (W)")
    lines = {}
    for point in points:
        lines.setdefault(point.tdp_w, {}).setdefault(point.label, point)
    for (power_w, parts), height in zip(sorted(lines.items()), style.apart(sorted(lines), top / 29)):
        start = min(part.year for part in parts.values())
        for ends in (([start, side - 0.3], [power_w] * 2), ([side - 0.3, side], [power_w, height])):
            plot.plot(*ends, color=GREY, linewidth=0.7, zorder=0.8)
        direct(plot, side, height, ", ".join(parts), INK, (3, 0))
        for part in parts.values():
            _part(plot, part, [one for one in parts.values() if one.year == part.year].index(part))
    plot.plot([first - 0.6, side - 0.3], [ceiling] * 2, color=RED, linewidth=1.2, linestyle=style.DASHED, zorder=1)
    direct(plot, first - 0.6, ceiling, "the article's\nceiling for air", RED, (2, 15))
    plot.plot([last + 0.5] * 2, forecast, color=RED, linewidth=6, alpha=0.5, solid_capstyle="butt")
    direct(plot, last + 0.5, forecast[1], "the article's\nforecast", RED, (0, 14), ha="center")
    style.key(plot, [(words, {"color": color, "marker": mark}) for color, mark, words in COOLING.values()], 0.03, 0.95)
    # Room to the right for the names.
    plot.set(xlim=(first - 0.6, side + 5.2), ylim=(0, top), xticks=range(first, last + 1, 3))


def _part(plot, part, place):
    """Mark of one part: the place counts those of its year and rating."""
    color, mark, _ = COOLING[part.cooling]
    x = part.year + 0.4 * place
    plot.plot(x, part.tdp_w, mark, color=color, fillstyle="full" if part.vendor_power else "none")
    if part.low_w:
        plot.plot([x, x], [part.low_w, part.high_w], color=color, alpha=0.35, linewidth=6)


def _factor(value, _):
    return f"×{value:,.0f}" if value >= 1 else f"÷{1 / value:,.0f}"


def split(rows):
    """Gain as efficiency times power on a logarithmic axis; a row is label, both factors, label of its end."""
    products = [(label, efficiency, power, efficiency * power) for label, efficiency, power, _ in rows]
    data(["accelerators", "efficiency_factor [1]", "power_factor [1]", "performance_factor [1]"], products)
    x = "factor between the two accelerators (logarithmic)"
    plot = style.rows([label for label, *_ in rows], 1.2 + 0.5 * len(rows), x)
    for place, (_, efficiency, power, end) in enumerate(rows):
        left, right = 1.0, 1.0
        for factor, color in ((efficiency, BLUE), (power, ORANGE)):
            start = right if factor >= 1 else left
            style.span(plot, place, start, start * factor, color, 17)
            right, left = max(right, start * factor), min(left, start * factor)
        direct(plot, right, place, end, INK)
    plot.axvline(1, color=GREY, linewidth=1.2)
    low, high = plot.dataLim.x0, max(2.0, plot.dataLim.x1)
    style.log(plot, "x", base=2, form=_factor)
    powers = [power for power in range(-60, 61) if low / 1.01 <= 2.0**power <= high * 1.01]
    plot.set_xticks([2.0**power for power in powers if power % (1 + len(powers) // 8) == 0])
    # Room to the right for the words at the ends.
    plot.set_xlim(low / (high / low) ** 0.03, high * (high / low) ** 0.5)
    direct(plot, 1, -0.65, "performance per watt", BLUE)
    direct(plot, 1, -0.65, "power", ORANGE, (112, 0))


def _series(years, names, lines, words, room):
    """Factors since the first accelerator; a line is label, values, colour and style."""
    over = f"over the {names[0]}"
    table = [(label, *point) for label, values, *_ in lines for point in zip(names, map(int, years), values)]
    data(["series", "accelerator", "year", f"{over.replace(' ', '_')} [1]"], table)
    plot = axes(y=f"{words}{over} (logarithmic)")
    for label, values, color, line in lines:
        plot.plot(years, values, line, color=color, markersize=5, label=label)
    style.log(plot, "y", base=2, form="×{x:g}")
    # Room for a label of two lines at the lowest end.
    low, high = plot.get_ylim()
    plot.set(ylim=(low * (low / high) ** 0.04, high), xlim=(years[0] - 0.3, years[-1] + room))
    style.ends(plot, 0.08)
    plot.set_xticks(years, [f"{year:.0f}\n{name}" for year, name in zip(years, names)])
    return plot


def transistors(years, names, lines):
    """Board power, transistors, watts per transistor and per area: label and values over those of the first."""
    colors = (GREEN, ORANGE, GREY, BLUE)
    plot = _series(years, names, [(*line, color, "o-") for line, color in zip(lines, colors)], "", 2.6)
    plot.axhline(1, color=GREY, linewidth=0.8)


def efficiency(years, names, lines, article):
    """Performance per watt by three metrics, label and values over the first, and what the article printed."""
    looks = ((BLUE, "o-"), (GREEN, "o-"), (GREY, "o:"))
    drawn = [*((*line, *look) for line, look in zip(lines, looks)), ("the article", article, RED, "D--")]
    _series(years, names, drawn, "performance per watt, ", 2.9)
