"""What a chapter says with parameters of one's own, without a kernel, a page or a second to wait."""

import contextlib
import functools
import io
from dataclasses import dataclass
from numbers import Number

import matplotlib
import matplotlib.pyplot as plt
import nbformat
import pytest
from IPython.display import Markdown

from llmpower.book import files, records, report
from llmpower.book.take_home import plain_markdown
from llmpower.ranges import Range
from tests.conftest import BOOK, run_cells


@dataclass(frozen=True)
class Reading:
    """What a chapter said with some parameters: what its cells said alone, raw values and texts of its numbers.

    prints: what each code cell printed, by its number; alts: alternative texts of figures, by name.
    """

    said: str
    numbers: dict
    texts: dict
    prints: dict
    alts: dict
    chapter: str

    @functools.cached_property
    def text(self):
        """All of it as plain Markdown with its numbers in place."""
        cells = nbformat.read(files.chapters(BOOK)[self.chapter], as_version=4).cells
        printed = [cell.source for cell in cells if cell.cell_type == "markdown"]
        known = {"glue": self.texts, "cite": {}, "ref": {}, "eq": {}}
        return plain_markdown("\n\n".join([*printed, *sum(self.prints.values(), [])]), known)


def read(chapter, **parameters):
    """Execute a chapter's own code in this process; parameters take the place of its own."""
    said, texts, numbers, prints, alts = [], {}, {}, {}, {}
    show, say, backend = report.show, report.say, matplotlib.get_backend()

    def showing(name, value=None, unit="1", /, **several):
        for key, given in (several or {name: value}).items():
            known = isinstance(given, (Number, Range))
            texts[key] = report.text(given, name if several else unit) if known else str(given)
            numbers[key] = getattr(given, "central", given)
        show(name, value, unit, **several)

    def saying(*parts):
        said.extend(filter(None, parts))
        say(*parts)

    def displaying(shown, **more):
        prints[max(prints)] += [shown.data] if isinstance(shown, Markdown) else []
        alts.update({} if isinstance(shown, Markdown) else shown.get(records.FIGURES, {}))

    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(io.StringIO()):
        patch.setattr(report, "show", showing)
        patch.setattr(report, "say", saying)
        patch.setattr(report, "display", displaying)
        patch.setattr(plt, "show", lambda: plt.close("all"))
        matplotlib.use("agg")
        run_cells(chapter, lambda number: prints.update({number: []}), **parameters)
    plt.close("all")
    matplotlib.use(backend)
    return Reading(" ".join(said), numbers, texts, prints, alts, chapter)
