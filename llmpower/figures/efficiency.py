"""Figures of the chapter tokens-per-watt; they draw what they are given and compute nothing."""

from matplotlib.ticker import FuncFormatter, NullFormatter

from llmpower.figures.style import BLUE, GREEN, GREY, INK, ORANGE, PURPLE, RED, SKY, axes, band, data, direct, vertical

# More colours that stay apart with any colour vision; line styles tell them apart in grey.
_COLORS = (BLUE, ORANGE, GREEN, PURPLE, SKY, INK)
_LINES = ("-", (0, (6, 2)), (0, (2, 1.5)), (0, (6, 2, 1, 2)))


def _look(place):
    return {"color": _COLORS[place % len(_COLORS)], "linestyle": _LINES[place % len(_LINES)]}


def _plain_logs(plot, which="xy"):
    for axis in (plot.xaxis, plot.yaxis)[:: 1 if which == "xy" else -1][: len(which)]:
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
        axis.set_minor_formatter(NullFormatter())


def _key(plot, names, left):
    """Names of the curves, from fast to slow, in the corner that the curves leave free."""
    for place, (name, look) in enumerate(names):
        x, way, align = (0.02, 1, "left") if left else (0.985, -1, "right")
        y = 0.965 - 0.064 * place
        direct(plot, x + 0.12 * way, y, name, look["color"], xycoords="axes fraction", xytext=(0, 0), ha=align)
        plot.plot([x, x + 0.1 * way], [y, y], transform=plot.transAxes, **look)


def bytes_per_joule(lines, article, lone, batched, gigabyte):
    """Tokens per joule over bytes read per token; equal bytes per joule lie on diagonals.

    Parameters
    ----------
    lines : sequence of float
        Bytes per joule whose diagonals are drawn. [B/J]
    article, lone : list of tuple
        Bytes per token [B], tokens per joule [1/J], label, offset of the label in points.
    batched : dict
        Label -> (colour name, list of (bytes per token, tokens per joule) by rising
        batch, which of them is labelled, offset of the label in points).
    gigabyte : float
        Bytes that the axis counts in. [B]
    """
    plot = axes(4.4)
    plot.set_xscale("log"), plot.set_yscale("log")
    low, high = 0.08, 260
    rows = [(f"{value / gigabyte:g} GB/J", None, x, value / gigabyte / x) for value in lines for x in (low, high)]
    rows += [(name, None, x / gigabyte, y) for name, (_, points, *_) in batched.items() for x, y in points]
    rows += [
        (name, label, x / gigabyte, y)
        for name, points in (("alone", lone), ("the article", article))
        for x, y, label, _ in points
    ]
    data(["series", "label", "read_per_token [GB]", "tokens_per_joule [1/J]"], rows)
    plot.set_xlim(low, high), plot.set_ylim(0.02, 30)
    for value in lines:
        k = value / gigabyte
        plot.plot([low, high], [k / low, k / high], color=GREY, linewidth=0.8, alpha=0.5, zorder=1)
        # The labels stand in one row across the diagonals.
        x = 17 * k**0.5
        direct(plot, x, k / x, f"{k:g} GB/J", GREY, xytext=(0, 0), rotation=-37, ha="center")
    for label, (color, points, at, (dx, dy, align)) in batched.items():
        color = {"blue": BLUE, "green": GREEN}[color]
        plot.plot(
            [x / gigabyte for x, _ in points], [y for _, y in points], "o-", color=color, markersize=4, linewidth=1.3
        )
        x, y = points[at]
        direct(plot, x / gigabyte, y, label, color, xytext=(dx, dy), ha=align)
    for points, mark, color in ((lone, "o", BLUE), (article, "D", RED)):
        for x, y, label, (dx, dy, align) in points:
            plot.plot([x / gigabyte], [y], mark, color=color, markersize=6, zorder=5)
            direct(plot, x / gigabyte, y, label, color, xytext=(dx, dy), ha=align)
    _plain_logs(plot)
    plot.set_xlabel("bytes read per output token (GB)")
    vertical(plot, "tokens per joule")


def against_batch(groups, article):
    """Measured tokens per joule against batch, under the bound of the same set-up.

    Parameters
    ----------
    groups : list of tuple
        Label, list of (batch, measured tokens per joule) [1/J], batches of the
        bound and its ranges, more measured points of other software, or none.
    article : list of tuple
        Batch, tokens per joule [1/J] and label of the article's claims.
    """
    rows = []
    for label, points, batches, bound, more in groups:
        series = (("measured", points), ("bound", zip(batches, bound)), ("measured, other software", more))
        rows += [(label, kind, batch, value) for kind, pairs in series for batch, value in pairs]
    rows += [("the article", label, batch, value) for batch, value, label, _ in article]
    data(["set_up", "kind", "batch [count]", "tokens_per_joule [1/J]"], rows)
    plot = axes(4.2)
    plot.set_xscale("log", base=2), plot.set_yscale("log")
    for (label, points, batches, bound, more), color in zip(groups, (BLUE, ORANGE)):
        band(plot, batches, bound, color)
        plot.plot([b for b, _ in points], [y for _, y in points], "o", color=color, markersize=5)
        plot.plot([b for b, _ in more], [y for _, y in more], "s", color=color, markersize=5, markerfacecolor="white")
        direct(plot, batches[-1], bound[-1].central, label.replace(" on ", "\non "), color)
    direct(
        plot,
        groups[0][2][2],
        groups[0][3][2].high,
        "bound from sourced constants,\nwith its range",
        BLUE,
        xytext=(-4, 46),
        ha="left",
        arrowprops={"arrowstyle": "-", "color": BLUE, "linewidth": 0.8},
    )
    for batch, value, label, offset in article:
        plot.plot([batch], [value], "D", color=RED, zorder=5, clip_on=False)
        direct(plot, batch, value, label, RED, xytext=offset)
    plot.set_xlim(0.8, groups[0][2][-1])
    plot.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    _plain_logs(plot, "y")
    plot.set_xlabel("batch: sequences decoded together")
    vertical(plot, "tokens per joule")


def speeds(sizes, curves, claims, gigabyte):
    """Upper bound on speed against the size of the weights, and claimed speeds.

    Parameters
    ----------
    sizes : array
        Size of the weights. [B]
    curves : list of tuple
        Name of a machine and its bounds, NaN where nothing fits. [1/s]
    claims : list of tuple
        Size [B], speed [1/s] and label of a claimed speed, offset of the label in points.
    gigabyte : float
        Bytes that the axis counts in. [B]
    """
    rows = [
        (name, size / gigabyte, speed)
        for name, values in curves
        for size, speed in zip(sizes, values)
        if speed == speed
    ]
    rows += [(f"claim: {label}", size / gigabyte, speed) for size, speed, label, _ in claims]
    data(["series", "weights_read_per_token [GB]", "tokens_per_second [1/s]"], rows)
    plot = axes(4.2)
    plot.set_xscale("log"), plot.set_yscale("log")
    plot.set_xlim(sizes[0] / gigabyte, sizes[-1] / gigabyte)
    names = []
    for place, (name, values) in enumerate(curves):
        plot.plot(sizes / gigabyte, values, **_look(place))
        names.append((values[0], name, _look(place)))
    # Room for the names above the fastest curve, where it is at eight gigabytes.
    low, high = plot.get_ylim()
    low = min(low, 0.5)
    fast = max(speed for speed, _, _ in names) / 8
    plot.set_ylim(low, max(high, low * (fast / low) ** (1 / (0.97 - 0.066 * len(names)))))
    _key(plot, [(name, look) for _, name, look in sorted(names, key=lambda one: -one[0])], left=False)
    for size, speed, label, offset in claims:
        plot.plot([size / gigabyte], [speed], "D", color=RED, zorder=5)
        leader = {"arrowstyle": "-", "color": RED, "linewidth": 0.8} if max(map(abs, offset)) > 20 else None
        direct(plot, size / gigabyte, speed, label, RED, xytext=offset, arrowprops=leader)
    _plain_logs(plot)
    plot.set_xlabel("weights read per token (GB)")
    vertical(plot, "tokens per second, upper bound")


def rated(batches, curves, unit):
    """Tokens per joule at rated power and at the bound on speed, against batch.

    Parameters
    ----------
    batches : sequence of int
        Batches, rising. [1]
    curves : list of tuple
        Name of a machine and its values, NaN where the caches no longer fit. [1/J]
    unit : str
        What the vertical axis counts.
    """
    rows = [(name, *row) for name, values in curves for row in zip(batches, values) if row[1] == row[1]]
    data(["machine", "batch [count]", "tokens_per_joule [1/J]"], rows)
    plot = axes(4.2)
    plot.set_xscale("log", base=2), plot.set_yscale("log")
    plot.set_xlim(batches[0], batches[-1])
    for place, (_, values) in enumerate(curves):
        plot.plot(batches, values, marker="o", markersize=3.5, **_look(place))
    if not curves:
        plot.text(0.5, 0.5, "nothing to draw", transform=plot.transAxes, ha="center", color=GREY)
    # A decade at least, and room above the curves for their names.
    low, high = plot.get_ylim()
    low = min(low, high / 12)
    plot.set_ylim(low, high * (high / low) ** min(2.0, 0.075 * len(curves) / max(0.2, 1 - 0.075 * len(curves))))
    _key(plot, [(name, _look(place)) for place, (name, _) in enumerate(curves)], left=True)
    plot.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    _plain_logs(plot, "y")
    plot.set_xlabel("batch: sequences decoded together")
    vertical(plot, unit)
