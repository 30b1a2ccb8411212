"""Figure of the page what-if; it draws what it is given and computes nothing."""

from llmpower.figures import style
from llmpower.figures.style import BLUE, ORANGE, data

_X = "change of the energy of a query for ten per cent more (%)"


def moves(changes):
    """By how much a result changes when one input grows, the input's name and the share of change. [1]"""
    data(["ten per cent more of", "change of the energy of a query [1]"], changes)
    plot = style.rows([name for name, _ in changes], 1.1 + 0.3 * len(changes), _X, 0.7, 0.7)
    for place, (_, change) in enumerate(changes):
        plot.barh(place, change, color=ORANGE if change > 0 else BLUE, height=0.6)
    plot.axvline(0, color=style.GREY, linewidth=1)
