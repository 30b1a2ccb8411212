"""Drawings with fewer bytes: Matplotlib's SVG with places that are exact enough, and nothing said twice."""

import hashlib
import io
import re

from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.cbook import open_file_cm

_PLACES = re.compile(r' (?:d|x|y)="[^"]*"')
_NUMBER = re.compile(r"-?\d+\.\d{3,}")
_BESIDE_LETTERS = re.compile(r"(?<=[A-Za-z]) | ?\n|(?<=[0-9z]) (?=[A-Za-z])")
# A label is outlined, and drawn again inside its outline.
_TWICE = re.compile(r'<path d="([^"]{99,})" ([^>]*)/>\s*<path d="\1" ([^>]*)/>')


class Canvas(FigureCanvasSVG):
    """Matplotlib's own for SVG, whose drawings are `compact`."""

    def print_svg(self, filename, metadata=None, bbox_inches_restore=None, **others):
        """Write the drawing; what other formats need is ignored."""
        drawn = io.StringIO()
        super().print_svg(drawn, metadata=metadata, bbox_inches_restore=bbox_inches_restore)
        with open_file_cm(filename, "wb") as file:
            file.write(compact(drawn.getvalue()).encode())


def compact(svg):
    """A drawing whose places are rounded to 0.01 point, and that holds once what it draws twice in a row.

    >>> compact('<path d="M 1.23456 2 \\nL 3 -4.000001 \\nz\\n" style="fill: none"/>')
    '<path d="M1.23 2L3 -4z" style="fill: none"/>'
    """
    svg = _PLACES.sub(_rounded, svg)
    return re.sub(r"\n\s+", "\n", _TWICE.sub(_once, svg))


def _rounded(places):
    name, _, numbers = places[0].partition("=")
    numbers = _NUMBER.sub(lambda number: f"{float(number[0]):.2f}".rstrip("0").rstrip("."), numbers)
    return f"{name}={_BESIDE_LETTERS.sub('', numbers)}"


def _once(paths):
    shape, *looks = paths.groups()
    # Named by its content: a notebook may put several drawings into one page.
    name = f"d{hashlib.sha256(shape.encode()).hexdigest()[:12]}"
    uses = (f'<use xlink:href="#{name}" {look}/>' for look in looks)
    return f'<defs><path id="{name}" d="{shape}"/></defs>{"".join(uses)}'
