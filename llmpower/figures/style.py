"""One look for all figures: colours, axes, direct labels, bands; and the table behind each."""

import csv
import importlib.util
import io
import math
import pathlib
from numbers import Integral

import matplotlib.pyplot as plt
from matplotlib.font_manager import fontManager
from matplotlib.patheffects import withStroke

# Told apart with any colour vision, in grey, and inverted for the dark page: tests/test_style.py has the sums.
BLUE, ORANGE, GREEN, RED, GREY, INK = "#103F8F", "#C47A00", "#00857A", "#B5301F", "#5B6168", "#22262B"
PURPLE, SKY, PALE = "#9A4F96", "#3F8FC4", "#878F97"
PALETTE = (BLUE, ORANGE, GREEN, RED, GREY, INK, PURPLE, SKY, PALE)
# Words need more contrast than lines.
WORDS = {ORANGE: "#925600", SKY: "#1F6A9C", PALE: GREY}
# Narrow, so that its lettering can still be read where it fills the width of a phone.
WIDTH = 5.2
_STYLE = {
    "figure.figsize": (WIDTH, 3.6),
    "figure.dpi": 144,
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "savefig.facecolor": "white",
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.titlecolor": INK,
    "axes.titlepad": 9,
    "axes.labelsize": 10,
    "axes.labelcolor": INK,
    "axes.labelpad": 5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.edgecolor": GREY,
    "axes.linewidth": 0.8,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelsize": 9.5,
    "ytick.labelsize": 9.5,
    "xtick.minor.size": 0,
    "ytick.minor.size": 0,
    "ytick.major.size": 0,
    "axes.grid": True,
    "grid.color": "#E6E9EC",
    "grid.linewidth": 0.8,
    "axes.axisbelow": True,
    "lines.linewidth": 2,
    "figure.constrained_layout.w_pad": 0.04,
    "figure.constrained_layout.h_pad": 0.04,
    # The same picture gets the same names inside, build after build.
    "svg.hashsalt": "llmpower",
}


def _font():
    """Name of a typeface that a locked package carries, or matplotlib's own."""
    package = importlib.util.find_spec("sphinxext.opengraph")
    path = package and pathlib.Path(package.origin).parent / "_static" / "Roboto-Flex.ttf"
    if not path or not path.is_file():
        return "DejaVu Sans"
    fontManager.addfont(path)
    return "Roboto Flex"


def axes(height=3.6, **more):
    """One pair of axes in the book's style.

    Parameters
    ----------
    height : float
        Of the figure; all have the same width. [inch]
    **more
        What `matplotlib.pyplot.subplots` takes.
    """
    plt.rcParams.update({**_STYLE, "font.family": [_font(), "DejaVu Sans"]})
    if "inline" in plt.get_backend():
        from matplotlib_inline.backend_inline import set_matplotlib_formats

        # In a notebook: lines, sharp at any size; no date, and no cropping that would change the size of the lettering.
        set_matplotlib_formats("svg", metadata={"Date": None}, bbox_inches=None)
    return plt.subplots(layout="constrained", figsize=(WIDTH, height), **more)[1]


def vertical(axes, text):
    """Name the vertical axis where one reads it: level, above the axes."""
    axes.set_title(text)


_behind = []


def data(columns, rows):
    """Hand over the table behind a figure, with the values as they are drawn; `report.alt` takes it.

    Parameters
    ----------
    columns : list of str
        Names, each number's with its unit: ``"power [W]"``.
    rows : list of tuple
        A Range fills three columns; None, NaN and "" leave a cell empty.
    """
    ranged = [any(hasattr(row[place], "central") for row in rows) for place in range(len(columns))]
    heads = [head for name, three in zip(columns, ranged) for head in (_three_heads(name) if three else [name])]
    cells = [
        [cell for value, three in zip(row, ranged) for cell in (_three(value) if three else [value])] for row in rows
    ]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([heads, *([_cell(value) for value in row] for row in cells)])
    _behind[:] = [text.getvalue()]


def take_data():
    """The table handed over since the last call, as CSV; None if there is none."""
    return _behind.pop() if _behind else None


def _three_heads(name):
    name, _, unit = name.partition(" [")
    return [f"{name}{end} [{unit}" for end in ("", "_low", "_high")]


def _three(value):
    return [value.central, value.low, value.high] if hasattr(value, "central") else [value, None, None]


def _cell(value):
    if value is None or isinstance(value, str):
        return " ".join((value or "").split())
    # Python's own numbers: NumPy's would print otherwise.
    return int(value) if isinstance(value, Integral) else "" if math.isnan(value) else float(value)


def direct(axes, x, y, text, color, **more):
    """Write a label beside a point instead of into a legend, on a rim of white that keeps lines off it."""
    rim = [withStroke(linewidth=2.5, foreground="white")]
    look = {"color": WORDS.get(color, color), "textcoords": "offset points", "path_effects": rim}
    return axes.annotate(text, (x, y), **{**look, "xytext": (6, 0), "va": "center", "linespacing": 1.1, **more})


def apart(heights, distance):
    """Heights of labels, rising, moved up until neighbours keep their distance.

    Examples
    --------
    >>> apart([0, 1, 1.5, 9], 2)
    [0, 2, 4, 9]
    """
    placed = []
    for height in heights:
        placed.append(max(height, placed[-1] + distance) if placed else height)
    return placed


def band(axes, x, ranges, color):
    """Draw a line of central values in the band of their ranges."""
    axes.fill_between(x, [r.low for r in ranges], [r.high for r in ranges], color=color, alpha=0.18, linewidth=0)
    axes.plot(x, [r.central for r in ranges], color=color)
