"""A reader's own numbers: a scenario file and ``-p`` options, checked here, once, for all chapters."""

from dataclasses import dataclass

from llmpower.arguments import ParameterError, hint
from llmpower.book.files import BookError, ChapterError, chapter, chapters, read_yaml
from llmpower.book.parameters import chosen, parameters


@dataclass(frozen=True)
class Scenario:
    """What the chapters run with: of each, the parameters that differ from its defaults."""

    values: dict
    title: str | None = None


def read(path):
    """Content of a scenario file: ``title``, ``parameters`` for all chapters, and ``chapters`` for single ones.

    Its shape is checked, the names and values in it are not.
    """
    try:
        content = read_yaml(path, as_text=True)
    except BookError as error:
        raise ParameterError([str(error)]) from None
    content = {} if content is None else content
    if not isinstance(content, dict):
        expected = "expected `title:`, `parameters:` and `chapters:`"
        raise ParameterError([f"{path}: {expected}, got {type(content).__name__}"])
    allowed = ("title", "parameters", "chapters")
    wrong = [f"unknown key {key!r}; allowed are {', '.join(allowed)}" for key in content if key not in allowed]
    common, own = ({} if content.get(key) is None else content[key] for key in allowed[1:])
    blocks = {"parameters": common, "chapters": own}
    if isinstance(own, dict):
        own = {name: {} if given is None else given for name, given in own.items()}
        blocks |= {f"chapters: {name}": given for name, given in own.items()}
    for key, block in blocks.items():
        if not isinstance(block, dict) or not all(isinstance(name, str) for name in block):
            wrong.append(f"{key} holds `name: value` lines, not {block!r}")
    title = content.get("title")
    if title is not None and (not isinstance(title, str) or set(title) & set("<>")):
        wrong.append(f"title is text without < and >, not {title!r}")
    if wrong:
        raise ParameterError([f"{path}: {problem}" for problem in wrong])
    return {"title": title, "parameters": common, "chapters": own}


def ask(book, file=None, only=None, options=()):
    """What the chapters are to run with.

    file: a scenario file; a slip anywhere in it is told.
    only: the one chapter that is asked for; the others are left out.
    options: (name, text) pairs for it, which win over the file.

    ParameterError names every problem in every chapter, once.
    """
    content = read(file) if file is not None else {"title": None, "parameters": {}, "chapters": {}}
    common, own = content["parameters"], content["chapters"]
    notebooks, values = chapters(book), {}
    names = [name for name, _ in options]
    problems = [f"{name}: given twice" for name in names if names.count(name) > 1]
    for name in own:
        try:
            chapter(book, name)
        except ParameterError as error:
            problems += error.problems
    meant = {name: path for name, path in notebooks.items() if only in (None, name) or name in own}
    # What no chapter has is told; a chapter that cannot be read is nobody's business who asked for another one.
    everywhere = {name for key, path in notebooks.items() if common for name in _readable(path, key in meant)}
    unknown = f"there are {', '.join(sorted(everywhere))}"
    for name in common.keys() - everywhere:
        problems.append(f"{name}: no chapter has such a parameter; {hint(name, everywhere)}{unknown}")
    for name, path in meant.items():
        shared = {key: value for key, value in common.items() if key in parameters(path)}
        try:
            values[name] = chosen(path, {**shared, **own.get(name, {})}, dict(options) if name == only else {})
        except ParameterError as error:
            problems += error.problems
    if problems:
        # Several files may be asked for at once.
        where = f"{file}: " if file is not None and not options else ""
        raise ParameterError(dict.fromkeys(f"{where}{problem}" for problem in problems))
    return Scenario({name: found for name, found in values.items() if only in (None, name)}, content["title"])


def _readable(path, needed):
    """Names of a chapter's parameters; none where it cannot be read and nobody needs it."""
    try:
        return parameters(path)
    except ChapterError:
        if needed:
            raise
        return ()
