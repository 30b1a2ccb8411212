"""Figures of the chapter three-layer-mitigations; they draw what they are given and compute nothing."""

import math
import textwrap

from matplotlib.ticker import LogLocator

from llmpower.figures import style
from llmpower.figures.style import BLUE, GREEN, GREY, INK, ORANGE, PALE, PARTS, PURPLE, RED, axes, data, direct

_LINES = ((BLUE, "-"), (GREEN, (0, (6, 2))), (ORANGE, (0, (3, 2))), (GREY, (0, (1, 1.5))))


def waterfall(labels, bills, products, texts):
    """What is left as measures are added one by one: how much at the left, of which parts at the right.

    labels : what each row adds, the first one nothing.
    bills : part -> energy per token. [J]
    products : what multiplying the single effects would leave. [J]
    texts : the sum of each row, as printed.
    """
    sums = [sum(one.values()) for one in bills]
    shares = [[one[name] / whole for name in PARTS] for one, whole in zip(bills, sums)]
    columns = ["measures", "energy_per_token [J]", "single_effects_multiplied [J]"]
    columns += [f"share_of_{name} [1]" for name in PARTS]
    data(columns, [(*row, *parts) for *row, parts in zip(labels, sums, products, shares)])
    side_by_side = {"ncols": 2, "sharey": True, "width_ratios": (1.15, 1)}
    much, parts = style.rows(labels, 1.3 + 0.36 * len(labels), "", 0.6, 0.5, **side_by_side)
    for place, (row, whole, product, text) in enumerate(zip(shares, sums, products, texts)):
        much.plot([product, whole], [place, place], color=GREY, linewidth=1.2)
        much.plot(whole, place, "o", color=INK, markersize=10, markerfacecolor="white", markeredgewidth=1.8, zorder=4)
        if place:
            much.plot(product, place, "D", color=RED, markersize=6, markeredgecolor="white", zorder=5)
        direct(much, max(whole, product), place, text, INK, (11, 0))
        start = 0.0
        for share, color in zip(row, PARTS.values()):
            parts.barh(place, share, left=start, color=color, height=0.62, edgecolor="white", linewidth=0.6)
            start += share
    low, high = min(*sums, *products), max(*sums, *products)
    style.log(much, "x")
    much.set(xlim=(low / 1.6, high * max(3, (high / low) ** 0.55)), xlabel="energy per output token (J)")
    much.xaxis.set_major_locator(LogLocator(subs=(1, 3) if high > 20 * low else (1, 2, 5)))
    parts.set(xlim=(0, 1), xlabel="share of what is left (%)", xticks=[0, 0.5, 1], xticklabels=["0%", "50%", "100%"])
    _above(much, [("○", INK, "recomputed"), ("◆", RED, "effects multiplied")])
    _above(parts, [("■", color, name) for name, color in PARTS.items()])


def _above(plot, entries):
    """Signs in their colour with what they stand for, two in a column, above the axes."""
    plot.set_title("\n")
    for place, (sign, color, words) in enumerate(entries):
        column, row = divmod(place, 2)
        spot = {"xycoords": "axes fraction", "in_layout": False}
        direct(plot, 0, 1, sign, color, (62 * column, 26 - 13 * row), **spot).set_color(color)
        direct(plot, 0, 1, words, INK, (62 * column + 11, 26 - 13 * row), **spot)


def _outside(plot, start, words):
    """Grey what lies beyond a batch or context, and say why; nothing where it is beyond the axes."""
    left, end = plot.get_xlim()
    if start < end:
        plot.axvspan(max(start, left), end, color=PALE, alpha=0.25, linewidth=0, zorder=0)
        direct(plot, end, 0.48, textwrap.fill(words, 12), GREY, (-5, 0), xycoords=("data", "axes fraction"))


def against_batch(batches, traffic, whole, printed, label, most, room):
    """Shares of weight traffic and whole energy (Ranges) that mixture and quantization leave, and the article's.

    most : the largest batch that fits, and `room` what to say beyond it.
    """
    lines = (("weight traffic", traffic), ("whole energy", whole))
    rows = [(*row, row[1] <= most) for row in style.tidy(batches, lines)]
    data(["what", "batch [count]", "left [1]", "fits [1]"], [*rows, (label, None, printed, None)])
    plot = style.batches(batches, "left by mixture and quantization (% of what it was)")
    style.band(plot, batches, whole, GREEN, "whole\nenergy")
    plot.plot(batches, traffic, color=BLUE, label="weight\ntraffic")
    plot.axhline(printed, color=RED, linewidth=1.4, linestyle=style.DASHED)
    plot.set_ylim(0, 1.05 * max(1.0, *(one.high for one in whole), *traffic))
    style.ends(plot, 0.13)
    # The lines rise with the batch, so there is room at the right.
    direct(plot, batches[-1], printed, label, RED, (-6, 9 if traffic[-1] > printed + 0.1 else -9))
    _outside(plot, most, room)


def _tokens(value, _):
    return f"{value / 1024:,.0f}K" if value >= 1024 else f"{value:,.0f}"


def sparse(contexts, saved, fits):
    """Share of the whole energy that sparse attention saves, against context; a line for each of up to four batches.

    fits : for each batch whether it fits with each context; a line is pale where it does not.
    """
    saved = dict(list(saved.items())[: len(_LINES)])
    rows = [(*row, fits[row[0]][contexts.index(row[1])]) for row in style.tidy(contexts, saved.items())]
    data(["batch [count]", "context [tokens]", "energy_saved [1]", "fits [1]"], rows)
    plot = axes(x="tokens of context (K: 1,024)", y="saved by sparse attention (% of the whole energy)")
    for (batch, shares), (color, dashes) in zip(saved.items(), _LINES):
        plot.plot(contexts, shares, color=color, linewidth=1, linestyle=dashes, alpha=0.35, label=f"batch {batch:,}")
        inside = [share if there else math.nan for share, there in zip(shares, fits[batch])]
        plot.plot(contexts, inside, color=color, linestyle=dashes, linewidth=2.2)
    plot.axhline(0, color=GREY, linewidth=1)
    style.log(plot, "x", base=2, form=_tokens)
    plot.set_xlim(contexts[0], contexts[-1])
    low, high = plot.get_ylim()
    plot.set_ylim(min(low, -0.03), max(high, 0.1))
    style.ends(plot, 0.065)


_SIGNS = ((BLUE, "o"), (GREEN, "s"), (ORANGE, "^"), (RED, "D"), (PURPLE, "v"))


def pairs(groups, y, less, more, corner):
    """Energy per token of one run over that of its twin, against batch; hollow where a run is marked.

    groups : what the pairs have in common -> batch, ratio and whether one of the two is marked, of each pair.
    less, more : what it means to lie below and above one.
    corner : of the axes where the signs are explained.
    """
    found = [(name, *pair) for name, some in groups.items() for pair in some]
    data(["pairs", "batch [count]", "energy_ratio [1]", "marked [1]"], [(*row[:3], int(row[3])) for row in found])
    batches, ratios = [row[1] for row in found], [row[2] for row in found]
    plot = style.batches([min(batches) / 1.3, max(batches) * 1.3], y, 4.2, logarithmic="y")
    plot.set_ylim(min(ratios) / 1.6, max(1, *ratios) * 1.3)
    plot.yaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7)))
    plot.axhline(1, **style.RULE)
    for words, height in ((more, 8), (less, -8)):
        direct(plot, plot.get_xlim()[0], 1, words, GREY, (4, height))
    looks = {}
    for name, (color, sign) in zip(groups, _SIGNS):
        looks[name] = {"color": color, "marker": sign, "markersize": 6, "linestyle": "", "alpha": 0.9}
        for batch, ratio, marked in groups[name]:
            plot.plot(batch, ratio, **looks[name], markerfacecolor="white" if marked else color, zorder=4)
    style.key(plot, list(looks.items()), *corner)


def operations(machines):
    """Energy per operation of several machines, from core to system where both are known.

    machines : name, lower and upper energy [J/FLOP], "digital" or "other"; where the two differ also what each is.
    """
    picojoules = [(name, kind, low * 1e12, high * 1e12, *words) for name, low, high, kind, *words in machines]
    energy = "energy_per_operation_{} [pJ]".format
    data(["machine", "kind", energy("low"), energy("high"), "low_is", "high_is"], picojoules)
    names = [textwrap.fill(name, 30) for name, *_ in machines]
    plot = style.rows(names, 1.0 + 0.44 * len(names), "energy per operation (pJ)", 0.6, 0.5, logarithmic="x")
    for place, (_, kind, low, high, *words) in enumerate(picojoules):
        color = {"digital": BLUE, "other": RED}[kind]
        style.span(plot, place, low, high, color, 5, alpha=0.35, marker="o")
        plot.plot(high, place, "o", color=color)
        for point, word, side in zip((low, high), words, ("left", "right")):
            direct(plot, point, place, word, color, (0, 13), ha=side)
