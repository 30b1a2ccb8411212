"""Editions of one source: for readers, for students without solutions, and for teachers with open ones and notes.

Another edition is another book beside the first one: its chapters are made from ours before they are executed, so that
what a student does not get is in no page, notebook, script, download or index of that site.
"""

import re
import shutil

import nbformat
import yaml

from llmpower import questions
from llmpower.book import files, fresh
from llmpower.book.files import BookError

# Of exercises, from the first one of a chapter to the last one.
LEVELS = ("Warm-up", "By hand", "Experiment", "Data", "Design")
_MARK = r"^(`{{3,}}|:{{3,}})\{{solution{}\}}[^\n]*\n(?:.*\n)*?\1[ \t]*$"
_START, _END, _WHOLE = (re.compile(_MARK.format(part), re.MULTILINE) for part in ("-start", "-end", ""))
_EXERCISE = re.compile(
    r"^(`{3,}|:{3,})\{exercise\}[ \t]*(?P<title>[^\n]*)\n:label: (?P<label>[\w-]+)\n(?P<body>(?:.*\n)*?)\1[ \t]*$",
    re.MULTILINE,
)
_LEVEL = re.compile(rf"^\*({'|'.join(LEVELS)}), (\d+) minutes\.\*", re.MULTILINE)
_HEADING = re.compile(r"^## Exercises$", re.MULTILINE)


def exercises(notebook):
    """Exercises of a chapter, in their order: title, label, level and minutes, None where they are not said."""
    found = []
    for cell in notebook.cells:
        for one in _EXERCISE.finditer(cell.source if cell.cell_type == "markdown" else ""):
            said = _LEVEL.search(one["body"])
            found.append((one["title"].strip(), one["label"], *((said[1], int(said[2])) if said else (None, None))))
    return found


def before_exercises(notebook, cell):
    """Put a cell before the heading of the exercises, or at the end."""
    for place, one in enumerate(notebook.cells):
        if one.cell_type == "markdown" and (found := _HEADING.search(one.source)):
            before, after = one.source[: found.start()].rstrip(), one.source[found.start() :]
            one.source = before
            rest = nbformat.v4.new_markdown_cell(after, id=f"after-{cell.id}")
            notebook.cells[place : place + 1] = [*([one] if before else []), cell, rest]
            return
    notebook.cells.append(cell)


def without_solutions(notebook):
    """Take the solutions out of a chapter: the text between their marks, and the code."""
    kept, inside = [], False
    for cell in notebook.cells:
        if cell.cell_type != "markdown":
            kept += [] if inside else [cell]
            continue
        rest, parts = cell.source, []
        while mark := (_END if inside else _START).search(rest):
            parts += [] if inside else [rest[: mark.start()]]
            rest, inside = rest[mark.end() :], not inside
        cell.source = _WHOLE.sub("", "".join([*parts, *([] if inside else [rest])])).strip()
        kept += [cell] if cell.source else []
    if inside:
        raise BookError("a solution begins and does not end")
    notebook.cells = kept


def _for_teachers(notebook, path):
    """Open the solutions of a chapter, and tell what its questions ask for."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = _START.sub(
                lambda found: re.sub(r"^:class: dropdown\n", "", found[0], flags=re.M), cell.source
            )
    listed = questions.questions(path)
    if listed:
        words = files.filled(
            "templates/teacher.md.j2", sheet=questions.first(listed), kinds=questions.KINDS, name=path.stem
        )
        before_exercises(notebook, nbformat.v4.new_markdown_cell(words, id="for-the-teacher"))


def book_of(book, edition, kept):
    """Folder with the book of an edition, made anew; kept: folder for it, its runs and its site."""
    place = fresh.own_folder(kept) / "book"
    place.mkdir(exist_ok=True)
    for name in ("_static", "pages", "data", "chapters"):
        # What the book no longer has goes here, too.
        shutil.rmtree(place / name, ignore_errors=True)
        if (book / name).is_dir():
            shutil.copytree(book / name, place / name, ignore=shutil.ignore_patterns("*.ipynb"))
    for name in ("_toc.yml", "requirements.lock", "CITATION.cff", "CHANGELOG.md"):
        shutil.copyfile(book / name, place / name)
    config = files.read_yaml(book / "_config.yml")
    config["title"] = f"{config['title']}, {edition} edition"
    (place / "_config.yml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    for name, path in files.chapters(book).items():
        notebook = files.read_notebook(path)
        try:
            without_solutions(notebook) if edition == "student" else _for_teachers(notebook, path)
        except BookError as error:
            raise BookError(f"{name}: {error}") from None
        nbformat.write(notebook, place / path.relative_to(book))
    return place
