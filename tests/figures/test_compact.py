"""Drawings with fewer bytes show the same, at every size."""

import io
import xml.etree.ElementTree

import matplotlib.pyplot as plt
import numpy
from matplotlib.backends.backend_svg import FigureCanvasSVG

from llmpower.figures import style
from llmpower.figures.compact import Canvas

SVG = "{http://www.w3.org/2000/svg}"


def drawn(canvas, figure):
    """What a canvas makes of a figure."""
    file = io.BytesIO()
    canvas(figure).print_svg(file, metadata={"Date": None})
    return file.getvalue().decode()


def test_an_outlined_label_is_held_once_and_drawn_twice():
    plot = style.axes()
    plot.plot(numpy.linspace(0, 1, 50), numpy.linspace(0, 1, 50) ** 2)
    style.direct(plot, 0.5, 0.25, "a label beside the line", style.BLUE)
    plain, compact = (drawn(canvas, plot.figure) for canvas in (FigureCanvasSVG, Canvas))
    plt.close(plot.figure)
    assert len(compact) < 0.6 * len(plain)
    before, after = (xml.etree.ElementTree.fromstring(text) for text in (plain, compact))
    held = [one.get("id") for one in after.iter(f"{SVG}path") if len(one.get("id", "")) == 13]
    links = [one.get("{http://www.w3.org/1999/xlink}href") for one in after.iter(f"{SVG}use")]
    assert len(held) == 1 and links.count(f"#{held[0]}") == 2
    # Of two paths that were alike, one is left.
    assert len(list(after.iter(f"{SVG}path"))) == len(list(before.iter(f"{SVG}path"))) - 1


def test_places_are_kept_to_a_hundredth_of_a_point():
    plot = style.axes()
    plot.plot([0.1234567, 1], [0.3333333, 2])
    plain, compact = (drawn(canvas, plot.figure) for canvas in (FigureCanvasSVG, Canvas))
    plt.close(plot.figure)

    def places(text):
        shapes = (one.get("d") for one in xml.etree.ElementTree.fromstring(text).iter(f"{SVG}path"))
        spaced = "".join(f" {sign} " if sign.isalpha() else sign for sign in " ".join(shapes))
        return numpy.array([float(one) for one in spaced.split() if not one.isalpha()])

    assert numpy.abs(places(plain) - places(compact)).max() <= 0.005 + 1e-9


def test_a_figure_is_saved_as_a_file(tmp_path):
    plot = style.axes()
    plot.figure.savefig(tmp_path / "figure.svg", dpi=100)
    plt.close(plot.figure)
    assert (tmp_path / "figure.svg").read_text(encoding="utf-8").startswith("<?xml")
