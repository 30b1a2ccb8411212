"""Which numbers moved between two editions: what their chapters, committed with outputs, showed."""

import io
import pathlib
import subprocess
import tempfile
import zipfile
from numbers import Number

from llmpower.book import run
from llmpower.book.appendices import markdown_table
from llmpower.book.build import chapters
from llmpower.book.parameters import ParameterError, read_notebook


def moved(before, after):
    """Numbers that read differently in two runs of a chapter.

    Parameters
    ----------
    before, after : dict
        As `llmpower.book.run.shown` returns them.

    Returns
    -------
    moved : list of tuple
        Name, what was shown and what is; None for a number that is not there.
    """
    names = [*before, *(name for name in after if name not in before)]
    pairs = [(name, before.get(name), after.get(name)) for name in names]
    return [(name, old, new) for name, old, new in pairs if not (old and new and old["text"] == new["text"])]


def edition(book, place):
    """Numbers of one edition.

    Parameters
    ----------
    book : pathlib.Path
        The book whose history is asked.
    place : str or pathlib.Path
        A folder with a book, or a commit or tag.

    Returns
    -------
    numbers : dict of dict
        Chapter -> what it showed.

    Raises
    ------
    ParameterError
        If it is neither, or holds no outputs.
    """
    if (pathlib.Path(place) / "_toc.yml").is_file():
        numbers = {name: run.shown(read_notebook(path)) for name, path in chapters(pathlib.Path(place)).items()}
        silent = [name for name, shown in numbers.items() if not shown]
        if silent:
            raise ParameterError([f"{place}: stored without outputs: {', '.join(silent)}; it is no edition"])
        return numbers
    done = subprocess.run(["git", "archive", "--format=zip", str(place)], cwd=book, capture_output=True, check=False)
    if done.returncode:
        raise ParameterError([f"{place}: neither a folder with a _toc.yml nor a commit or tag of this book"])
    with tempfile.TemporaryDirectory() as folder:
        zipfile.ZipFile(io.BytesIO(done.stdout)).extractall(folder)
        try:
            return edition(book, folder)
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
    """The table "Numbers that changed" of the changelog.

    Parameters
    ----------
    old, new : dict of dict
        As `edition` returns them.

    Returns
    -------
    text : str
        Markdown. What only the new edition has, and whole chapters, are counted, not listed number by number.
    """
    both = [(chapter, *move) for chapter in new if chapter in old for move in moved(old[chapter], new[chapter])]
    rows = [
        [chapter, f"`{name}`", before["text"], after["text"] if after else "", _change(before, after)]
        for chapter, name, before, after in both
        if before
    ]
    heads = ["chapter", "number", "was", "is", "change"]
    parts = [markdown_table(heads, rows) if rows else "No number changed.\n"]
    added = [chapter for chapter, _, before, _ in both if not before]
    if added:
        parts.append("New numbers: " + ", ".join(f"{one} ({added.count(one)})" for one in dict.fromkeys(added)) + ".\n")
    for words, some, others in (("New chapters", new, old), ("Chapters no longer there", old, new)):
        alone = [f"{chapter} ({len(some[chapter])} numbers)" for chapter in some if chapter not in others]
        parts += [f"{words}: {', '.join(alone)}.\n"] if alone else []
    return "\n".join(parts)
