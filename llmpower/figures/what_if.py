"""Figure of the page what-if; it draws what it is given and computes nothing."""

from llmpower.figures import style
from llmpower.figures.style import BLUE, ORANGE, data

_X = "elasticity of the energy of a query"


def elasticities(changes):
    """Elasticities of a result, the largest first: the input's name, and per cent for a per cent. [1]"""
    data(["input", "elasticity of the energy of a query [1]"], changes)
    plot = style.rows([name for name, _ in changes], 1.1 + 0.3 * len(changes), _X, 0.7, 0.7)
    for place, (_, change) in enumerate(changes):
        plot.barh(place, change, color=ORANGE if change > 0 else BLUE, height=0.6)
    plot.axvline(0, color=style.GREY, linewidth=1)
