"""Figures of the chapter decode-breakdown; they draw what they are given and compute nothing."""

from math import log10

from matplotlib.ticker import FuncFormatter, PercentFormatter

from llmpower.figures.style import BLUE, GREEN, GREY, ORANGE, RED, apart, axes, band, data, direct, vertical

PARTS = {"weights": BLUE, "cache": GREEN, "arithmetic": ORANGE}


def _log_batches(plot, batches):
    plot.set_xscale("log", base=2)
    plot.set_xlim(batches[0], batches[-1])
    plot.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    plot.set_xlabel("batch: sequences decoded together")


def shares(batches, bare, cached, context, printed, chosen):
    """Movement share against batch, without and with a cache, and what the article printed.

    Parameters
    ----------
    batches : sequence of int
        Batches, rising. [1]
    bare, cached : sequence of Range
        Movement share at each, without and with the cache. [1]
    context : str
        Label of the latter.
    printed : float
        The article's share. [1]
    chosen : int
        The reader's batch, marked if it is inside the axis. [1]
    """
    lines = (("none", bare), (context, cached))
    rows = [(name, batch, share) for name, values in lines for batch, share in zip(batches, values)]
    data(["cache", "batch [count]", "movement_share [1]"], [*rows, ("the article", None, printed)])
    plot = axes()
    band(plot, batches, bare, BLUE)
    band(plot, batches, cached, GREEN)
    plot.axhline(0.5, color=GREY, linewidth=1, linestyle=(0, (4, 3)))
    plot.axhline(printed, color=RED, linewidth=1.6)
    if batches[0] < chosen < batches[-1]:
        plot.axvline(chosen, color=GREY, linewidth=1, linestyle=":")
        direct(plot, chosen, 0.03, f"batch {chosen:,}", GREY)
    direct(plot, batches[0], 0.5, "half", GREY, xytext=(6, -8))
    _log_batches(plot, batches)
    ends = [(printed, "the article", RED), (bare[-1].central, "no cache", BLUE)]
    if cached[-1].central - bare[-1].central > 0.01:
        ends.insert(1, (cached[-1].central, context.replace(" of ", "\nof "), GREEN))
    # From the highest downwards; the last but one may take two lines.
    for depth, (_, label, color) in zip(apart([-end[0] for end in ends], 0.1), ends):
        direct(plot, batches[-1], -depth, label, color, annotation_clip=False)
    plot.set_ylim(0, 1.04)
    plot.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    vertical(plot, "share of dynamic energy that moves data (%)")


def parts(batches, energies):
    """Energy per token by part against batch.

    Parameters
    ----------
    batches : sequence of int
        Batches, rising. [1]
    energies : dict
        Part (weights, cache, arithmetic) -> sequence of Range. [J]
    """
    energies = {name: values for name, values in energies.items() if any(v.central for v in values)}
    rows = [(name, batch, energy) for name, values in energies.items() for batch, energy in zip(batches, values)]
    data(["part", "batch [count]", "energy_per_token [J]"], rows)
    plot = axes()
    ends = []
    for name, values in energies.items():
        color = PARTS[name]
        band(plot, batches, values, color)
        ends.append((values[-1].central, name, color))
    plot.set_yscale("log")
    low, high = plot.get_ylim()
    # Labels at the right end keep a distance of a fourteenth of the axis.
    ends = sorted(ends)
    for height, (_, name, color) in zip(apart([log10(end[0]) for end in ends], log10(high / low) / 14), ends):
        direct(plot, batches[-1], 10**height, name, color)
    _log_batches(plot, batches)
    plot.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    vertical(plot, "dynamic energy per output token (J)")


def memory_power(rows):
    """Power of moving data at rated bandwidth, over the rated board power.

    Parameters
    ----------
    rows : list of tuple
        Name of an accelerator, Range of the ratio with sourced constants, the
        ratio with the article's constant. [1]
    """
    data(["accelerator", "memory_power_over_rating [1]", "with_the_articles_constant [1]"], rows)
    plot = axes(1.4 + 0.36 * len(rows))
    for place, (_, ratio, article) in enumerate(rows):
        plot.plot([ratio.low, ratio.high], [place, place], color=BLUE, linewidth=7, alpha=0.3, solid_capstyle="butt")
        plot.plot([ratio.central], [place], "o", color=BLUE)
        plot.plot([article], [place], "D", color=RED, markersize=6)
    plot.axvline(1, color=GREY, linewidth=1.2)
    top = len(rows) - 1
    direct(plot, 1, top, "rated power of the board", GREY, xytext=(-6, 20), ha="right", annotation_clip=False)
    direct(plot, rows[0][1].low, 0, "memory path, sources", BLUE, xytext=(-4, -18), ha="left")
    direct(plot, rows[0][2], 0, "the article", RED, xytext=(8, 0), ha="left")
    plot.set_yticks(range(len(rows)), [name for name, _, _ in rows])
    plot.set_ylim(-1, top + 0.9)
    plot.set_xlim(0, 1.08 * max(1.2, *(max(ratio.high, article) for _, ratio, article in rows)))
    plot.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    plot.set_xlabel("power of moving data at rated bandwidth,\nover rated power of the board (%)")
    plot.grid(axis="y", visible=False)
