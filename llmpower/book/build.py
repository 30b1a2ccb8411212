"""Publishes the book: stages a copy with executed chapters, lets Jupyter Book render it, puts the site in place."""

import concurrent.futures
import contextlib
import json
import os
import pathlib
import re
import shutil
import time

import yaml

from llmpower.book import fresh, lighter, living, pages, pdf, run, take_home
from llmpower.book.files import PACKAGE, BookError, chapters, contents, note_site, page_file, read_json, read_yaml
from llmpower.book.scenario import ask

# What a chapter that is run alone refers to most.
_WITH_ONE = ("glossary", "bibliography")
_NOTICE = "Run with a reader's own parameters: each chapter ends with the ones it used."


def missing_parts(book):
    """Files that a book needs and this one lacks, one line each."""
    needed = ["_config.yml", pages.LIBRARY, "_static", "requirements.lock", *pages.NEEDED]
    problems = [f"{name} is missing in {book}" for name in needed if not (book / name).exists()]
    for page in contents(book):
        if page not in pages.GENERATED and not page_file(book, page):
            problems.append(f"_toc.yml names {page}, but there is no {page}.ipynb, {page}.md or pages/{page}.md")
    return problems


def _kept(book, out):
    """Folder for what builds of a book have in common: inside the book, or beside the site of who may only read it."""
    place = book / "_build"
    try:
        place.mkdir(exist_ok=True)
    except OSError:
        return out
    return place if os.access(place, os.W_OK) else out


def _stage(book, folders, title, changed, stage):
    """Copy of the whole book with executed chapters, as Jupyter Book is to render it; returns its settings."""
    every, alone = contents(book), folders.keys() < chapters(book).keys()
    shown = [page for page in every if not alone or pathlib.Path(page).name in {*folders, *_WITH_ONE}]
    for page in every:
        name = pathlib.Path(page).name
        target = stage / (f"{page}.ipynb" if name in folders else f"{page}.md")
        target.parent.mkdir(parents=True, exist_ok=True)
        if page not in shown:
            target.write_text(pages.elsewhere(page, book, shown[0]), encoding="utf-8")
        elif alone and name == "bibliography":
            # What is cited, instead of all that the facts cite.
            target.write_text(
                page_file(book, page).read_text(encoding="utf-8").replace(":all:\n", ""), encoding="utf-8"
            )
        elif page in pages.GENERATED:
            target.write_text(pages.page(page, book, folders), encoding="utf-8")
        else:
            shutil.copyfile(folders[name] / "executed.ipynb" if name in folders else page_file(book, page), target)
    (stage / pages.LIBRARY).parent.mkdir()
    for name in ("_toc.yml", pages.LIBRARY):
        shutil.copyfile(book / name, stage / name)
    if alone:
        toc = {"format": "jb-book", "root": shown[0], "chapters": [{"file": page} for page in shown[1:]]}
        (stage / "_toc.yml").write_text(yaml.safe_dump(toc), encoding="utf-8")
    shutil.copytree(book / "_static", stage / "_static")
    config = read_yaml(book / "_config.yml")
    config |= {"title": title or config["title"], "only_build_toc_files": not alone}
    options = config["sphinx"]["config"]
    options["extensions"] += ["llmpower.book.speed"]
    living.stage(book, stage, folders, options)
    options |= {"ogp_site_name": config["title"], "ogp_site_url": config["html"].get("baseurl", "")}
    if changed:
        options.setdefault("html_theme_options", {})["announcement"] = _NOTICE
    (stage / "_config.yml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    return config


def _card(folder, title):
    """The picture of a shared link, drawn once for a run of the front page: loading what draws takes a second."""
    code = [fresh.digest(PACKAGE / "figures" / name) for name in ("index.py", "style.py", "style.mplstyle")]
    kept = folder / f"card-{fresh.hashed([title, *code])[:12]}.png"
    if not kept.exists():
        import matplotlib

        # A caller's own backend may need a screen.
        matplotlib.use("agg")
        from llmpower.facts.claims import claim
        from llmpower.figures.index import card
        from llmpower.ranges import Range

        numbers = read_json(folder / "results.json")["numbers"]
        labels = {"moving_1": "one request", "moving_32": "32 at once", "moving_256": "256 at once"}
        ranges = (Range(*(numbers[name][end] for end in ("low", "value", "high"))) for name in labels)
        card(title, claim("C01").value, list(zip(labels.values(), ranges)), kept)
    return kept


@contextlib.contextmanager
def _workplace(made_by, stage, out):
    """Folder to publish from; it still holds what Sphinx read of the pages, if nothing but pages changed.

    Sphinx reads the changed pages and writes all of them anew, so that none is stale.
    Kept is the folder of a whole build only, and one build at a time may have it: another one works in its own.
    """
    work, kept = out / ".publishing", out / ".published"
    try:
        if kept.exists():
            os.utime(kept)  # So that nobody takes it for abandoned before it is held.
            kept.rename(work)
        else:
            work.mkdir()
    except OSError:
        yield stage.parent
        return
    try:
        mark = fresh.fingerprint(made_by, stage, without=(".md", ".ipynb"))
        if not (work / mark).exists():
            shutil.rmtree(work)
            work.mkdir()
        with fresh.hold(work):
            shutil.copytree(stage, work / stage.name, copy_function=_copy_changed, dirs_exist_ok=True)
            yield work
            (work / mark).touch()
        work.rename(kept)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _copy_changed(source, target):
    """Copy a file, not with its times, since Sphinx reads again what is newer than its last reading."""
    if fresh.digest(source) != fresh.digest(target):
        shutil.copyfile(source, target)


# Loads what publishes, then waits for the arguments of Jupyter Book.
_PUBLISHER = """import gc, importlib, json, os, sys
# Pages stay in memory until the process ends: searching them for garbage again and again finds none.
gc.disable()
from jupyter_book.cli.main import main
from sphinx.application import builtin_extensions
for name in (*builtin_extensions, "jupyter_book.sphinx", "myst_nb.sphinx_ext", "sphinx_book_theme", "sphinx_comments",
             "sphinx_copybutton", "sphinx_design", "sphinx_exercise", "sphinx_external_toc", "sphinx_jupyterbook_latex",
             "sphinx_thebe", "sphinx_togglebutton", "sphinxcontrib.bibtex", "sphinxext.opengraph", "latexcodec",
             "linkify_it", "nbformat.validator", "pybtex.style.formatting.unsrt", "sphinx.ext.intersphinx"):
    importlib.import_module(name)
code = main(json.loads(sys.stdin.read()), standalone_mode=False)
# Letting go of all pages, one object after the other, would take longer than reading them.
sys.stdout.flush(), sys.stderr.flush(), os._exit(code or 0)"""


@contextlib.contextmanager
def _publisher(place):
    """A process that is ready to `_render`; place: folder of this build."""
    nowhere = place / "nowhere"
    nowhere.mkdir(exist_ok=True)
    with run.started(nowhere, "-c", _PUBLISHER) as publisher:
        yield publisher


def _render(publisher, stage, made, builder="html"):
    """Let Jupyter Book make the pages; BookError with what it told if it cannot."""
    # -n: a broken reference is a warning; -W: a warning is an error; --keep-going: show all of them.
    options = ["--path-output", str(made), "-n", "-W", "--keep-going", "-q", "--builder", builder]
    done = run.ended(publisher, json.dumps(["build", str(stage), *options]))
    made = made / "_build" / builder
    if done.returncode or not (made / "index.html").is_file():
        output = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr).replace(f"{stage}{os.sep}", "")
        telling = [line for line in output.splitlines() if re.search(r"WARNING|ERROR|Error|error", line)]
        raise BookError("Jupyter Book could not publish:\n" + "\n".join(telling[:40] or output.splitlines()[-20:]))
    # Without it, GitHub Pages hides the folders whose names begin with an underscore.
    (made / ".nojekyll").touch()
    # Sphinx's note for its next build, which differs from place to place; here a next build writes all pages.
    (made / ".buildinfo").unlink(missing_ok=True)
    return made


def _render_one_page(paper):
    with _publisher(paper.parent) as publisher:
        return _render(publisher, paper, paper.parent / "made-paper", "singlehtml")


def _publish(publisher, book, stage, folders, config, edition, also, out, say, made_by, kept):
    """Render the staged book and what can be downloaded; the former site gives way when all of it is whole."""
    begun, downloads, paper = time.monotonic(), stage.parent / take_home.FOLDER, stage.parent / "paper"
    say("publishing with Jupyter Book")
    if "pdf" in also:
        pdf.stage_for_paper(shutil.copytree(stage, paper))
    take_home.link(book, stage, contents(book), folders, dict(take_home.SITE[kind] for kind in also))
    with _workplace(made_by, stage, out) as work:
        with concurrent.futures.ThreadPoolExecutor() as pool:
            site = pool.submit(_render, publisher, work / "book", work / "made")
            one_page = pool.submit(_render_one_page, paper) if "pdf" in also else None
            # What Sphinx need not see is made while it works.
            take_home.write(book, stage, contents(book), folders, f"{config['title']}, {edition}", downloads)
            late = {"living/vega.js": living.vega(kept)}
            late |= {"card.png": _card(folders["index"], config["title"])} if "index" in folders else {}
        made = site.result()
        for name, path in late.items():
            shutil.copyfile(path, made / "_static" / name)
        lighter.lighten(made)
        if one_page:
            say("printing the PDF")
            lines = [config["author"], edition.capitalize(), f"© {config['copyright']}"]
            pdf.write(one_page.result(), downloads / take_home.SITE["pdf"][0], config["title"], lines)
        shutil.move(downloads, made / take_home.FOLDER)
        if "zip" in also:
            take_home.archive(made)
        # A link stays one: what it leads to is replaced.
        site = pathlib.Path(os.path.realpath(out / "html"))
        with contextlib.suppress(FileNotFoundError):
            shutil.move(site, stage.parent / "former")
        shutil.move(made, site)
    say(f"published after {time.monotonic() - begun:.0f} s")


def build(book, out=None, scenario=None, jobs=None, say=print, also=(), force=False):
    """Publish the book, or one chapter, as a web site; returns its first page, and chapter -> folder of its run.

    out: the site goes to its folder ``html``; by default ``_build`` of the book.
    scenario: as `llmpower.book.scenario.ask` returns it; by default that of the reference edition. Of a single chapter
    its page is published; pages it refers to say what they are.
    jobs: chapters executed at once.
    say: receives a line of progress at a time.
    also: any of "zip" and "pdf", the whole book as one file, offered on its first page.
    force: execute chapters that did not change, too.

    What cannot be done is told before anything is published; the site of the last whole build stays.
    """
    if problems := missing_parts(book):
        raise BookError("\n".join(problems))
    scenario, made_by = scenario or ask(book), fresh.publisher(book)
    if "pdf" in also:
        pdf.browser()
    out, changed = fresh.own_folder(book / "_build" if out is None else out), any(scenario.values.values())
    kept = _kept(book, out)
    folders = run.execute_stale(book, scenario.values, kept / "runs", jobs, say, force)
    fresh.forget()
    for name, folder in folders.items():
        run.look_at_names(chapters(book)[name], folder)
    for left in (out / ".publishing", *(book / "_build").glob(".renewing-*")):
        fresh.remove_left(left)
    # Another process gets ready while the pages are staged.
    with fresh.own_work(out, ".staging-") as place, _publisher(place) as publisher:
        stage = place / "book"
        config = _stage(book, folders, scenario.title, changed, stage)
        mark = fresh.fingerprint(made_by, stage, also=[*also, living.vega_file(kept).name])
        if fresh.site_is_fresh(out, mark):
            say("publishing: nothing to do, the site is up to date")
        else:
            for kind in {*take_home.SITE} - {*also}:
                if (out / "html" / take_home.FOLDER / take_home.SITE[kind][0]).exists():
                    say(f"the former site offered a {kind}, this one does not; --{kind} makes it again")
            fresh.seal(out)
            edition = f"edition {take_home.edition()}" + (", with a reader's own parameters" if changed else "")
            _publish(publisher, book, stage, folders, config, edition, also, out, say, made_by, kept)
            fresh.seal(out, mark)
    note_site(book, out / "html")
    return out / "html" / "index.html", folders
