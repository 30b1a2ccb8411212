"""Prints the whole book as a PDF: one page of HTML, through a browser without a window; no TeX."""

import html
import os
import re
import shutil
import subprocess
import tempfile

import nbformat
import yaml

from llmpower.book.parameters import BookError, ParameterError

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
_UNFINISHED = "not yet typeset"
# The book on paper; this sheet alone, without those of the site.
_STYLE = """
@page {
  size: A4;
  margin: 22mm 21mm 24mm;
  @bottom-left { font: 8pt "Liberation Sans", Arial, sans-serif; color: #5b6168; }
  @bottom-right { content: counter(page); font: 8pt "Liberation Sans", Arial, sans-serif; color: #5b6168; }
}
@page :first { @bottom-left { content: none; } @bottom-right { content: none; } }
html { font: 10.5pt/1.45 Charter, Georgia, "Liberation Serif", "DejaVu Serif", serif; color: #22262b; }
body, p { margin: 0; }
p, ul, ol, dl, table, figure, .admonition, .highlight { margin: 0 0 0.7em; }
p { orphans: 3; widows: 3; }
h1, h2, h3, h4, h5 { font-family: "Liberation Sans", Arial, sans-serif; line-height: 1.2; break-after: avoid; margin: 1.3em 0 0.5em; }
h2 { font-size: 18pt; } h3 { font-size: 13pt; } h4 { font-size: 11pt; } h5 { font-size: 10.5pt; }
a { color: #00507e; text-decoration: none; }
/* The title page, then the contents. */
body > header h1 { font-size: 34pt; margin: 70mm 0 0.2em; }
body > header > p { color: #5b6168; margin: 0 0 0.3em; }
nav { break-before: page; }
nav ol { list-style: none; padding: 0; columns: 2; column-gap: 9mm; }
nav li { break-inside: avoid; } nav .chapter { break-after: avoid; }
nav .section { padding-left: 6mm; font-size: 9.5pt; line-height: 1.3; }
nav .chapter { font-weight: bold; margin-top: 0.6em; }
article h1, .doors { display: none; }
article, .toctree-wrapper > span[id^="document-"] + section { break-before: page; }
.toctree-wrapper > span[id^="document-"] + section > h2 { margin-top: 0; }
/* Nothing that belongs together is torn. */
figure, tr, .admonition, div.math, .highlight, mjx-container { break-inside: avoid; }
.admonition.solution { break-inside: auto; }
figure { text-align: center; margin: 1em 0; }
figure img, .cell_output img { max-width: 100%; max-height: 150mm; }
figcaption { font-size: 9pt; color: #5b6168; }
.caption-number, .pasted-text { font-weight: bold; }
table { border-collapse: collapse; width: 100%; font-size: 8.5pt; line-height: 1.3; font-variant-numeric: tabular-nums; }
thead { display: table-header-group; }
th, td { padding: 0.9mm 1.5mm; border-bottom: 0.3pt solid #b4bac0; text-align: left; vertical-align: top; overflow-wrap: break-word; }
td a { overflow-wrap: anywhere; }
table:not(:has(tbody tr:nth-child(9))) { break-inside: avoid; }
th { border-bottom: 0.8pt solid #22262b; font-family: "Liberation Sans", Arial, sans-serif; }
td p, th p, li > p { margin: 0; }
td mjx-container { line-height: 1; }
.text-right { text-align: right; min-width: 14mm; } .text-center { text-align: center; }
.admonition { border-left: 2pt solid #0072b2; padding: 0.2em 0 0.2em 4mm; }
.admonition-title { font-weight: bold; break-after: avoid; }
code, pre { font: 8.5pt/1.35 "Liberation Mono", "DejaVu Sans Mono", monospace; }
code { overflow-wrap: anywhere; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; margin: 0; padding: 2mm 3mm; background: #f5f6f7; }
div.math { position: relative; text-align: center; padding-block: 1mm; overflow: hidden; }
div.math .eqno { position: absolute; right: 0; top: 50%; transform: translateY(-50%); }
mjx-container[display] { margin: 0.2em 0 !important; }
dt { font-weight: bold; break-after: avoid; } dd { margin: 0 0 0.5em 6mm; }
/* Over three hundred sources: small print. */
.citation { display: flex; gap: 2mm; font-size: 7.5pt; line-height: 1.25; margin-bottom: 0.4em; break-inside: avoid; }
.citation-list { columns: 2; column-gap: 7mm; }
.citation .label { flex: 0 0 8mm; } .citation p { margin: 0; overflow-wrap: anywhere; }
"""
# The browser takes the title into the PDF, so that it tells whether the mathematics was through.
_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{unfinished}</title>
<link rel="stylesheet" href="_static/pygments.css">
<style>{style} @page {{ @bottom-left {{ content: "{footer}"; }} }} @page :first {{ @bottom-left {{ content: none; }} }}</style>
<script>
window.MathJax = {{ options: {{ processHtmlClass: "math" }}, startup: {{ pageReady: () =>
  MathJax.startup.defaultPageReady().then(() => document.fonts.ready).then(() => {{ document.title = document.body.dataset.title; }}) }} }};
</script>
<script defer src="_static/mathjax/tex-chtml.js"></script></head>
<body data-title="{title}">
<header id="document-index"><h1>{title}</h1>{lines}<nav><h2>Contents</h2><ol>{contents}</ol></nav></header>
{article}
</body></html>
"""


def browser():
    """Chromium or one of its kin; ParameterError with what to install if there is none."""
    named = os.environ.get("CHROMIUM")
    found = next(filter(None, map(shutil.which, [named] if named else _NAMES)), None)
    if found is None:
        where = f"CHROMIUM names {named}, which cannot be run" if named else f"none of {', '.join(_NAMES)} can be found"
        hint = "on Debian or Ubuntu `apt install chromium`, elsewhere set CHROMIUM to the program"
        raise ParameterError([f"--pdf needs Chromium or Chrome, but {where}; {hint}"])
    return found


def setup(app):
    """Called by Sphinx for the book on paper: what extensions do for pages holds for one page, too."""

    def share(app):
        handlers = app.registry.translation_handlers
        handlers["singlehtml"] = {**handlers.get("html", {}), **handlers.get("singlehtml", {})}

    app.connect("builder-inited", share)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def stage_for_paper(stage):
    """Leave out of a staged book what only a screen can use: hidden code, and the thousand rows of the appendix.

    Parameters
    ----------
    stage : pathlib.Path
        A copy of its own.
    """
    for path in stage.rglob("*.ipynb"):
        notebook = nbformat.read(path, as_version=4)
        for cell in notebook.cells:
            # The contents stand in front.
            cell.source = re.sub(r"```\{tableofcontents\}\n```\n?", "", cell.source)
            cell.metadata["tags"] = [tag.replace("hide-input", "remove-input") for tag in cell.metadata.get("tags", [])]
        nbformat.write(notebook, path)
    config = yaml.safe_load((stage / "_config.yml").read_text(encoding="utf-8"))
    config["sphinx"]["config"]["extensions"].append("llmpower.book.pdf")
    (stage / "_config.yml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    sources = stage / "sources.md"
    if sources.is_file():
        summary = sources.read_text(encoding="utf-8").partition("\n## ")[0]
        sources.write_text(
            summary + "\n\nThe rows themselves stand in the site and in the folder `data/` of the book.\n",
            encoding="utf-8",
        )


def write(site, target, title, lines):
    """Print a site of one page; the file is whole or not there.

    Parameters
    ----------
    site : pathlib.Path
        Folder with ``index.html`` as Sphinx's builder ``singlehtml`` makes it.
    target : pathlib.Path
        The PDF.
    title : str
        For the title page and the foot of the others.
    lines : list of str
        What the title page says besides.

    Raises
    ------
    BookError
        If the browser fails or stops before the mathematics is typeset.
    """
    contents, article = _contents(_article((site / "index.html").read_text(encoding="utf-8")))
    footer = html.escape(re.sub(r'(["\\])', r"\\\1", title), quote=False)
    words = {
        "unfinished": _UNFINISHED,
        "style": _STYLE,
        "footer": footer,
        "title": html.escape(title),
        "lines": "".join(f"<p>{html.escape(line)}</p>" for line in lines),
        "contents": contents,
        "article": article,
    }
    (site / "print.html").write_text(_PAGE.format(**words), encoding="utf-8")
    with tempfile.TemporaryDirectory() as profile:
        command = [browser(), "--headless", "--disable-gpu", "--no-first-run", f"--user-data-dir={profile}"]
        # The page is our own, and in containers there is no sandbox.
        command += [
            "--no-sandbox",
            "--disable-background-networking",
            "--no-pdf-header-footer",
            "--generate-pdf-document-outline",
        ]
        command += [
            "--virtual-time-budget=120000",
            f"--print-to-pdf={site / 'print.pdf'}",
            (site / "print.html").as_uri(),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    made = (site / "print.pdf").read_bytes() if (site / "print.pdf").is_file() else b""
    if not made.rstrip().endswith(b"%%EOF") or _UNFINISHED.encode() in made:
        raise BookError("Chromium could not print the PDF:\n" + "\n".join(done.stderr.strip().splitlines()[-5:]))
    # The same book gives the same bytes; a date of the same length keeps the file's own index right.
    target.write_bytes(re.sub(rb"D:\d{14}", b"D:20000101000000", made))


def _article(page):
    """What a page of Sphinx says, without what only a screen needs, and with links that hold on one page."""
    article = re.search(r"<article.*</article>", page, re.DOTALL).group()
    article = re.sub(r'<script.*?</script>|<a class="headerlink".*?</a>', "", article, flags=re.DOTALL)
    # Sphinx numbers the marks of each document anew; those of the bibliography are the ones that others link to.
    article = re.sub(r'href="index\.html#(id\d+)"', r'href="#source-\1"', article)
    article = re.sub(r'(<div class="citation" id=")(id\d+")', r"\1source-\2", article)
    return article.replace('href="index.html#', 'href="#')


def _contents(article):
    """Links to chapters and sections, and the article with a mark at each; sections that many chapters have are left out."""
    headings = list(re.finditer(r"<h([23])>(.*?)</h\1>", article, re.DOTALL))
    texts, chapters = [found[2] for found in headings], article.find('<span id="document-')
    entries, marked, last = [], [], 0
    for number, found in enumerate(headings, start=1):
        later = found.start() > chapters
        chapter, section = later and found[1] == "2", found[1] == ("3" if later else "2")
        if chapter or section and texts.count(found[2]) == 1:
            entries.append(
                f'<li class="{"chapter" if chapter else "section"}"><a href="#contents-{number}">{found[2]}</a></li>'
            )
            marked += [article[last : found.start()], f'<span id="contents-{number}"></span>']
            last = found.start()
    return "".join(entries), "".join([*marked, article[last:]])
