"""The files of the book: where it lies, what its table of contents names, how they are read."""

import contextlib
import json
import os
import pathlib

import nbformat
import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from sphinx_external_toc.parsing import MalformedError, parse_toc_data

from llmpower.arguments import ParameterError, hint
from llmpower.book.escape import filled_in
from llmpower.facts.tables import UnknownName
from llmpower.facts.tables import contents as file_contents

HERE = pathlib.Path(__file__).parent
PACKAGE = HERE.parent
# How long chapters of the reference edition took; written by `llmpower renew`.
RUN_TIMES = "chapters/run-times.json"
# Of a file that is read as YAML.
_MOST_BYTES = 1_000_000
_LOADER = FileSystemLoader(HERE)
_FORM = {"undefined": StrictUndefined, "trim_blocks": True, "keep_trailing_newline": True}
_TEMPLATES = Environment(loader=_LOADER, finalize=filled_in, autoescape=lambda name: name.endswith(".md.j2"), **_FORM)


class BookError(RuntimeError):
    """The book cannot be read or rendered."""

    exit_code = 1


class ChapterError(RuntimeError):
    """A chapter cannot be read or stopped half way; the message names the file, or the cell and the error."""

    exit_code = 1


def find_book(folder):
    """The folder that holds the book: the given one or, if None, the current one or the nearest above it."""
    start = pathlib.Path("." if folder is None else folder).resolve()
    for place in [start, *start.parents] if folder is None else [start]:
        if (place / "_toc.yml").is_file() and (place / "chapters").is_dir():
            return place
    where = folder or "this folder or above it"
    raise ParameterError([f"no book in {where}: it has no _toc.yml; say where it is with --book DIR"])


class _Loader(yaml.SafeLoader):
    """Refuses a key given twice, of which YAML would keep the last, and references, of which bombs are made."""

    def compose_node(self, parent, index):
        if self.check_event(yaml.AliasEvent):
            raise yaml.constructor.ConstructorError(
                None, None, "references (*) are not read", self.peek_event().start_mark
            )
        return super().compose_node(parent, index)

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for (key, _), name in zip(node.value, keys):
            if keys.count(name) > 1:
                raise yaml.constructor.ConstructorError(None, None, f"{name} is given twice", key.start_mark)
        return super().construct_mapping(node, deep)


class _TextLoader(_Loader):
    """Leaves values as they were typed: YAML takes 12:30:45 for 45045, and ``no`` for false."""

    yaml_implicit_resolvers = {
        first: [one for one in found if one[0] == "tag:yaml.org,2002:null"]
        for first, found in _Loader.yaml_implicit_resolvers.items()
    }


def read_yaml(path, as_text=False):
    """Content of a YAML file, its numbers as text if asked; BookError with file and line if it cannot be read."""
    try:
        loader = _TextLoader if as_text else _Loader
        return yaml.load(file_contents(path, _MOST_BYTES, "such file").decode("utf-8"), loader)
    except (UnknownName, UnicodeDecodeError) as error:
        told = str(error).removeprefix(f"{path} cannot be read: ")
        raise BookError(f"{path}: cannot be read: {told}") from None
    except (yaml.YAMLError, ValueError, RecursionError, TypeError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        told = " ".join(str(getattr(error, "problem", None) or error).split())
        raise BookError(f"{path}{line}: not valid YAML: {told}") from None


def read_json(path):
    """Content of a JSON file of ours."""
    return json.loads(path.read_text(encoding="utf-8"))


def json_text(content):
    """JSON for people, too: one value a line."""
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def write_json(path, content):
    """Write `json_text`."""
    path.write_text(json_text(content), encoding="utf-8")


_LAST = "_build/last-site.txt"


def last_site(book):
    """Folder of the site of a book that was made last, if it is still there."""
    with contextlib.suppress(OSError, ValueError):
        site = pathlib.Path((book / _LAST).read_text(encoding="utf-8"))
        return site if (site / "index.html").is_file() else None


def note_site(book, site):
    """Remember where a site was made; a book that cannot be written to remembers nothing."""
    with contextlib.suppress(OSError):
        (book / _LAST).write_text(str(site), encoding="utf-8")


def replace(texts):
    """Replace files, path -> text: all are written beside their places before the first one is replaced.

    BookError names the file that cannot be written; then none has changed.
    """
    beside = {path: path.with_name(f".{path.name}.new") for path in texts}
    try:
        for path, text in texts.items():
            with beside[path].open("w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
    except OSError as error:
        for new in beside.values():
            new.unlink(missing_ok=True)
        raise BookError(f"{path}: cannot be written: {error.strerror}; nothing was changed") from None
    for path, new in beside.items():
        new.replace(path)


def read_notebook(path):
    """A notebook, or ChapterError with its name if it is none."""
    try:
        return nbformat.read(pathlib.Path(path), as_version=4)
    except Exception as error:
        raise ChapterError(f"{path}: not a notebook: {str(error).splitlines()[0]}") from None


def contents(book):
    """Files of the table of contents, without endings, in reading order."""
    try:
        return list(parse_toc_data(read_yaml(book / "_toc.yml")))
    except MalformedError as error:
        raise BookError(f"_toc.yml: {error}") from None


def page_file(book, page):
    """File in which a page of the table of contents is written, or None; what is no chapter lies in ``pages/``."""
    places = (book / f"{page}.ipynb", book / f"{page}.md", book / "pages" / f"{page}.md")
    return next((path for path in places if path.is_file()), None)


def chapters(book):
    """Notebooks of the table of contents by name."""
    found = [book / f"{page}.ipynb" for page in contents(book)]
    return {path.stem: path for path in found if path.is_file()}


def chapter(book, name):
    """Notebook of one chapter; ParameterError with the nearest name if there is none."""
    found = chapters(book)
    if name not in found:
        raise ParameterError([f"no chapter is called {name!r}; {hint(name, found)}there are {', '.join(found)}"])
    return found[name]


def filled(template, **content):
    """Text of a template beside this module."""
    return _TEMPLATES.get_template(template).render(content)
