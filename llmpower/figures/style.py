"""One look for all figures: colours, axes, rows, labels, keys, bands; and the table behind each."""

import contextlib
import csv
import inspect
import io
import itertools
import math
import pathlib
from numbers import Integral

import matplotlib.figure
import matplotlib.pyplot as plt
import numpy as np
from font_roboto import Roboto
from matplotlib.backend_bases import register_backend
from matplotlib.font_manager import fontManager
from matplotlib.patheffects import withStroke
from matplotlib.ticker import NullLocator

from llmpower.figures.compact import Canvas

# Told apart with any colour vision, in grey, and inverted for the dark page: tests/figures/test_style.py has the sums.
BLUE, ORANGE, GREEN, RED, GREY, INK = "#103F8F", "#C47A00", "#00857A", "#B5301F", "#5B6168", "#22262B"
PURPLE, SKY, PALE = "#9A4F96", "#3F8FC4", "#878F97"
# Of the energy of a token, by what takes it.
PARTS = {"weights": BLUE, "cache": GREEN, "arithmetic": ORANGE, "static": PALE}
PALETTE = (BLUE, ORANGE, GREEN, RED, GREY, INK, PURPLE, SKY, PALE)
# Words need more contrast than lines.
WORDS = {ORANGE: "#925600", SKY: "#1F6A9C", PALE: GREY}
# Narrow, so that its lettering can still be read where it fills the width of a phone.
WIDTH = 5.2
DASHED = (0, (4, 3))
# A line that something is held against.
RULE = {"color": GREY, "linewidth": 1, "linestyle": DASHED}
_RIM = [withStroke(linewidth=2.5, foreground="white")]
fontManager.addfont(Roboto)
register_backend("svg", Canvas)


class Figure(matplotlib.figure.Figure):
    """Is drawn once into a file: before, Matplotlib draws it for its layout alone, with functions that draw nothing."""

    def draw(self, renderer):
        for_layout = self.canvas.is_saving() and not inspect.ismethod(renderer.draw_path)
        if for_layout and self.axes and self.get_visible() and (engine := self.get_layout_engine()):
            # As Matplotlib's own drawing begins.
            with contextlib.suppress(ValueError):
                engine.execute(self)
        else:
            super().draw(renderer)


def axes(height=3.6, x="", y="", logarithmic="", **more):
    """Axes in the book's style; all figures have the same width.

    height : of the figure. [inch]
    x, y : what the axes count, shares where it says "%"; the name of the vertical one stands level, above it.
    logarithmic : which of the two are, "x", "y" or "xy"; see `log`.
    more : what `matplotlib.pyplot.subplots` takes.
    """
    # From the defaults of the library, whatever a reader's own settings say.
    plt.style.use(["default", pathlib.Path(__file__).with_suffix(".mplstyle")])
    if "inline" in plt.get_backend():
        from matplotlib_inline.backend_inline import set_matplotlib_formats

        # In a notebook: lines, sharp at any size; no date, and no cropping that would change the size of the lettering.
        set_matplotlib_formats("svg", metadata={"Date": None}, bbox_inches=None)
    plot = plt.subplots(layout="constrained", figsize=(WIDTH, height), FigureClass=Figure, **more)[1]
    if x or y:
        plot.set(xlabel=x, title=y)
    log(plot, logarithmic)
    for name, axis in ((x, "xaxis"), (y, "yaxis")):
        if "%" in name:
            getattr(plot, axis).set_major_formatter("{x:.0%}")
    return plot


def log(plot, names, base=10, form="{x:,g}"):
    """Make axes logarithmic, "x", "y" or "xy", and label them with plain numbers: 1,000 and not 10³."""
    for name in names:
        getattr(plot, f"set_{name}scale")("log", base=base)
        axis = getattr(plot, f"{name}axis")
        axis.set_major_formatter(form)
        # Of no length, without a label, and yet each would be laid out.
        axis.set_minor_locator(NullLocator())


def batches(values, y, height=3.6, logarithmic=""):
    """Axes over the batch."""
    plot = axes(height, "batch: sequences decoded together", y, logarithmic)
    log(plot, "x", base=2, form="{x:,.0f}")
    plot.set_xlim(values[0], values[-1])
    return plot


def rows(names, height, x="", above=1.1, below=0.6, **more):
    """Axes with a row for each name, from top to bottom; the room above and below them is counted in rows."""
    plots = axes(height, x, **more)
    for plot in np.ravel(plots):
        plot.set_yticks(range(len(names)), names)
        plot.set_ylim(len(names) - 1 + below, -above)
        plot.grid(axis="y", visible=False)
    return plots


def span(plot, row, low, high, color, width=7, **more):
    """Draw a bar along a row."""
    plot.plot([low, high], [row, row], **{"color": color, "linewidth": width, "solid_capstyle": "butt", **more})


def ranged(plot, row, value, width=7, size=6):
    """Draw a Range on a row: its central value on the bar of its ends."""
    span(plot, row, value.low, value.high, BLUE, width, alpha=0.3)
    plot.plot(value.central, row, "o", color=BLUE, markersize=size)


def band(plot, x, ranges, color, label=None):
    """Draw a line of central values in the band of their ranges."""
    plot.fill_between(x, [r.low for r in ranges], [r.high for r in ranges], color=color, alpha=0.18, linewidth=0)
    plot.plot(x, [r.central for r in ranges], color=color, label=label)


def direct(plot, x, y, text, color, offset=(6, 0), leader=False, **more):
    """Write a label beside a point instead of into a legend, on a rim of white that keeps lines off it.

    offset : from the point; to the left of it the label ends there. [point]
    leader : whether a thin line joins the two.
    more : what `matplotlib.axes.Axes.annotate` takes.
    """
    # Roboto counts much white into the height of a line.
    look = {"color": WORDS.get(color, color), "textcoords": "offset points", "va": "center", "linespacing": 0.98}
    look |= {"ha": "right" if offset[0] < 0 else "left", "path_effects": _RIM}
    if leader:
        look["arrowprops"] = {"arrowstyle": "-", "color": color, "linewidth": 0.8, "shrinkB": 3}
    return plot.annotate(text, (x, y), xytext=offset, **{**look, **more})


def mark(plot, x, y, words, color, offset=(6, 0), sign="D", **more):
    """Mark a point and write its label beside it, as `direct` does."""
    plot.plot(x, y, sign, color=color, markersize=6, zorder=5)
    direct(plot, x, y, words, color, offset, **more)


def apart(heights, distance):
    """Heights of labels, rising, moved up and down until neighbours keep their distance.

    >>> apart([0, 1, 1.5, 9], 2)
    [-1.25, 0.75, 2.75, 9.0]
    """
    up, down = list(heights), list(heights)
    for place in range(1, len(heights)):
        up[place] = max(up[place], up[place - 1] + distance)
        down[-1 - place] = min(down[-1 - place], down[-place] - distance)
    return [(high + low) / 2 for high, low in zip(up, down)]


def ends(plot, distance):
    """Write the label of each curve at its right end, set apart; the limits of the axes must stand.

    distance : of neighbours, over the height of the axes. [1]
    """
    # Limits are settled when somebody asks for them.
    plot.get_ylim()
    level, labels = plot.transScale + plot.transLimits, []
    for line, words in zip(*plot.get_legend_handles_labels()):
        x, y = line.get_xydata()[-1]
        labels.append((level.transform((x, y))[1], x, words, line.get_color()))
    labels.sort()
    for height, (_, x, words, color) in zip(apart([label[0] for label in labels], distance), labels):
        direct(plot, x, height, words, color, xycoords=("data", "axes fraction"))


def key(plot, entries, x, y, sample=0.0, distance=0.058):
    """Signs and what they stand for, one below the other, from a corner of the axes.

    entries : list of words and of the look of a line or mark.
    sample : length of a line beside its words. [1]
    """
    for place, (words, look) in enumerate(entries):
        height = y - distance * place
        across = [x, x + sample] if sample else [x]
        plot.plot(across, [height] * len(across), transform=plot.transAxes, clip_on=False, **look)
        direct(plot, across[-1], height, words, look["color"], (-7 if sample < 0 else 7, 0), xycoords="axes fraction")


def tidy(x, lines):
    """Rows of a table: of each line its name, and x and y of every point that has both."""
    return [(name, *point) for name, values in lines for point in zip(x, values) if point[-1] == point[-1]]


_behind = []


def data(columns, rows):
    """Hand over the table behind a figure, with the values as they are drawn; `report.alt` takes it.

    columns : names, each number's with its unit: ``"power [W]"``.
    rows : a Range fills three columns; None, NaN, "" and the end of a short row leave cells empty.
    """
    table = []
    for name, *values in itertools.zip_longest(columns, *rows):
        table.append([name, *(getattr(value, "central", value) for value in values)])
        if any(hasattr(value, "central") for value in values):
            for end in ("low", "high"):
                table.append([name.replace(" [", f"_{end} ["), *(getattr(value, end, None) for value in values)])
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([_cell(value) for value in row] for row in zip(*table))
    _behind[:] = [text.getvalue()]


def take_data():
    """The table handed over since the last call, as CSV; None if there is none."""
    return _behind.pop() if _behind else None


def _cell(value):
    if value is None or isinstance(value, str):
        return " ".join((value or "").split())
    # Python's own numbers: NumPy's would print otherwise.
    return int(value) if isinstance(value, Integral) else "" if math.isnan(value) else float(value)
