"""Makes a deck of slides from the published page of a chapter: equations, figures, tables, and its prose as notes.

What becomes a slide: the question, what a reader will be able to do, each figure; of each section its first equations,
its first table if it has no figure, or else what it says first; then, while there is room, what is small enough; the
words to take away, the quiz, and the exercises as questions.  A cell's own metadata win, ``slideshow: {slide_type:
slide | skip | notes}``: of code for what it shows, of text for the sections that begin in it.

Numbers keep the places that the controls fill in, so that slides move as the page does.
"""

import copy
import itertools
import math
import re
from dataclasses import dataclass, field
from importlib import resources

import nbformat
from bs4 import BeautifulSoup, NavigableString
from markupsafe import escape

from llmpower import questions
from llmpower.book import build, files, fresh, quiz

FILE, REVEAL = "slides.html", "reveal"
# Slides of a lecture of 50 minutes, unless figures and exercises are more; what one of them may hold.
_MOST, _WORDS, _ROWS, _LETTERS, _EQUATIONS, _TAKEN, _ASKED, _ALONE = 30, 40, 8, 560, 4, 100, 110, 10
# Sections without slides; what only a reader of the page needs is not in the notes, either.
_FOR_NOTES = "The parameters", "What the article said", "What would change", "What is left out", "What the model leaves"
_FOR_PAGE = "Check yourself", "Exercises", "Further reading", "Parameters used", "Downloads"
# A sentence that leans on its neighbours, or on what is not on its slide.
_LEANS = re.compile(
    r"(it|its|that|this|these|those|so|they|their|here|but|and|then|not all|both|he|each|such|what follows|otherwise"
    r"|why|with|again|take|all the same|\w+ (it|them)|in (it|them|both|the (last|first))|(two|three|four) (of|to|things"
    r"|details)|the (others?|same|first|second|last|latter))\b|.*\(\d+\)|.*\b(that is|is that|brings that|on top"
    r"|of (that|these|those|them)|tables?|rows?|columns?|below|above|page|chapter|fig|section|equation|bars?|brackets?"
    r"|blue|green)\b",
    re.IGNORECASE | re.DOTALL,
)
_PARTS = "dist/reveal.js", "dist/reveal.css", "dist/reset.css", "plugin/notes/notes.js", "LICENSE"
# Classes by which the controls find what they move, and those of columns.
_KEPT = re.compile(r"[kwc]\d+(-\d)?|tag_w\d+|tag_follows|waits|off|math|cell|text-\w+")
# How a formula is typed in notes, whose window does not typeset.
_TYPED = (r"\\(?:mathrm|text|left|right)\b|\\(?=[{}])|\\[()]|[{}]", ""), (r"\\[,;! ]", " "), (r"\\", "")


@dataclass
class Slide:
    """What a slide shows, as HTML."""

    heading: str
    kind: str
    over: str = ""
    lead: str = ""
    body: str = ""
    under: str = ""
    moves: str = ""
    notes: list = field(default_factory=list)


def publish(book, path, scenario, out=None, say=print, force=False):
    """Run a chapter if something changed, publish its page and write its deck beside it; returns `write`'s answer.

    out: by default a folder of its own in ``_build/slides`` of the book.
    """
    out, before = out or book / "_build" / "slides" / path.stem, files.last_site(book)
    out = fresh.own_folder(out, FILE, REVEAL)
    index, folders = build.build(book, out, scenario, say=say, force=force)
    if before:
        # `llmpower serve` goes on with the book.
        files.note_site(book, before)
    page = path.relative_to(book).with_suffix(".html").as_posix()
    sheet = questions.first(quiz.asked(path))
    answers = {one.question.id: f"<p>{escape(one.answer)}: {escape(one.how)}</p>" for one in sheet if one.choices}
    answers |= {one.question.id: f"<p>{escape(one.how)}</p>" for one in sheet if not one.choices}
    return write(index.parent, page, folders[path.stem] / "executed.ipynb", out, answers)


def write(site, chapter, notebook, folder, answers):
    """Write the deck of a chapter beside its site; returns the file and the number of slides.

    site: folder, in the one of the deck; chapter: address of its page there; notebook: file, as executed; answers:
    notes to the questions of the page's quiz.
    """
    page = BeautifulSoup((site / chapter).read_text(encoding="utf-8"), "html.parser")
    if panel := page.select_one("details.living"):
        panel.summary.string = "Move the numbers"
    scripts = [one for one in page.select("head script") if "mathjax" in f"{one.get('src')}{one.string}".lower()]
    made = slides(page.select_one("article"), _marked(nbformat.read(notebook, as_version=4)), answers)
    words = {"slides": made, "panel": panel or "", "book": page.title.string.rpartition(" \N{EM DASH} ")[2]}
    text = files.filled("templates/slides.html.j2", mathjax="".join(map(str, scripts)), **words)
    (folder / REVEAL).mkdir(exist_ok=True)
    for part in _PARTS:
        source = resources.files("sphinx_revealjs").joinpath("_static", "revealjs", *part.split("/"))
        (folder / REVEAL / source.name).write_bytes(source.read_bytes())
    files.replace({folder / FILE: re.sub(r'(src|href)="(?:\.\./)+', rf'\1="{site.name}/', text)})
    return folder / FILE, len(made)


def _marked(notebook):
    """What authors asked of sections: letters of the heading -> skip or notes."""
    asked = [(cell.metadata.get("slideshow", {}).get("slide_type"), cell) for cell in notebook.cells]
    texts = [(kind, cell.source) for kind, cell in asked if kind in ("skip", "notes") and cell.cell_type == "markdown"]
    return {_letters(one): kind for kind, text in texts for one in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}


def _letters(heading):
    return re.sub(r"\W", "", heading)


def slides(article, marked, answers):
    """The slides of a page in order, its prose in their notes; marked: what authors asked of sections."""
    for one in article.select("details.above-input, .cell_input, .headerlink, .figure-data, .solution, .eqno"):
        one.decompose()
    first = article.find("section")
    prose = [one for kind, one in _blocks(first) if kind == "text"]
    question = _lead(prose, _WORDS + 5, any_=True)
    head = [Slide(_inside(first.h1), "title", lead=question, notes=[*map(_note, prose)]), *_objectives(first)]
    tail = [*_taken(article), *_quiz(article, answers), *_exercises(article)]
    said = [line for one in prose for line in _lines(one) if 'class="k' in line and _stands(line, _WORDS)]
    events = [(2, [Slide(line, "text", head[0].heading)]) for line in said]
    for heading in article.select("section :is(h1, h2, h3)"):
        if not heading.find_parent(class_="admonition"):
            events += _section(heading, marked)
    wanted, kept, room = [one for one in events if one[0] is not None], [], _MOST - len(head) - len(tail)
    for rank, several in sorted(wanted, key=lambda one: one[0]):
        if rank == 0 or len(several) <= room:
            kept += map(id, several)
            room -= len(several)
    # Prose goes with its section's slides; that of a section without one, with the slide before.
    middle, last, waiting, inside = [], head[-1], [], False
    for rank, what in events:
        if rank is None and what.startswith("<h"):
            last.notes += waiting
            waiting, inside = [what], False
        elif rank is None:
            (last.notes if inside else waiting).append(what)
        elif id(what[0]) in kept:
            what[0].notes += waiting
            middle += what
            last, waiting, inside = what[-1], [], True
    last.notes += waiting
    return [*head, *middle, *tail]


def _section(heading, marked):
    """What a section has, in order: (rank, slides), low ranks come first, and (None, note)."""
    title, top, deep = heading.get_text(), heading.name == "h1", heading.name == "h3"
    asked = marked.get(_letters(title))
    if title.startswith(_FOR_PAGE) or asked == "skip":
        return []
    names = {"heading": _inside(heading), "over": _inside(heading.find_parent("section").parent.h2) if deep else ""}
    blocks, own, drawn = [*_blocks(heading.parent)], [], heading.parent.find("figure")
    events = [] if deep or top else [(None, f"<h4>{names['heading']}</h4>")]
    quiet = title.startswith(_FOR_NOTES) or asked
    for place, (kind, one) in enumerate(blocks):
        if kind == "text":
            # The first slide has those of the beginning.
            events += [] if top else [(None, _note(one))]
            continue
        tags = _tags(one)
        if quiet or "tag_slide-skip" in tags or "tag_slide-notes" in tags:
            continue
        # What is said of it: up to the next block, of equations also behind a table.
        told = blocks[place + 1 :]
        if kind == "equations":
            told = [block for block in told if block[0] != "table"]
        told = [text for _, text in itertools.takewhile(lambda block: block[0] == "text", told)]
        wanted = "tag_slide-slide" in tags
        made = _KINDS[kind](one, told, names, wanted)
        again = any(slide.kind == kind for slide in own) or kind == "table" and (own or drawn)
        rank = (
            0 if kind == "figure" or wanted else 6 if kind == "table" and len(made) > 1 else (3 if again else 1) + deep
        )
        for slide in made:
            slide.moves = " ".join(dict.fromkeys(filter(_KEPT.fullmatch, tags)))
            slide.under = "" if slide.under in [other.under for other in own] else slide.under
            own.append(slide)
        events += [(rank, made)] if made else []
    if top:
        return events
    if own and own[0].kind != "figure" and blocks[0][0] == "text":
        own[0].lead = _lead([blocks[0][1]], 26)
    lead = _lead([one for kind, one in blocks if kind == "text"], _WORDS)
    said = [(2 + deep, [Slide(**names, kind="text", lead=lead)])] if lead and not own and not quiet else []
    return [*events[: 1 - deep], *said, *events[1 - deep :]]


def _blocks(box):
    """What a section shows, without the sections in it: kind and element; of equations in a row, all."""
    for kind, run in itertools.groupby(_each(box), key=lambda one: one[0]):
        elements = [one for _, one in run]
        yield from [(kind, elements)] if kind == "equations" else ((kind, one) for one in elements)


def _each(box):
    for one in box.find_all(recursive=False):
        classes = {*one.get("class", ())}
        if one.name in ("p", "ul", "ol", "dl"):
            yield "text", one
        elif one.name in ("figure", "table") or "math" in classes:
            yield "equations" if "math" in classes else one.name, one
        elif one.name == "div" and not classes & {"admonition", "off", "highlight"}:
            yield from _each(one)


def _figure(figure, told, names, wanted):
    caption = figure.select_one(".caption-text")
    words = re.sub(r"\s*·\s*$", "", _inside(caption)) if caption else names["heading"]
    # A caption says what is drawn and, behind a colon, what it shows: that is the headline.
    drawn, shows, rest = re.fullmatch(r"([^:;]*?)(?:: (.*?))?((?:\. (?=[A-Z])|; ).*)?", words, re.DOTALL).groups("")
    under = f"{drawn}{rest}" if shows else rest.lstrip(".; ")
    body = f'<figure id="{figure["id"]}">{figure.img}</figure>'
    return [Slide(shows or drawn, "figure", names["heading"], body=body, under=under)]


def _equations(run, told, names, wanted):
    """Slides of a few equations each, with the symbols in them and, on the last, what they come to."""
    legend = next((one for one in told if re.match(r"with\s*\\\(", one.get_text())), None)
    symbols = _lines(legend, r"; $|^with\s+|\.$") if legend else []
    made = []
    for part in _parts(run, _EQUATIONS):
        latex = " ".join(_one_way(one.get_text()) for one in part)
        symbol = [(one, _one_way(re.search(r"\\\((.+?)\\\)|$", one)[1] or "-").strip()) for one in symbols]
        shown = [one for one, sign in symbol if re.search(rf"(?<![A-Za-z\\]){re.escape(sign)}(?![A-Za-z_])", latex)]
        body = "".join(f'<div class="math" id="{one["id"]}">{_inside(one)}</div>' for one in part)
        body = f'<div class="equations n{len(part)}">{body}</div>{_list(shown, "symbols")}'
        made.append(Slide(**names, kind="equations", body=body))
    made[-1].under = _result([one for one in told if one is not legend])
    return made


def _one_way(latex):
    """A formula in which a symbol is written in one way, whatever braces it came with."""
    latex = re.sub(r"([_^])\{([^{}]*)\}", r"\1\2 ", re.sub(r"\\mathrm\b|\\[()\[\]]", "", latex))
    return re.sub(r"[{}]", " ", latex)


def _table(table, told, names, wanted):
    """Slides of a table; none if it has too much to be read from a distance, unless wanted."""
    table = copy.copy(table)
    for one in table.select(".bibtex-citation"):
        one.decompose()
    for place in range(len(table.select("thead th")), 0, -1):
        # Its cells held sources alone.
        if not any(cell.get_text(strip=True) for cell in table.select(f"tbody td:nth-child({place})")):
            [cell.decompose() for cell in table.select(f"tr > :nth-child({place})")]
    rows, letters = table.select("tbody tr"), len(" ".join(table.get_text().split()))
    columns, long = len(table.select("thead th")), len(rows) > _ROWS
    if not wanted and (columns > 7 or letters > _LETTERS * (1 + long) or len(rows) > 3 * _ROWS):
        return []
    made = []
    for part in _parts(rows, _ROWS):
        inside = "".join(f"<tr>{_inside(row)}</tr>" for row in part)
        body = f'<table class="table c{columns}"><thead>{_inside(table.thead)}</thead><tbody>{inside}</tbody></table>'
        made.append(Slide(**names, kind="table", body=body))
    made[-1].under = "" if long else _result(told)
    return made


_KINDS = {"figure": _figure, "equations": _equations, "table": _table}


def _parts(all_, most):
    """Parts of nearly equal size.

    >>> _parts([1, 2, 3, 4, 5], 4)
    [[1, 2, 3], [4, 5]]
    """
    size = math.ceil(len(all_) / max(1, math.ceil(len(all_) / most)))
    return [all_[start : start + size] for start in range(0, len(all_), size)] if all_ else []


def _list(items, kind=""):
    return f'<ul class="{kind}">{"".join(f"<li>{one}</li>" for one in items)}</ul>' if items else ""


def _objectives(first):
    """What a reader will be able to do, one thing a line."""
    begin = "You will be able to"
    for one in first.select(".admonition p"):
        if one.get_text().startswith(begin):
            text = " ".join(one.get_text().split()).removeprefix(f"{begin} ").rstrip(".")
            parts = re.split(r"; (?:and )?" if ";" in text else r", (?:and )?(?!with |of |in )", text)
            yield Slide(begin, "list", body=_list(parts), notes=[_note(more) for more in one.find_next_siblings("p")])


def _taken(article):
    """The words to take away, a few on a slide."""
    box = article.select_one(".tip.admonition")
    items = [_inside(one) for one in box.select("li")] if box else []
    several = math.ceil(sum(map(_words, items)) / _TAKEN) or 1
    for part in _parts(items, math.ceil(len(items) / several) or 1):
        yield Slide("What to take away", "list", body=_list(part))


def _quiz(article, answers):
    """Questions of the page's quiz, with the numbers that stand there first; what is right is in the notes."""
    for box in article.select("form.quiz fieldset"):
        choices = [f"{chr(65 + at)}: {_inside(one)}" for at, one in enumerate(box.select(".choice span"))]
        notes, body = [answers.get(box["data-question"], "")], f"{_bare(box.p)}{_list(choices)}"
        yield Slide(_inside(box.legend), "quiz", "Check yourself", body=body, notes=notes)


def _exercises(article):
    for box in article.select(".exercise"):
        title = re.sub(r"^Exercise\s*\d*\s*\(?|\)?\s*$", "", box.p.get_text())
        parts, words = [[]], [0]
        for one in box.section.find_all(["p", "ul", "ol", "pre"]):
            if one.find_parent(["ul", "ol", "table"]):
                continue
            shown, more = str(_bare(one)), _words(str(one))
            # Its level and minutes alone are no slide.
            if words[-1] > _ALONE and words[-1] + more > _ASKED:
                parts.append([])
                words.append(0)
            parts[-1].append(shown)
            words[-1] += more
        for part in parts:
            yield Slide(title, "exercise", "Exercise", body="".join(part))


def _lead(texts, most, any_=False):
    """The first sentence that stands on its own, and those behind it while there are few words."""
    for lines in (_lines(one) for one in texts if one.name == "p"):
        for place, line in enumerate(lines):
            if any_ or _stands(line, most):
                for more in lines[place + 1 :]:
                    if _words(line) + _words(more) > most or any_ and line.endswith("?") or not (any_ or _ends(more)):
                        break
                    line += f" {more}"
                return line
    return ""


def _result(texts):
    """What equations or a table come to: a sentence with a number from the paragraph behind them."""
    lines = [line for one in texts[:1] if one.name == "p" for line in _lines(one)]
    good = [line for line in lines if _stands(line, 34) and re.search(r"\d", _seen(line))]
    return next((line for line in good if re.search(r'class="k\d', line)), good[0] if good else "")


def _stands(line, most):
    return 3 < _words(line) <= most and _ends(line) and not _LEANS.match(_seen(line)) and not _seen(line)[0].islower()


def _ends(line):
    return re.search(r"[.?!”]$", _seen(line)) and not re.search(r"\b(tables?|rows?|columns?|below|above|Fig)\b", line)


def _seen(html):
    """Text that a reader sees at first."""
    soup = BeautifulSoup(html, "html.parser")
    for one in soup.select(".off"):
        one.decompose()
    return " ".join(soup.get_text().split())


def _words(html):
    return len(_seen(html).split())


def _lines(box, between=r"\n"):
    """HTML of the sentences in a paragraph, which stand one a line; or of its parts between others."""
    lines = [""]
    for one in _bare(box, cited=False).contents:
        head, *more = re.split(between, one.output_ready()) if isinstance(one, NavigableString) else [str(one)]
        lines[-1] += head
        lines += more
    return [line.strip() for line in lines if line.strip()]


def _inside(box):
    return _bare(box, cited=False).decode_contents().strip()


def _note(box):
    box = _bare(box)
    for one in box.select(".math"):
        text = one.get_text()
        for pattern, instead in _TYPED:
            text = re.sub(pattern, instead, text)
        one.replace_with(text)
    return str(box)


def _bare(box, cited=True):
    """A copy without links, names and other classes than those that move; without sources in brackets, unless cited."""
    box = copy.copy(box)
    for one in [] if cited else box.select(".bibtex-citation"):
        before, after = one.previous_sibling, one.next_sibling
        quoted = str(before).endswith("(") and isinstance(after, NavigableString) and re.match(r"[^()]*\)", after)
        if quoted:
            after.replace_with(after[quoted.end() :])
        if quoted or one.get_text().startswith("["):
            if isinstance(before, NavigableString):
                before.replace_with(before.removesuffix("(").rstrip())
            one.decompose()
    for one in box.select("a, .bibtex-citation, .xref, .std, .doc, .caption-number"):
        one.unwrap()
    for one in [box, *box.find_all(True)]:
        kept = [name for name in one.get("class", ()) if _KEPT.fullmatch(name)]
        one.attrs = {"class": kept} if kept else {}
    box.smooth()
    return box


def _tags(one):
    """Classes of the boxes around an element."""
    one = one[0] if isinstance(one, list) else one
    return [name for box in one.find_parents("div") for name in box.get("class", ())]
