"""Figures of the chapter decode-breakdown; they draw what they are given and compute nothing."""

from llmpower.figures import style
from llmpower.figures.style import BLUE, GREEN, GREY, RED, data, direct


def shares(batches, bare, cached, context, printed, chosen):
    """Movement share against batch without a cache and with one, the article's share, and the reader's batch."""
    table = style.tidy(batches, (("none", bare), (context, cached)))
    data(["cache", "batch [count]", "movement_share [1]"], [*table, ("the article", None, printed)])
    plot = style.batches(batches, "share of dynamic energy that moves data (%)")
    style.band(plot, batches, bare, BLUE, "no cache")
    differs = abs(cached[-1].central - bare[-1].central) > 0.01
    style.band(plot, batches, cached, GREEN, context.replace(" of ", "\nof ") if differs else None)
    plot.axhline(0.5, **style.RULE)
    plot.plot([batches[0], batches[-1]], [printed, printed], color=RED, linewidth=1.6, label="the article")
    if batches[0] < chosen < batches[-1]:
        plot.axvline(chosen, color=GREY, linewidth=1, linestyle=":")
        direct(plot, chosen, 0.03, f"batch {chosen:,}", GREY)
    direct(plot, batches[0], 0.5, "half", GREY, (6, -8))
    plot.set_ylim(0, 1.04)
    style.ends(plot, 0.1)


def parts(batches, energies):
    """Energy per token [J] by part, such as weights, against batch."""
    energies = {name: values for name, values in energies.items() if any(value.central for value in values)}
    data(["part", "batch [count]", "energy_per_token [J]"], style.tidy(batches, energies.items()))
    plot = style.batches(batches, "dynamic energy per output token (J)", logarithmic="y")
    for name, values in energies.items():
        style.band(plot, batches, values, style.PARTS[name], name)
    style.ends(plot, 1 / 14)


def memory_power(ratios):
    """Power of moving data at rated bandwidth, over the rated board power.

    ratios : name of an accelerator, Range with sourced constants, value with the article's constant.
    """
    data(["accelerator", "memory_power_over_rating [1]", "with_the_articles_constant [1]"], ratios)
    newest_first = ratios[::-1]
    x = "power of moving data at rated bandwidth,\nover rated power of the board (%)"
    plot = style.rows([name for name, *_ in newest_first], 1.4 + 0.36 * len(ratios), x, 0.9, 1)
    for place, (_, ratio, article) in enumerate(newest_first):
        style.ranged(plot, place, ratio)
        plot.plot(article, place, "D", color=RED, markersize=6)
    plot.axvline(1, color=GREY, linewidth=1.2)
    last, (_, lowest, article) = len(ratios) - 1, ratios[0]
    direct(plot, 1, 0, "rated power of the board", GREY, (-6, 20))
    direct(plot, lowest.low, last, "memory path, sources", BLUE, (-4, -18), ha="left")
    direct(plot, article, last, "the article", RED, (8, 0))
    plot.set_xlim(0, 1.08 * max(1.2, *(max(ratio.high, article) for _, ratio, article in ratios)))
