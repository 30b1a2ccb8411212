"""Figures of the chapter three-layer-mitigations; they draw what they are given and compute nothing."""

import textwrap

from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator, PercentFormatter

from llmpower.figures.style import BLUE, GREEN, GREY, INK, ORANGE, PALE, RED, apart, axes, band, data, direct, vertical

PARTS = {"weights": BLUE, "cache": GREEN, "arithmetic": ORANGE, "static": PALE}
_LINES = (BLUE, GREEN, ORANGE, GREY)
_DASHES = ("-", (0, (6, 2)), (0, (3, 2)), (0, (1, 1.5)))


def waterfall(labels, bills, products, texts):
    """What is left as measures are added one by one: how much at the left, of which parts at the right.

    Parameters
    ----------
    labels : sequence of str
        What each row adds, the first one nothing.
    bills : sequence of dict
        Part (weights, cache, arithmetic, static) -> energy per token. [J]
    products : sequence of float
        What multiplying the single effects would leave. [J]
    texts : sequence of str
        The sum of each row, as printed.
    """
    much, parts = axes(ncols=2, sharey=True, width_ratios=(1.15, 1), height=1.3 + 0.36 * len(labels))
    sums = [sum(one.values()) for one in bills]
    rows = [
        (label, whole, product, *(one[name] / whole for name in PARTS))
        for label, one, whole, product in zip(labels, bills, sums, products)
    ]
    columns = [
        "measures",
        "energy_per_token [J]",
        "single_effects_multiplied [J]",
        *(f"share_of_{name} [1]" for name in PARTS),
    ]
    data(columns, rows)
    for place, (one, whole, product, text) in enumerate(zip(bills, sums, products, texts)):
        much.plot([product, whole], [place, place], color=GREY, linewidth=1.2)
        much.plot(
            [whole], [place], "o", color=INK, markersize=10, markerfacecolor="white", markeredgewidth=1.8, zorder=4
        )
        if place:
            much.plot([product], [place], "D", color=RED, markersize=6, markeredgecolor="white", zorder=5)
        direct(much, max(whole, product), place, text, INK, xytext=(11, 0))
        start = 0.0
        for name, color in PARTS.items():
            share = one[name] / whole
            parts.barh(place, share, left=start, color=color, height=0.62, edgecolor="white", linewidth=0.6)
            start += share
    low, high = min(*sums, *products), max(*sums, *products)
    much.set_xscale("log")
    much.set_xlim(low / 1.6, high * max(3, (high / low) ** 0.55))
    much.xaxis.set_major_locator(LogLocator(subs=(1, 3) if high > 20 * low else (1, 2, 5)))
    much.xaxis.set_minor_locator(NullLocator())
    much.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    much.set_xlabel("energy per output token (J)")
    parts.set_xlim(0, 1)
    parts.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    parts.set_xticks([0, 0.5, 1])
    parts.set_xlabel("share of what is left (%)")
    parts.tick_params(axis="y", left=False)
    much.set_yticks(range(len(labels)), labels)
    much.set_ylim(len(labels) - 0.5, -0.6)
    for plot in (much, parts):
        plot.grid(axis="y", visible=False)
    _above(much, [("○", INK, "recomputed"), ("◆", RED, "effects multiplied")])
    _above(parts, [("■", color, name) for name, color in PARTS.items()])


def _above(plot, entries):
    """Signs in their colour with what they stand for, two in a column, above the axes."""
    plot.set_title("\n")
    for place, (sign, color, words) in enumerate(entries):
        column, row = divmod(place, 2)
        spot = {"xycoords": "axes fraction", "in_layout": False}
        direct(plot, 0, 1, sign, color, xytext=(62 * column, 26 - 13 * row), **spot).set_color(color)
        direct(plot, 0, 1, words, INK, xytext=(62 * column + 11, 26 - 13 * row), **spot)


def _batches(plot, batches):
    plot.set_xscale("log", base=2)
    plot.set_xlim(batches[0], batches[-1])
    plot.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    plot.set_xlabel("batch: sequences decoded together")


def against_batch(batches, traffic, whole, printed, label):
    """What mixture and quantization leave, of the weight traffic and of the whole energy.

    Parameters
    ----------
    batches : sequence of int
        Batches, rising. [1]
    traffic : sequence of float
        Share of the weight traffic that is left. [1]
    whole : sequence of Range
        Share of the energy that is left. [1]
    printed : float
        The article's share. [1]
    label : str
        Name of that share.
    """
    rows = [
        (name, *row)
        for name, values in (("weight traffic", traffic), ("whole energy", whole))
        for row in zip(batches, values)
    ]
    data(["what", "batch [count]", "left [1]"], [*rows, (label, None, printed)])
    plot = axes()
    band(plot, batches, whole, GREEN)
    plot.plot(batches, traffic, color=BLUE)
    plot.axhline(printed, color=RED, linewidth=1.4, linestyle=(0, (4, 3)))
    _batches(plot, batches)
    plot.set_ylim(0, 1.05 * max(1.0, *(one.high for one in whole), *traffic))
    low, high = sorted([(traffic[-1], "weight\ntraffic", BLUE), (whole[-1].central, "whole\nenergy", GREEN)])
    gap = max(0.0, 0.13 * plot.get_ylim()[1] - (high[0] - low[0]))
    direct(plot, batches[-1], max(low[0] - gap / 2, 0.11), low[1], low[2])
    direct(plot, batches[-1], high[0] + gap / 2, high[1], high[2])
    # The lines rise with the batch, so there is room at the right.
    direct(plot, batches[-1], printed, label, RED, xytext=(-6, 9 if traffic[-1] > printed + 0.1 else -9), ha="right")
    plot.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    vertical(plot, "left by mixture and quantization (% of what it was)")


def sparse(contexts, saved):
    """Share of the whole energy that sparse attention saves, against context.

    Parameters
    ----------
    contexts : sequence of int
        Contexts, rising. [1]
    saved : dict
        Batch -> share saved at each context; up to four batches. [1]
    """
    rows = [(batch, *row) for batch, shares in list(saved.items())[: len(_LINES)] for row in zip(contexts, shares)]
    data(["batch [count]", "context [tokens]", "energy_saved [1]"], rows)
    plot = axes()
    ends = []
    for (batch, shares), color, dashes in zip(saved.items(), _LINES, _DASHES):
        plot.plot(contexts, shares, color=color, linestyle=dashes)
        ends.append((shares[-1], f"batch {batch:,}", color))
    plot.axhline(0, color=GREY, linewidth=1)
    plot.set_xscale("log", base=2)
    plot.set_xlim(contexts[0], contexts[-1])
    plot.xaxis.set_major_formatter(
        FuncFormatter(lambda value, _: f"{value / 1024:,.0f}K" if value >= 1024 else f"{value:,.0f}")
    )
    low, high = plot.get_ylim()
    plot.set_ylim(min(low, -0.03), max(high, 0.1))
    ends.sort()
    heights = apart([end[0] for end in ends], 0.065 * (plot.get_ylim()[1] - plot.get_ylim()[0]))
    for height, (_, name, color) in zip(heights, ends):
        direct(plot, contexts[-1], height, name, color)
    plot.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    plot.set_xlabel("tokens of context (K: 1,024)")
    vertical(plot, "saved by sparse attention (% of the whole energy)")


def operations(rows):
    """Energy per operation of several machines, from core to system where both are known.

    Parameters
    ----------
    rows : list of tuple
        Name, lower and upper energy, "digital" or "other"; where the two
        differ also what each of them is. [J/FLOP]
    """
    table = [(name, kind, low * 1e12, high * 1e12, *(ends or ("", ""))) for name, low, high, kind, *ends in rows]
    data(
        ["machine", "kind", "energy_per_operation_low [pJ]", "energy_per_operation_high [pJ]", "low_is", "high_is"],
        table,
    )
    colors = {"digital": BLUE, "other": RED}
    plot = axes(1.0 + 0.44 * len(rows))
    for place, (_, low, high, kind, *ends) in enumerate(rows):
        color, points = colors[kind], sorted({low * 1e12, high * 1e12})
        plot.plot(points, [place] * len(points), "o-", color=color, linewidth=5, alpha=0.35, solid_capstyle="butt")
        plot.plot([high * 1e12], [place], "o", color=color)
        for point, words, side in zip(points, ends, ("left", "right")):
            direct(plot, point, place, words, color, xytext=(0, 13), ha=side)
    plot.set_xscale("log")
    plot.set_yticks(range(len(rows)), [textwrap.fill(row[0], 30) for row in rows])
    plot.set_ylim(len(rows) - 0.5, -0.6)
    plot.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    plot.grid(axis="y", visible=False)
    plot.set_xlabel("energy per operation (pJ)")
