"""Everybody can tell the palette apart, on the light page, the dark one and in grey; figures keep their lettering."""

import itertools
import math
import re

import matplotlib
import matplotlib.pyplot as plt
import pytest

from llmpower.book import files
from llmpower.figures import style
from tests.conftest import BOOK, run_cells

CSS = (BOOK / "_static" / "book.css").read_text(encoding="utf-8")
LIGHT, DARK = re.findall(r"--pst-color-background: (#\w{6})", CSS)[:2]
# The colours that stand for things; the others are for words, rules and the rare fifth curve.
MAIN = (style.BLUE, style.ORANGE, style.GREEN, style.RED)
# Machado, Oliveira and Fernandes, 2009, table 1, severity 1: applied to linear sRGB.
PROTAN = ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998))
DEUTAN = ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881))
# hue-rotate(180deg) of the W3C's filter effects: the luminance row minus the rest.
HALF_TURN = ((-0.574, 1.430, 0.144), (0.426, 0.430, 0.144), (0.426, 1.430, -0.856))


def rgb(color):
    """Red, green and blue of a hexadecimal colour, from 0 to 1."""
    return tuple(int(color[i : i + 2], 16) / 255 for i in (1, 3, 5))


def linear(color):
    """From sRGB to light (IEC 61966-2-1)."""
    return tuple(c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in color)


def times(matrix, color):
    return tuple(min(1, max(0, sum(a * b for a, b in zip(row, color)))) for row in matrix)


def luminance(light):
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), light))


def contrast(one, other):
    """Ratio of WCAG 2."""
    low, high = sorted((luminance(linear(one)), luminance(linear(other))))
    return (high + 0.05) / (low + 0.05)


def lab(light):
    """CIE L*a*b* under D65, of linear sRGB."""
    matrix = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))
    white = (0.9505, 1, 1.089)
    x, y, z = (
        t ** (1 / 3) if t > 0.008856 else 7.787 * t + 16 / 116
        for t in (v / w for v, w in zip(times(matrix, light), white))
    )
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def on_paper(color):
    """A colour of a figure multiplied onto the light page."""
    return tuple(a * b for a, b in zip(rgb(color), rgb(LIGHT)))


def in_the_dark(color):
    """A colour of a figure inverted, turned by half a circle and screened onto the dark page."""
    turned = times(HALF_TURN, tuple(1 - c for c in rgb(color)))
    return tuple(1 - (1 - a) * (1 - b) for a, b in zip(turned, rgb(DARK)))


def test_the_sums_of_this_file_reproduce_published_values():
    assert contrast(rgb("#777777"), rgb("#ffffff")) == pytest.approx(4.48, abs=0.005)  # WebAIM's borderline grey
    assert lab(linear(rgb("#ff0000"))) == pytest.approx((53.24, 80.09, 67.20), abs=0.1)  # Lindbloom
    assert times(HALF_TURN, (1, 1, 1)) == pytest.approx((1, 1, 1))


def test_the_page_does_to_figures_what_this_file_computes():
    assert "mix-blend-mode: multiply" in CSS
    assert re.search(r'data-theme="dark".*invert\(1\) hue-rotate\(180deg\); mix-blend-mode: screen', CSS)


@pytest.mark.parametrize("color", style.PALETTE)
def test_every_colour_stands_out_on_both_pages(color):
    assert contrast(on_paper(color), rgb(LIGHT)) >= 3
    assert contrast(in_the_dark(color), rgb(DARK)) >= 3


@pytest.mark.parametrize("color", style.PALETTE)
def test_words_in_a_colour_can_be_read_on_both_pages(color):
    word = style.WORDS.get(color, color)
    assert contrast(on_paper(word), rgb(LIGHT)) >= 4.5
    assert contrast(in_the_dark(word), rgb(DARK)) >= 4.5


@pytest.mark.parametrize("pair", [*itertools.combinations(MAIN, 2)], ids="-".join)
def test_main_colours_differ_for_every_eye_and_in_grey(pair):
    for page in (on_paper, in_the_dark):
        one, other = (linear(page(color)) for color in pair)
        for eye in (PROTAN, DEUTAN):
            assert math.dist(lab(times(eye, one)), lab(times(eye, other))) >= 15
        # A difference of five in lightness is one step of a grey scale of twenty.
        assert abs(lab(one)[0] - lab(other)[0]) >= 5


@pytest.mark.parametrize("theme", (LIGHT, DARK), ids=("light", "dark"))
def test_text_and_links_of_the_page_can_be_read(theme):
    block = CSS[CSS.index(f"--pst-color-background: {theme}") :].partition("}")[0]
    for name in ("text-base", "text-muted", "link", "link-hover", "success", "info"):
        color = re.search(rf"--pst-color-{name}: (#\w{{6}})", block).group(1)
        assert contrast(rgb(color), rgb(theme)) >= 4.5, name


@pytest.fixture(scope="module")
def figures():
    """Every figure of the book, drawn from the chapters' own code: (chapter, number) -> figure."""
    drawn, shown, backend = {}, plt.show, matplotlib.get_backend()
    matplotlib.use("agg")

    def show():
        figure = drawn[name, len(drawn)] = plt.gcf()
        figure.canvas.draw()

    try:
        plt.show = show
        with matplotlib.rc_context({"figure.max_open_warning": 0}):
            for name in files.chapters(BOOK):
                run_cells(name)
    finally:
        plt.show = shown
    yield drawn
    plt.close("all")
    matplotlib.use(backend)


def words(figure):
    """What can be read in a figure, with the box it takes."""
    found = [one for one in figure.findobj(matplotlib.text.Text) if one.get_visible() and one.get_text().strip()]
    # Tick labels outside the limits are kept but not drawn.
    ticks = {
        label
        for axes in figure.axes
        for axis in (axes.xaxis, axes.yaxis)
        for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks())
        for label in (tick.label1, tick.label2)
    }
    drawn = {label for axes in figure.axes for axis in (axes.xaxis, axes.yaxis) for label in _within(axis)}
    return [(one.get_text(), one, one.get_window_extent()) for one in found if one not in ticks or one in drawn]


def _within(axis):
    low, high = sorted(axis.get_view_interval())
    return [tick.label1 for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]


def test_figures_are_narrow_and_their_lettering_is_large(figures):
    assert len(figures) >= 22
    for place, figure in figures.items():
        assert figure.get_figwidth() == style.WIDTH, place
        for text, one, _ in words(figure):
            # On a phone of 375 pixels a figure of 5.2 inches is shown at 1.00 pixels a point or 0.75 of its size.
            assert one.get_fontsize() >= 9, (place, text)


def test_no_word_of_a_figure_is_cut_off(figures):
    for place, figure in figures.items():
        for text, _, box in words(figure):
            assert box.x0 >= -1 and box.y0 >= -1 and box.x1 <= figure.bbox.x1 + 1 and box.y1 <= figure.bbox.y1 + 1, (
                place,
                text,
            )


def test_words_of_a_figure_do_not_lie_on_each_other(figures):
    for place, figure in figures.items():
        # The box of a slanted word is mostly empty.
        level = [word for word in words(figure) if word[1].get_rotation() % 90 == 0]
        for (one, _, first), (other, _, second) in itertools.combinations(level, 2):
            across = min(first.x1, second.x1) - max(first.x0, second.x0)
            down = min(first.y1, second.y1) - max(first.y0, second.y0)
            # Boxes of lines are taller than the letters in them.
            assert across <= 1 or down <= 0.35 * min(first.height, second.height), (place, one, other)


def test_every_axis_is_named(figures):
    for place, figure in figures.items():
        for axes in figure.axes:
            if _counts(axes.xaxis):
                assert axes.get_xlabel(), place
            if _counts(axes.yaxis):
                assert axes.get_title(loc="left").strip(), place


def _counts(axis):
    """Whether an axis shows numbers alone, and not names that speak for themselves."""
    labels = [label.get_text() for label in _within(axis) if label.get_visible()]
    return all(re.match(r"[×÷−-]?\$?[\d\\]", label) and "\n" not in label for label in filter(None, labels)) and any(
        labels
    )


@pytest.mark.parametrize("kind", ["svg", "png", "pdf"])
def test_a_figure_is_drawn_once_and_laid_out_as_matplotlib_would(kind, tmp_path):
    pictures, places, drawn = [], [], []
    for figure in (style.Figure, matplotlib.figure.Figure):
        plot = plt.subplots(layout="constrained", figsize=(5, 3), FigureClass=figure)[1]
        plot.plot([1, 1000], [0.001, 5000], label="a line")
        plot.set(xlabel="a wide label", title="a high one", yscale="log")
        plot.legend()
        draw = plot.patch.draw
        plot.patch.draw = lambda renderer, draw=draw: (drawn.append(renderer), draw(renderer))
        with matplotlib.rc_context({"svg.hashsalt": "same"}):
            metadata = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(kind)
            plot.figure.savefig(tmp_path / "picture", format=kind, metadata=metadata)
        pictures.append((tmp_path / "picture").read_bytes())
        places.append((plot.get_position().bounds, len(drawn)))
        plt.close(plot.figure)
    assert pictures[0] == pictures[1] and places[0][0] == places[1][0]
    assert [count for _, count in places] == [1, 3], "once by ours, then twice by Matplotlib's own"
