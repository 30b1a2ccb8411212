"""Publishes the book: executes what changed, stages a copy, lets Jupyter Book render it."""

import concurrent.futures
import contextlib
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field

import yaml

from llmpower.book import downloads, pdf, run
from llmpower.book.appendices import GENERATED, NEEDED
from llmpower.book.parameters import BookError, ParameterError, parameters, resolve

# Stands beside a site of ours and holds the hash of what it was made from.
_SEAL = ".html-inputs"
_NOTICE = "Run with a reader's own parameters: each chapter ends with the ones it used."


@dataclass(frozen=True)
class Scenario:
    """A reader's own numbers: a title, parameters for all chapters and for single ones."""

    title: str | None = None
    parameters: dict = field(default_factory=dict)
    chapters: dict = field(default_factory=dict)


def find_book(folder):
    """The folder that holds the book.

    Parameters
    ----------
    folder : str or None
        Where to look; the current folder and those above it if None.

    Returns
    -------
    book : pathlib.Path

    Raises
    ------
    BookError
        If there is no ``_toc.yml``.
    """
    start = pathlib.Path("." if folder is None else folder).resolve()
    for place in [start, *start.parents] if folder is None else [start]:
        if (place / "_toc.yml").is_file() and (place / "chapters").is_dir():
            return place
    raise BookError(
        f"no book in {folder or 'this folder or above it'}: it has no _toc.yml; say where it is with --book DIR"
    )


class _Loader(yaml.SafeLoader):
    """Refuses a key given twice, of which YAML would silently keep the last."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for (key, _), name in zip(node.value, keys):
            if keys.count(name) > 1:
                raise yaml.constructor.ConstructorError(None, None, f"{name} is given twice", key.start_mark)
        return super().construct_mapping(node, deep)


def _yaml(path):
    """Content of a YAML file; BookError with file and line if it cannot be read."""
    try:
        return yaml.load(pathlib.Path(path).read_text(encoding="utf-8"), _Loader)
    except (OSError, UnicodeDecodeError) as error:
        raise BookError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    except (yaml.YAMLError, ValueError, RecursionError, TypeError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise BookError(f"{path}{line}: not valid YAML: {getattr(error, 'problem', None) or error}") from None


def _toc_files(entry):
    if isinstance(entry, dict):
        for key in ("root", "file"):
            if key in entry:
                yield entry[key]
        for key in ("parts", "chapters", "sections"):
            if not isinstance(entry.get(key, []), list):
                raise BookError(f"_toc.yml: {key} holds a list, not {entry[key]!r}")
            for part in entry.get(key, []):
                yield from _toc_files(part)


def pages(book):
    """Files of the table of contents, without endings, in reading order."""
    return list(_toc_files(_yaml(book / "_toc.yml")))


def chapters(book):
    """Notebooks of the table of contents by name."""
    found = [book / f"{page}.ipynb" for page in pages(book)]
    return {path.stem: path for path in found if path.is_file()}


def chapter(book, name):
    """Notebook of one chapter; ParameterError with the nearest name if there is none."""
    import difflib

    found = chapters(book)
    if name not in found:
        near = difflib.get_close_matches(name, found, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise ParameterError([f"no chapter is called {name!r}; {hint}there are {', '.join(found)}"])
    return found[name]


def read_scenario(path):
    """Scenario of a YAML file.

    Parameters
    ----------
    path : str
        A file with any of ``title``, ``parameters`` and ``chapters``.

    Returns
    -------
    scenario : Scenario

    Raises
    ------
    ParameterError
        If it cannot be read or holds anything else.
    """
    try:
        content = _yaml(path)
    except BookError as error:
        raise ParameterError([str(error)]) from None
    problems = []
    content = {} if content is None else content
    if not isinstance(content, dict):
        raise ParameterError(
            [f"{path}: expected `title:`, `parameters:` and `chapters:`, got {type(content).__name__}"]
        )
    for key in content:
        if key not in ("title", "parameters", "chapters"):
            problems.append(f"{path}: unknown key {key!r}; allowed are title, parameters, chapters")
    blocks = {key: {} if content.get(key) is None else content[key] for key in ("parameters", "chapters")}
    if isinstance(blocks["chapters"], dict):
        blocks["chapters"] = {name: {} if given is None else given for name, given in blocks["chapters"].items()}
        blocks.update({f"chapters: {name}": given for name, given in blocks["chapters"].items()})
    for key, block in blocks.items():
        if not isinstance(block, dict) or not all(isinstance(name, str) for name in block):
            problems.append(f"{path}: {key} holds `name: value` lines, not {block!r}")
    title = content.get("title")
    if title is not None and (not isinstance(title, str) or set(title) & set("<>")):
        problems.append(f"{path}: title is text without < and >, not {title!r}")
    if problems:
        raise ParameterError(problems)
    return Scenario(title, blocks["parameters"], blocks["chapters"])


def resolve_all(book, scenario):
    """Checked parameters of every chapter.

    Parameters
    ----------
    book : pathlib.Path
        The book.
    scenario : Scenario
        What the reader asked for.

    Returns
    -------
    values : dict of dict
        Chapter -> parameters that differ from its defaults.

    Raises
    ------
    ParameterError
        Naming every problem in every chapter, once.
    """
    notebooks, problems, values = chapters(book), [], {}
    for name in scenario.chapters:
        try:
            chapter(book, name)
        except ParameterError as error:
            problems += error.problems
    everywhere = {name for path in notebooks.values() for name in parameters(path)}
    for name in scenario.parameters:
        if name not in everywhere:
            problems.append(f"{name}: no chapter has such a parameter; there are {', '.join(sorted(everywhere))}")
    for name, path in notebooks.items():
        common = {key: value for key, value in scenario.parameters.items() if key in parameters(path)}
        try:
            values[name] = resolve(path, {**common, **scenario.chapters.get(name, {})})
        except ParameterError as error:
            problems += error.problems
    if problems:
        raise ParameterError(dict.fromkeys(problems))
    return values


def missing_parts(book):
    """Files that a book needs and this one lacks, one line each."""
    needed = ["_config.yml", "references.bib", "_static", "requirements.lock", *NEEDED]
    problems = [f"{name} is missing in {book}" for name in needed if not (book / name).exists()]
    for page in pages(book):
        if page not in GENERATED and not any((book / f"{page}.{kind}").is_file() for kind in ("md", "ipynb")):
            problems.append(f"_toc.yml names {page}, but there is no {page}.md or {page}.ipynb")
    return problems


def _folder(cache, name, values):
    key = hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:12]
    return cache / name / key


def _execute_one(path, values, folder):
    """Execute in a process of its own; returns what went wrong, or nothing."""
    job = json.dumps({"path": str(path), "values": values, "folder": str(folder)})
    package_root = str(run.PACKAGE.parent)
    environment = {**os.environ, "PYTHONPATH": package_root}
    done = subprocess.run(
        [sys.executable, "-m", "llmpower.book.run", job], capture_output=True, text=True, env=environment, check=False
    )
    if done.returncode == 0:
        return None
    told = done.stdout.strip() or "\n".join(done.stderr.strip().splitlines()[-3:])
    return told or f"{path.stem} stopped with code {done.returncode}"


def execute(book, values, cache, jobs=None, say=print):
    """Execute the chapters whose inputs changed, in parallel.

    Parameters
    ----------
    book : pathlib.Path
        The book.
    values : dict of dict
        Checked parameters of every chapter.
    cache : pathlib.Path
        Where runs are kept.
    jobs : int, optional
        How many at once; the number of cores if not given.
    say : callable
        Receives a line of progress at a time.

    Returns
    -------
    folders : dict of pathlib.Path
        Chapter -> folder of its run.

    Raises
    ------
    ChapterError
        Naming every chapter that failed, its cell and its error.
    """
    notebooks = chapters(book)
    folders = {name: _folder(cache, name, values[name]) for name in notebooks}
    stale = [name for name in notebooks if not run.fresh(notebooks[name], folders[name])]
    if not stale:
        say(f"executing: nothing to do, {len(notebooks)} chapters are up to date")
        return folders
    jobs = min(jobs or os.cpu_count() or 1, len(stale))
    say(f"executing {len(stale)} of {len(notebooks)} chapters, {jobs} at a time")
    failures, begun = [], time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        waiting = {
            # The longest first, so that none is left to run alone at the end.
            pool.submit(_execute_one, notebooks[name], values[name], folders[name]): name
            for name in sorted(stale, key=lambda name: -notebooks[name].stat().st_size)
        }
        try:
            for number, future in enumerate(concurrent.futures.as_completed(waiting), start=1):
                problem = future.result()
                failures += [problem] if problem else []
                state = "failed" if problem else "done"
                say(f"  [{number}/{len(stale)}] {waiting[future]} {state} after {time.monotonic() - begun:.0f} s")
        except KeyboardInterrupt:
            # The running chapters got the signal, too, and end by themselves.
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    if failures:
        raise run.ChapterError("\n".join(failures))
    return folders


def _stage(book, folders, scenario, changed, stage):
    """Copy of the whole book with executed chapters, as Jupyter Book is to render it."""
    for page in pages(book):
        name = pathlib.Path(page).name
        if page in GENERATED:
            (stage / f"{page}.md").write_text(GENERATED[page](book, folders), encoding="utf-8")
            continue
        source = folders[name] / "executed.ipynb" if name in folders else book / f"{page}.md"
        target = stage / (f"{page}.ipynb" if name in folders else f"{page}.md")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    for name in ("_toc.yml", "references.bib"):
        shutil.copyfile(book / name, stage / name)
    shutil.copytree(book / "_static", stage / "_static")
    config = _yaml(book / "_config.yml")
    config["sphinx"]["config"]["extensions"].append("llmpower.book.speed")
    if scenario.title:
        config["title"] = scenario.title
    config["sphinx"]["config"].update(ogp_site_name=config["title"], ogp_site_url=config["html"].get("baseurl", ""))
    if changed:
        options = config["sphinx"]["config"].setdefault("html_theme_options", {})
        options["announcement"] = _NOTICE
    (stage / "_config.yml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")


def _card(folder, title, path):
    """Draw the picture of a shared link from the numbers of the front page."""
    # Slow to load, and needed only when the site is made anew.
    from llmpower.facts.claims import claim
    from llmpower.figures.index import card
    from llmpower.ranges import Range

    numbers = json.loads((folder / "results.json").read_text(encoding="utf-8"))["numbers"]
    labels = {"share_one": "one short request", "share_many": "32 short requests", "share_long": "32 long requests"}
    cases = [
        (label, Range(*(numbers[name][end] for end in ("low", "value", "high")))) for name, label in labels.items()
    ]
    card(title, claim("C01").value, cases, path)


def _kept_card(folder, title, path):
    """The picture of a shared link, drawn once for a run of the front page: loading what draws takes a second."""
    code = [run.digest(run.PACKAGE / "figures" / name) for name in ("index.py", "style.py")]
    kept = folder / f"card-{hashlib.sha256(json.dumps([title, *code]).encode()).hexdigest()[:12]}.png"
    if not kept.exists():
        _card(folder, title, path)
        shutil.copyfile(path, kept)
    shutil.copyfile(kept, path)


def _fingerprint(book, stage, without=(), also=()):
    """Hash of a staged book and of what publishes it; of files with certain endings, only their names count."""
    files = sorted(path for path in stage.rglob("*") if path.is_file())
    content = [(path.relative_to(stage).as_posix(), path.suffix not in without and run.digest(path)) for path in files]
    content += [("card", run.digest(run.PACKAGE / "figures" / "index.py"))]
    content += [
        (f"module:{name}", run.digest(run.PACKAGE / "book" / f"{name}.py")) for name in ("downloads", "pdf", "plain")
    ]
    content += [("also", sorted(also))]
    content += [("packages", run.digest(book / "requirements.lock")), ("python", sys.version)]
    content += [(name, run.digest(run.PACKAGE / "book" / name)) for name in ("accessible.py", "speed.py")]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


@contextlib.contextmanager
def _workplace(book, stage, out):
    """Folder to publish from; it still holds what Sphinx read of the pages, if nothing but pages changed.

    Sphinx reads the changed pages and writes all of them anew, so that none is stale.
    Kept is the folder of a whole build only, and one build at a time may have it: another one works in its own.
    """
    work, kept = out / ".publishing", out / ".published"
    if work.exists() and time.time() - work.stat().st_mtime > 3600:
        shutil.rmtree(work)  # Left by a build that was killed.
    try:
        kept.rename(work) if kept.exists() else work.mkdir()
    except OSError:
        yield stage.parent
        return
    try:
        mark = _fingerprint(book, stage, without=(".md", ".ipynb"))
        if not (work / mark).exists():
            shutil.rmtree(work)
            shutil.copytree(stage, work / stage.name)
        for path in stage.rglob("*.*"):
            target = work / path.relative_to(stage.parent)
            if path.is_file() and run.digest(path) != run.digest(target):
                # Not with its times: Sphinx reads again what is newer than its last reading.
                shutil.copyfile(path, target)
        yield work
        (work / mark).touch()
        work.rename(kept)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _render(stage, made, builder="html"):
    """Let Jupyter Book make the pages; BookError with what it told if it cannot."""
    command = [
        sys.executable,
        "-c",
        "from jupyter_book.cli.main import main; main()",
        "build",
        str(stage),
        "--path-output",
        str(made),
    ]
    # -n: a broken reference is a warning; -W: a warning is an error; --keep-going: show all of them.
    command += ["-n", "-W", "--keep-going", "-q", "--builder", builder]
    # What follows the order of a set is then the same in every build.
    environment = {**os.environ, "PYTHONPATH": str(run.PACKAGE.parent), "PYTHONHASHSEED": "0"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    made = made / "_build" / builder
    if done.returncode or not (made / "index.html").is_file():
        output = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr).replace(f"{stage}{os.sep}", "")
        telling = [line for line in output.splitlines() if re.search(r"WARNING|ERROR|Error|error", line)]
        raise BookError("Jupyter Book could not publish:\n" + "\n".join(telling[:40] or output.splitlines()[-20:]))
    # Without it, GitHub Pages hides the folders whose names begin with an underscore.
    (made / ".nojekyll").touch()
    return made


def _publish(book, stage, folders, changed, also, out, say):
    """Render the staged book and what can be downloaded; the former site gives way when all of it is whole."""
    begun, files, paper = time.monotonic(), stage.parent / downloads.FOLDER, stage.parent / "paper"
    say("publishing with Jupyter Book")
    config, notebooks = (
        _yaml(stage / "_config.yml"),
        {name: folder / "executed.ipynb" for name, folder in folders.items()},
    )
    edition = f"edition {downloads.edition()}" + (", with a reader's own parameters" if changed else "")
    if "pdf" in also:
        pdf.stage_for_paper(shutil.copytree(stage, paper))
    downloads.link(stage, pages(book), notebooks, dict(downloads.SITE[kind] for kind in also))
    with _workplace(book, stage, out) as work:
        with concurrent.futures.ThreadPoolExecutor() as pool:
            site = pool.submit(_render, work / "book", work / "made")
            one_page = pool.submit(_render, paper, stage.parent / "made-paper", "singlehtml") if "pdf" in also else None
            downloads.write(stage, pages(book), notebooks, f"{config['title']}, {edition}", files)
        made = site.result()
        if one_page:
            say("printing the PDF")
            lines = [config["author"], edition.capitalize(), f"© {config['copyright']}"]
            pdf.write(one_page.result(), files / downloads.SITE["pdf"][0], config["title"], lines)
        shutil.move(files, made / downloads.FOLDER)
        if "zip" in also:
            downloads.archive(made)
        _replace(made, out)
    say(f"published after {time.monotonic() - begun:.0f} s")


def _replace(made, out):
    """Put a whole site where the former one was."""
    former = out / ".former-html"
    shutil.rmtree(former, ignore_errors=True)
    if (out / "html").exists():
        os.replace(out / "html", former)
    shutil.move(made, out / "html")
    shutil.rmtree(former, ignore_errors=True)


def output_folder(out, *names):
    """Folder for a result; what is in it gets replaced, so it must be ours or not there.

    Parameters
    ----------
    out : path
        What the reader asked for.
    *names : str
        Files that will be written beside ``html``.

    Returns
    -------
    out : pathlib.Path

    Raises
    ------
    ParameterError
        If something else is in the way.
    """
    out = pathlib.Path(out).resolve()
    if not (out / _SEAL).is_file():
        for name in ("html", *names):
            if (out / name).exists():
                raise ParameterError([f"--out {out}: its {name} was not made by llmpower; name another folder"])
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / _SEAL).touch()
    except OSError as error:
        raise ParameterError([f"--out {out}: cannot be written: {error.strerror}; name another folder"]) from None
    return out


def _published(html):
    """Hash of what files a site has, and how large they are."""
    files = sorted(
        (path.relative_to(html).as_posix(), path.stat().st_size) for path in html.rglob("*") if path.is_file()
    )
    return hashlib.sha256(json.dumps(files).encode()).hexdigest()


def build(book, out=None, scenario=Scenario(), jobs=None, say=print, also=()):
    """Publish the book as a web site.

    Parameters
    ----------
    book : pathlib.Path
        The book.
    out : pathlib.Path, optional
        The site goes to its folder ``html``; by default ``_build`` of the book.
    scenario : Scenario
        A reader's own numbers.
    jobs : int, optional
        Chapters executed at once.
    say : callable
        Receives a line of progress at a time.
    also : sequence of str
        Any of "zip" and "pdf": the whole book as one file, offered on its first page.

    Returns
    -------
    index : pathlib.Path
        The first page.
    folders : dict of pathlib.Path
        Chapter -> folder of its run.

    Raises
    ------
    ParameterError, ChapterError, BookError
        Before anything is published; the site of the last whole build stays.
    """
    problems = missing_parts(book)
    if problems:
        raise BookError("\n".join(problems))
    values = resolve_all(book, scenario)
    if "pdf" in also:
        pdf.browser()
    out = output_folder(book / "_build" if out is None else out)
    folders = execute(book, values, book / "_build" / "runs", jobs, say)
    with tempfile.TemporaryDirectory(dir=out, prefix=".staging-") as name:
        stage = pathlib.Path(name) / "book"
        stage.mkdir()
        _stage(book, folders, scenario, any(values.values()), stage)
        seal, mark = out / _SEAL, _fingerprint(book, stage, also=also)
        if seal.read_text() == f"{mark} {_published(out / 'html')}":
            say("publishing: nothing to do, the site is up to date")
        else:
            seal.write_text("")
            _kept_card(
                folders["index"], scenario.title or _yaml(book / "_config.yml")["title"], stage / "_static" / "card.png"
            )
            _publish(book, stage, folders, any(values.values()), also, out, say)
            seal.write_text(f"{mark} {_published(out / 'html')}")
    return out / "html" / "index.html", folders
