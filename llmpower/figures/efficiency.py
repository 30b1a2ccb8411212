"""Figures of the chapter tokens-per-watt; they draw what they are given and compute nothing."""

from llmpower.figures import style
from llmpower.figures.style import BLUE, GREEN, GREY, INK, ORANGE, PURPLE, RED, SKY, axes, data, direct

# More colours that stay apart with any colour vision; line styles tell them apart in grey.
_COLORS = (BLUE, ORANGE, GREEN, PURPLE, SKY, INK)
_LINES = ("-", (0, (6, 2)), (0, (2, 1.5)), (0, (6, 2, 1, 2)))


def _look(place):
    return {"color": _COLORS[place % len(_COLORS)], "linestyle": _LINES[place % len(_LINES)]}


def bytes_per_joule(lines, article, clouds, named, batched, gigabyte):
    """Tokens per joule over bytes read per token; equal bytes per joule lie on diagonals.

    lines : bytes per joule whose diagonals are drawn, and where their names stand. [B]
    article, named : bytes per token, tokens per joule, label, offset of the label in points and its alignment.
    clouds : label -> points, at most five: runs at batch 1.
    batched : label -> points by rising batch, which of them is labelled, offset of the label and its alignment.
    gigabyte : what the axes count in. [B]
    """
    low, high = 0.08, 2500
    table = [(f"{value / gigabyte:g} GB/J", None, x, value / gigabyte / x) for value, _ in lines for x in (low, high)]
    table += [(name, None, x / gigabyte, y) for name, (points, *_) in batched.items() for x, y in points]
    table += [(name, None, x / gigabyte, y) for name, points in clouds.items() for x, y in points]
    table += [("the article", label, x / gigabyte, y) for x, y, label, _ in article]
    data(["series", "label", "read_per_token [GB]", "tokens_per_joule [1/J]"], table)
    plot = axes(5.0, "bytes read per output token (GB)", "tokens per joule", "xy")
    plot.set(xlim=(low, high), ylim=(0.0035, 60))
    for value, place in lines:
        k, x = value / gigabyte, place / gigabyte
        plot.plot([low, high], [k / low, k / high], color=GREY, linewidth=0.8, alpha=0.5, zorder=1)
        direct(plot, x, k / x, f"{k:g} GB/J", GREY, (0, 0), rotation=-41, ha="center", zorder=4)
    for (label, (points, at, (dx, dy, align))), color in zip(batched.items(), (SKY, PURPLE)):
        points = [(x / gigabyte, y) for x, y in points]
        plot.plot(*zip(*points), "-", color=color, linewidth=1.6)
        direct(plot, *points[at], label, color, (dx, dy), ha=align)
    signs = (("o", BLUE), ("P", INK), ("s", ORANGE), ("^", GREEN), ("v", GREY))
    looks = [{"color": color, "marker": sign, "markersize": 4, "linestyle": ""} for sign, color in signs]
    for points, look in zip(clouds.values(), looks):
        plot.plot([x / gigabyte for x, _ in points], [y for _, y in points], **look, alpha=0.75)
    for x, y, label, (dx, dy, align) in named:
        direct(plot, x / gigabyte, y, label, INK, (dx, dy), ha=align, leader=True)
    for x, y, label, (dx, dy, align) in article:
        style.mark(plot, x / gigabyte, y, label, RED, (dx, dy), "D", ha=align)
    style.key(plot, [(words, look) for words, look in zip(clouds, looks)], 0.03, 0.281, 0.0, 0.056)


def against_batch(groups, article):
    """Measured tokens per joule against batch, under the bound of the same set-up.

    groups : label, measured points, batches of the bound and its Ranges, measured points of other software.
    article : batch, tokens per joule, label of a claim and the label's offset in points.
    """
    table = []
    for label, points, batches, bound, more in groups:
        series = (("measured", points), ("bound", zip(batches, bound)), ("measured, other software", more))
        table += [(label, kind, *point) for kind, pairs in series for point in pairs]
    table += [("the article", label, batch, value) for batch, value, label, _ in article]
    data(["set_up", "kind", "batch [count]", "tokens_per_joule [1/J]"], table)
    _, _, batches, bound, _ = groups[0]
    plot = style.batches((0.8, batches[-1]), "tokens per joule", 4.2, "y")
    words = "bound from sourced constants,\nwith its range"
    direct(plot, batches[2], bound[2].high, words, BLUE, (-4, 46), leader=True, ha="left")
    for (label, points, batches, bound, more), color in zip(groups, (BLUE, ORANGE)):
        style.band(plot, batches, bound, color, label.replace(" on ", "\non "))
        for some, sign, face in ((points, "o", color), (more, "s", "white")):
            plot.plot([x for x, _ in some], [y for _, y in some], sign, color=color, markersize=5, markerfacecolor=face)
    for batch, value, label, offset in article:
        style.mark(plot, batch, value, label, RED, offset)
    style.ends(plot, 0.1)


def speeds(sizes, curves, claims, gigabyte):
    """Upper bound on speed against the size of the weights, and claimed speeds.

    sizes : array. [B]
    curves : name of a machine and its bounds, NaN where nothing fits.
    claims : size [B], speed and label of a claim, offset of the label in points.
    gigabyte : what the axis counts in. [B]
    """
    claimed = [(f"claim: {label}", size / gigabyte, speed) for size, speed, label, _ in claims]
    columns = ["series", "weights_read_per_token [GB]", "tokens_per_second [1/s]"]
    data(columns, style.tidy(sizes / gigabyte, curves) + claimed)
    plot = axes(4.2, "weights read per token (GB)", "tokens per second, upper bound", "xy")
    plot.set_xlim(sizes[0] / gigabyte, sizes[-1] / gigabyte)
    for place, (_, values) in enumerate(curves):
        plot.plot(sizes / gigabyte, values, **_look(place))
    # Room for the names above the fastest curve, where it is at eight gigabytes.
    low, high = plot.get_ylim()
    low = min(low, 0.5)
    fast = max(values[0] for _, values in curves) / 8
    plot.set_ylim(low, max(high, low * (fast / low) ** (1 / (0.97 - 0.066 * len(curves)))))
    by_speed = sorted(enumerate(curves), key=lambda curve: -curve[1][1][0])
    style.key(plot, [(name, _look(place)) for place, (name, _) in by_speed], 0.985, 0.965, -0.1, 0.064)
    for size, speed, label, offset in claims:
        style.mark(plot, size / gigabyte, speed, label, RED, offset, leader=max(map(abs, offset)) > 20, ha="left")


def expected(batches, curves, unit, banded):
    """Tokens per joule as expected, against batch.

    curves : name of a machine -> its Ranges by batch, as many as it holds.
    unit : what the vertical axis counts.
    banded : names of those whose ranges are drawn.
    """
    # Ends are told where they are drawn.
    drawn = {name: values if name in banded else [one.central for one in values] for name, values in curves.items()}
    table = [(name, *point) for name, values in drawn.items() for point in zip(batches, values)]
    data(["machine", "batch [count]", "tokens_per_joule [1/J]"], table or [("", None, None)])
    plot = style.batches(batches, unit, 4.2, "y")
    for place, (name, values) in enumerate(curves.items()):
        look, held = _look(place), batches[: len(values)]
        if name in banded:
            ends = ([getattr(one, end) for one in values] for end in ("low", "high"))
            plot.fill_between(held, *ends, color=look["color"], alpha=0.18, linewidth=0)
        plot.plot(held, [one.central for one in values], marker="o", markersize=3.5, **look)
    if not table:
        plot.text(0.5, 0.5, "nothing to draw", transform=plot.transAxes, ha="center", color=GREY)
    # A decade at least, and room above the curves for their names.
    low, high = plot.get_ylim()
    low = min(low, high / 12)
    plot.set_ylim(low, high * (high / low) ** min(2.0, 0.075 * len(curves) / max(0.2, 1 - 0.075 * len(curves))))
    style.key(plot, [(name, _look(place)) for place, name in enumerate(curves)], 0.02, 0.965, 0.1, 0.064)


def frontiers(lines, named, fitted):
    """Best tokens per joule at each speed of a user, a line for every network.

    lines : network -> points of its frontier, with `tokens_per_s_per_user` and `tokens_per_j`.
    named : network -> offset of its label in points; the others are grey.
    fitted : what a row of the table says of a point, by its accelerator.
    """
    columns = [
        "network",
        "accelerator",
        "accelerators [1]",
        "batch [1]",
        "speed of a user [1/s]",
        "tokens_per_joule [1/J]",
    ]
    rows = [
        (net, one.accelerator, one.n_accelerators, one.batch, one.tokens_per_s_per_user, one.tokens_per_j)
        for net, points in lines.items()
        for one in points
    ]
    data([*columns, "measured runs [1]"], [(*row, fitted.get(row[1], 0)) for row in rows])
    plot = axes(4.4, "speed of one user (tokens/s)", "tokens per joule, expected", "xy")
    colors = dict(zip(named, _COLORS))
    for net, points in lines.items():
        look = {"color": colors.get(net, style.PALE), "linewidth": 2 if net in named else 0.7}
        pairs = [(one.tokens_per_s_per_user, one.tokens_per_j) for one in points]
        plot.plot(*zip(*pairs), **look, alpha=1 if net in named else 0.6, zorder=3 if net in named else 1)
        if net in named:
            # At its thrifty end.
            direct(plot, *pairs[-1], net, colors[net], named[net])
