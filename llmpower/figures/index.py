"""The figure of the front page, and the card a link to the book shows; they draw what they are given and compute nothing."""

import matplotlib.pyplot as plt
from matplotlib.ticker import PercentFormatter

from llmpower.figures.style import BLUE, GREY, INK, RED, axes, data, direct


def _percent(share):
    """Like the text: close to a hundred percent, what is missing from it counts."""
    return f"{100 * share:.{2 if share > 0.99 else 1}f} %"


def _shares(plot, printed, cases, scale):
    """A row for each case: its range, its share, and the article's share across all of them."""
    for place, (_, share) in enumerate(reversed(cases)):
        plot.plot(
            [share.low, share.high], [place, place], color=BLUE, linewidth=9 * scale, alpha=0.3, solid_capstyle="butt"
        )
        plot.plot([share.central], [place], "o", color=BLUE, markersize=8 * scale)
        aside = (
            {"xytext": (-9 * scale, 13 * scale), "ha": "right"}
            if share.central > 0.9
            else {"xytext": (0, 13 * scale), "ha": "center"}
        )
        direct(plot, share.central, place, _percent(share.central), BLUE, **aside)
    plot.axvline(printed, color=RED, linewidth=2 * scale)
    plot.set_yticks(range(len(cases)), [label for label, _ in reversed(cases)])
    plot.set_ylim(-0.6, len(cases) + 0.1)
    plot.set_xlim(0, 1.02)
    plot.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    plot.set_xlabel("share of dynamic energy that moves data (%)")
    plot.grid(axis="y", visible=False)
    direct(
        plot, printed, len(cases) - 0.15, f"the article: {_percent(printed)}", RED, xytext=(-5 * scale, 3), ha="right"
    )


def headline(printed, cases):
    """Share of energy that moves data: what the article prints, and what it is case by case.

    Parameters
    ----------
    printed : float
        The article's share. [1]
    cases : list of tuple
        Label and Range of the share, from top to bottom. [1]
    """
    data(["case", "movement_share [1]"], [("the article", printed), *cases])
    plot = axes(1.1 + 0.52 * len(cases))
    _shares(plot, printed, cases, 1)
    plot.axvline(0.5, color=GREY, linewidth=1, linestyle=(0, (4, 3)))
    direct(plot, 0.5, len(cases) - 0.15, "half", GREY, xytext=(-4, 3), ha="right")


def card(title, printed, cases, path):
    """Store the picture that stands for the book where a link to it is shared.

    Parameters
    ----------
    title : str
        Of the book.
    printed, cases
        As for `headline`.
    path : path
        Of the PNG file, 1200 by 630 pixels.
    """
    with plt.rc_context():
        plot = axes()
        figure = plot.figure
        figure.set_size_inches(6, 3.15)
        figure.get_layout_engine().set(rect=(0.03, 0.04, 0.94, 0.68))
        _shares(plot, printed, cases, 1.1)
        figure.text(0.05, 0.9, title, fontsize=24, color=INK, va="center")
        figure.text(
            0.05, 0.785, "Where do the watts go when a language model answers?", fontsize=12.5, color=GREY, va="center"
        )
        figure.add_artist(plt.Rectangle((0, 0.72), 0.012, 0.28, color=RED, linewidth=0))
        figure.savefig(path, dpi=200)
        plt.close(figure)
