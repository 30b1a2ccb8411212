"""The card that a link to the book shows; it draws and computes nothing."""

import matplotlib.pyplot as plt

from llmpower.figures import style
from llmpower.figures.style import BLUE, GREY, INK, RED, direct


def _percent(share):
    """Like the text: close to a hundred percent, what is missing from it counts."""
    return f"{100 * share:.{2 if share > 0.99 else 1}f} %"


def _shares(printed, cases, scale):
    """Axes with a row for each case: its range, its share, and the article's share across all of them."""
    x = "share of an H100's power that moves data (%)"
    plot = style.rows([label for label, _ in cases], 1.1 + 0.52 * len(cases), x)
    for place, (_, share) in enumerate(cases):
        style.ranged(plot, place, share, 9 * scale, 8 * scale)
        side, align = (-9, "right") if share.central > 0.9 else (0, "center")
        direct(plot, share.central, place, _percent(share.central), BLUE, (side * scale, 13 * scale), ha=align)
    plot.axvline(printed, color=RED, linewidth=2 * scale)
    direct(plot, printed, -0.85, f"the article: {printed:.1%} is not computation", RED, (-5 * scale, 3))
    plot.set_xlim(0, 1.02)
    return plot


def card(title, printed, cases, path):
    """Store the picture that stands for the book where a link to it is shared, a PNG of 1200 by 630 pixels."""
    with plt.rc_context():
        figure = _shares(printed, cases, 1.1).figure
        figure.set_size_inches(6, 3.15)
        figure.get_layout_engine().set(rect=(0.03, 0.04, 0.94, 0.68))
        figure.text(0.05, 0.9, title, fontsize=24, color=INK, va="center")
        question = "Where do the watts go when a language model answers?"
        figure.text(0.05, 0.785, question, fontsize=12.5, color=GREY, va="center")
        figure.add_artist(plt.Rectangle((0, 0.72), 0.012, 0.28, color=RED, linewidth=0))
        figure.savefig(path, dpi=200)
        plt.close(figure)
