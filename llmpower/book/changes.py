"""Which numbers moved between two editions: what their chapters, committed with outputs, showed."""

import collections
import io
import pathlib
import subprocess
import tempfile
import zipfile
from numbers import Number

from llmpower.arguments import ParameterError
from llmpower.book.files import chapters, filled, read_notebook
from llmpower.book.records import shown


def moved(before, after):
    """Numbers that read differently in two runs of a chapter: name, what was shown and what is, or None."""
    names = [*before, *(name for name in after if name not in before)]
    pairs = [(name, before.get(name), after.get(name)) for name in names]
    return [(name, old, new) for name, old, new in pairs if not (old and new and old["text"] == new["text"])]


def _numbers(notebook):
    # Until the first release also in the former form, one output a number, so that older commits can be compared.
    marks = [out.get("metadata", {}).get("scrapbook", {}) for cell in notebook.cells for out in cell.get("outputs", [])]
    return shown(notebook) or {mark.name: dict(mark.llmpower) for mark in marks if "llmpower" in mark}


def edition_numbers(book, place):
    """Numbers of one edition: chapter -> what it showed.

    place: a folder with a book, or a commit or tag of the given one.
    """
    if (pathlib.Path(place) / "_toc.yml").is_file():
        numbers = {name: _numbers(read_notebook(path)) for name, path in chapters(pathlib.Path(place)).items()}
        if silent := [name for name, found in numbers.items() if not found]:
            raise ParameterError([f"{place}: stored without outputs: {', '.join(silent)}; it is no edition"])
        return numbers
    done = subprocess.run(["git", "archive", "--format=zip", str(place)], cwd=book, capture_output=True, check=False)
    if done.returncode:
        raise ParameterError([f"{place}: neither a folder with a _toc.yml nor a commit or tag of this book"])
    with tempfile.TemporaryDirectory() as folder:
        zipfile.ZipFile(io.BytesIO(done.stdout)).extractall(folder)
        try:
            return edition_numbers(book, folder)
        except ParameterError as error:
            raise ParameterError([problem.replace(folder, str(place)) for problem in error.problems]) from None


def _change(old, new):
    """How a number moved, in words; the raw values tell, since the printed ones are rounded."""
    if not new:
        return "no longer shown"
    before, after = ({key: one.get(key) for key in ("value", "low", "high", "unit")} for one in (old, new))
    if before == after:
        return "printed differently"
    first, second = before["value"], after["value"]
    if first == second:
        return "range or unit"
    if isinstance(first, Number) and isinstance(second, Number) and first and before["unit"] == after["unit"]:
        return f"{second / first - 1:+.2%}".replace("%", " %")
    return ""


def changes(old, new):
    """The table "Numbers that changed" of the changelog, from two editions.

    What only the new edition has, and whole chapters, are counted, not listed number by number.
    """
    both = [(chapter, *move) for chapter in new if chapter in old for move in moved(old[chapter], new[chapter])]
    rows = [(*names, before, after, _change(before, after)) for *names, before, after in both if before]
    added = collections.Counter(chapter for chapter, _, before, _ in both if not before)
    return filled("templates/changes.md.j2", rows=rows, added=added, old=old, new=new)
