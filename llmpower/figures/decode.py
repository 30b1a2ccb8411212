"""Figures of the chapter decode-breakdown; they draw what they are given and compute nothing."""

from llmpower.figures import style
from llmpower.figures.style import BLUE, GREEN, GREY, INK, ORANGE, PALE, RED, SKY, data, direct

# Of a joule on a board, by where it goes; what reads data stands together.
JOULE = {
    "flows anyway": PALE, "memory chips": BLUE, "way to the chip": SKY, "on the chip": GREEN, "arithmetic": ORANGE,
    "not assigned": "#E8EAED",
}  # fmt: skip
# Of a joule of served boards, as an estimate divides it.
SERVED = {"whatever the work": PALE, "weights": BLUE, "caches": GREEN, "arithmetic": ORANGE, "links": SKY}
# A part narrower than this holds no number.
_HOLDS = 0.055


def joule(rows, gaps=()):
    """Where a joule goes, a bar a case: its parts side by side, central values, with their per cents inside.

    rows : label of a case, and of each part of `JOULE` its Range of shares. [1]
    gaps : places before which the rows are set apart.
    """
    data(
        ["case", "part", "share [1]"], [(label, part, share) for label, parts in rows for part, share in parts.items()]
    )
    places = [place + 0.45 * sum(gap <= place for gap in gaps) for place in range(len(rows))]
    plot = style.axes(2.1 + 0.5 * places[-1], "share of the power of the board (%)")
    plot.set_yticks(places, [label for label, _ in rows])
    plot.set(xlim=(0, 1), ylim=(places[-1] + 0.5, -2.7))
    plot.grid(visible=False)
    for place, (_, parts) in zip(places, rows):
        left = 0.0
        for part, color in JOULE.items():
            share = max(0.0, parts[part].central)
            plot.barh(place, share, left=left, color=color, height=0.66, linewidth=0.8, edgecolor="white")
            if share > _HOLDS:
                word = INK if part in ("flows anyway", "not assigned") else "white"
                plot.text(left + share / 2, place, f"{100 * share:.0f}", color=word, ha="center", va="center")
            left += share
        arithmetic = parts["arithmetic"].central
        if arithmetic <= _HOLDS:
            direct(plot, 1, place, f"{100 * arithmetic:.1f}", ORANGE, (4, 0))
    for place, (part, color) in enumerate(JOULE.items()):
        x, y = 0.02 + 0.35 * (place % 3), -2.3 + 0.55 * (place // 3)
        plot.plot(x, y, "s", color=color, markersize=8, markeredgecolor=GREY, markeredgewidth=0.4)
        direct(plot, x, y, part, INK, (8, 0))
    first = [max(0.0, rows[0][1][part].central) for part in JOULE]
    begin, end = first[0], sum(first[:4])
    plot.annotate(
        "", (begin, -0.5), (end, -0.5), arrowprops={"arrowstyle": "|-|,widthA=0.25,widthB=0.25", "color": GREY}
    )
    direct(plot, (begin + end) / 2, -0.5, f"moves data: {100 * (end - begin):.0f}", INK, (0, 9), ha="center")


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


def software(lines):
    """Energy per token under some software over that of a bare board, against batch.

    lines : name of the software, batches, and how many times the energy. [1]
    """
    table = [(name, *point) for name, *pair in lines for point in zip(*pair)]
    data(["software", "batch [count]", "times_bare [1]"], table)
    every = sorted(batch for _, batches, _ in lines for batch in batches)
    plot = style.batches([every[0], every[-1]], "energy per token, over that of the bare board", logarithmic="y")
    for (name, batches, times), color in zip(lines, (BLUE, SKY, GREEN, ORANGE)):
        plot.plot(batches, times, "o-", color=color, markersize=4.5, label=name, clip_on=False)
    plot.axhline(1, **style.RULE)
    plot.set_yticks([1, 1.5, 2, 3, 4], ["1", "1.5", "2", "3", "4"])
    plot.set_ylim(0.7, 4.3)
    style.ends(plot, 0.1)


def served(batches, energies):
    """Energy per token [J] of a served request by part, one upon the other, against batch."""
    data(["part", "batch [count]", "j_per_token [J]"], style.tidy(batches, energies.items()))
    plot = style.batches(batches, "energy per output token (J)")
    below = [0.0] * len(batches)
    for (name, values), color in zip(energies.items(), SERVED.values()):
        plot.bar(batches, values, [0.5 * batch for batch in batches], below, color=color, label=name)
        below = [one + more for one, more in zip(below, values)]
    plot.legend(loc="upper right", reverse=True)
