"""Makes a deck of slides from the published page of a chapter: equations, figures, tables, and its prose as notes.

What becomes a slide: the question, what a reader will be able to do, each figure; of each section its equations, its
table, or what it says first; then, while there is room, what else is small enough; the words to take away, and the
exercises as questions.  A cell's own metadata win, ``slideshow: {slide_type: slide | skip | notes}``: of code for what
it shows, of text for the sections that begin in it.

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

from llmpower.book import files

FILE, REVEAL = "slides.html", "reveal"
# Slides of a lecture of 50 minutes, unless its figures and exercises are more; what a slide may hold.
_MOST, _WORDS, _ROWS, _LETTERS, _EQUATIONS, _TAKEN = 25, 40, 8, 560, 4, 100
# Headings of sections without slides; those that only a reader of the page needs are not in the notes either.
_FOR_NOTES = (
    "The parameters",
    "What the article said",
    "What would change",
    "What is left out",
    "What the model leaves",
)
_FOR_PAGE = ("Exercises", "Further reading", "Parameters used", "Downloads")
# A sentence that leans on its neighbours, or on what is not on its slide.
_LEANS = re.compile(
    r"(with|it|its|that|this|these|those|so|they|their|here|but|and|then|not all|both|he|each|in (it|them|both)|such"
    r"|what follows|in the (last|first|second)|the (other|others|same|first|second|last|latter)|otherwise|why|again|take|all the same|(two|three|four) (of|things|details))\b"
    r"|.*\b(that is|is that|brings that|of (that|these|those|them)|on top|tables?|rows?|columns?|below|above|page|chapter|fig|section|equation|bars?|brackets?)\b|.*\(\d+\)",
    re.IGNORECASE | re.DOTALL,
)
_PARTS = ("dist/reveal.js", "dist/reveal.css", "dist/reset.css", "plugin/notes/notes.js", "LICENSE")
_MOVES = re.compile(r"[kwc]\d+(-\d)?|tag_w\d+|tag_follows|waits|off|math|cell")
_LATEX = (r"\\(?:mathrm|text|left|right)\b|\\(?=[{}])|\\[()]", ""), (r"[{}]", ""), (r"\\[,;! ]", " "), (r"\\", "")


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


def write(site, chapter, notebook, folder):
    """Write the deck of a chapter beside its site; returns the file and the number of slides.

    site: folder, in the one of the deck; chapter: address of its page there; notebook: file, as executed.
    """
    page = BeautifulSoup((site / chapter).read_text(encoding="utf-8"), "html.parser")
    panel = page.select_one("details.living")
    if panel:
        panel.summary.string = "Move the numbers"
    scripts = [one for one in page.select("head script") if "mathjax" in f"{one.get('src')}{one.string}".lower()]
    made = slides(page.select_one("article"), _marked(nbformat.read(notebook, as_version=4)))
    words = {"slides": made, "panel": panel or "", "book": page.title.string.rpartition(" \N{EM DASH} ")[2]}
    text = files.filled("templates/slides.html.j2", mathjax="".join(map(str, scripts)), back=chapter, **words)
    (folder / REVEAL).mkdir(exist_ok=True)
    for part in _PARTS:
        source = resources.files("sphinx_revealjs").joinpath("_static", "revealjs", *part.split("/"))
        (folder / REVEAL / source.name).write_bytes(source.read_bytes())
    files.replace({folder / FILE: re.sub(r'(src|href)="(?:\.\./)+', rf'\1="{site.name}/', text)})
    return folder / FILE, len(made)


def _marked(notebook):
    """What authors asked of sections: heading, letters alone -> skip or notes."""
    kinds = {}
    for cell in notebook.cells:
        kind = cell.metadata.get("slideshow", {}).get("slide_type")
        if cell.cell_type == "markdown" and kind in ("skip", "notes"):
            kinds |= {_letters(one): kind for one in re.findall(r"^#+ (.+)$", cell.source, re.MULTILINE)}
    return kinds


def _letters(heading):
    return re.sub(r"\W", "", heading)


def slides(article, marked=None):
    """The slides of a page in order, its prose in their notes; marked: what authors asked of sections."""
    for one in article.select("details.above-input, .cell_input, .headerlink, .figure-data, .solution, .eqno"):
        one.decompose()
    first = article.find("section")
    prose = [one for kind, one in _blocks(first) if kind == "text"]
    head = [Slide(_inside(first.h1), "title", lead=_lead(prose, _WORDS + 5, loose=True), notes=[*map(_note, prose)])]
    head += _objectives(first)
    tail = [*_taken(article), *_exercises(article)]
    said = [line for one in prose for line in _lines(one) if 'class="k' in line and _stands(line, _WORDS)]
    events = [(2, [Slide(line, "text", head[0].heading)]) for line in said]
    for heading in article.select("section h2, section h3"):
        if not heading.find_parent(class_="admonition"):
            _section(heading, marked or {}, events)
    kept, room = [], _MOST - len(head) - len(tail)
    for _, several in sorted((one for one in events if isinstance(one[1], list)), key=lambda one: one[0]):
        if several[0].kind in ("figure", "asked") or len(several) <= room:
            kept += map(id, several)
            room -= len(several)
    _told(events, kept, head)
    return [
        *head,
        *(one for _, several in events if isinstance(several, list) for one in several if id(one) in kept),
        *tail,
    ]


def _told(events, kept, head):
    """Put prose into the notes of its section's slides; of a section that has none, into those of the one before."""
    last, waiting, inside = head[-1], [], False
    for kind, what in events:
        if kind == "section":
            last.notes += waiting
            waiting, inside = [f"<p><strong>{what}</strong></p>"], False
        elif kind == "text":
            (last.notes if inside else waiting).append(what)
        for one in what if isinstance(what, list) else ():
            if id(one) in kept:
                one.notes += waiting
                last, waiting, inside = one, [], True
    last.notes += waiting


def _section(heading, marked, events):
    """Append what a section has, in order: its heading, notes, and (rank, slides); low ranks come first."""
    title, deep = heading.get_text(), heading.name == "h3"
    asked = marked.get(_letters(title))
    if title.startswith(_FOR_PAGE) or asked == "skip":
        return
    over = heading.find_parent("section").find_parent("section").h2 if deep else None
    names = {"heading": _inside(heading), "over": _inside(over) if over else ""}
    if not deep:
        events.append(("section", names["heading"]))
    blocks, own, drawn = [*_blocks(heading.parent)], [], heading.parent.find("figure")
    for place, (kind, one) in enumerate(blocks):
        if kind == "text":
            events.append(("text", _note(one)))
            continue
        told, more = _until(blocks[place + 1 :], kind), _tags(one)
        if "tag_slide-skip" in more or title.startswith(_FOR_NOTES) or asked:
            continue
        # Figures, then the first equations of a section, or its first table if it has neither.
        again = any(slide.kind == kind for slide in own) or kind == "table" and (own or drawn)
        rank = 0 if kind == "figure" else (3 if again else 1) + deep
        made = _KINDS[kind](one, told, names)
        if "tag_slide-slide" in more and made:
            rank, made[0].kind = 0, "asked"
        elif "tag_slide-notes" in more or not made:
            continue
        elif kind == "table" and len(made) > 1:
            rank = 6
        if made[-1].under in [slide.under for slide in own]:
            made[-1].under = ""
        own += made
        events.append((rank, made))
    texts = [one for kind, one in blocks if kind == "text"]
    if own and own[0].kind != "figure":
        before = [one for _, one in itertools.takewhile(lambda block: block[0] == "text", blocks)]
        own[0].lead = _lead(before[:1], 26)
    lead = _lead(texts, _WORDS)
    if not own and lead and not title.startswith(_FOR_NOTES) and not asked:
        events.insert(len(events) - len(texts), (2 + deep, [Slide(**names, kind="text", lead=lead)]))


def _blocks(box):
    """What a section shows, without the sections in it: kind and element, equations that follow each other as one."""
    run = []
    for kind, one in _each(box):
        if kind == "equation":
            run.append(one)
            continue
        if run:
            yield "equations", run
        run = []
        yield kind, one
    if run:
        yield "equations", run


def _each(box):
    for one in box.find_all(recursive=False):
        classes = {*one.get("class", ())}
        if one.name in ("p", "ul", "ol", "dl"):
            yield "text", one
        elif one.name in ("figure", "table"):
            yield one.name, one
        elif "math" in classes:
            yield "equation", one
        elif one.name == "div" and not classes & {"admonition", "off", "highlight"}:
            yield from _each(one)


def _until(blocks, kind):
    """Texts that tell of a block of a kind: those up to the next one, of equations those behind a table, too."""
    behind = ("text", "table") if kind == "equations" else ("text",)
    return [one for what, one in itertools.takewhile(lambda block: block[0] in behind, blocks) if what == "text"]


def _figure(figure, told, names):
    picture, caption = figure.img, figure.select_one(".caption-text")
    words = re.sub(r"\s*·\s*$", "", _inside(caption)) if caption else names["heading"]
    # A caption says what is drawn and, behind a colon, what it shows: that is the headline.
    drawn, shows, rest = re.fullmatch(r"(.*?)(?:: (.*?))?((?:[.;] (?=[A-Z]).*)?)", words, re.DOTALL).groups()
    under = f"{drawn}{rest}" if shows else rest.lstrip(".; ")
    body = f'<figure id="{figure["id"]}">{picture}</figure>'
    return [Slide(shows or drawn, "figure", names["heading"], body=body, under=under, moves=_moves(figure))]


def _equations(run, told, names):
    """Slides of a few equations each, with the symbols in them and, on the last, what they come to."""
    legend = next((one for one in told if re.match(r"with\s*\\\(", one.get_text())), None)
    symbols = _lines(legend, "; ") if legend else []
    symbols[:1] = [re.sub(r"^with\s+", "", one) for one in symbols[:1]]
    made = []
    for part in _parts(run, _EQUATIONS):
        latex = " ".join(map(_bare_latex, (one.get_text() for one in part)))
        shown = [one.rstrip(".") for one in symbols if _uses(latex, one)]
        body = "".join(f'<div class="math" id="{one["id"]}">{_inside(one)}</div>' for one in part)
        body = f'<div class="equations n{len(part)}">{body}</div>'
        body += f'<ul class="symbols">{"".join(f"<li>{one}</li>" for one in shown)}</ul>' if shown else ""
        made.append(Slide(**names, kind="equations", body=body, moves=_moves(part[0])))
    made[-1].under = _result([one for one in told if one is not legend])
    return made


def _bare_latex(text):
    """A formula in which a symbol is written in one way, whatever braces it came with."""
    return re.sub(r"[{}]", " ", re.sub(r"([_^])\{([^{}]*)\}", r"\1\2 ", re.sub(r"\\mathrm\b|\\[()\[\]]", "", text)))


def _uses(latex, item):
    """Whether equations have the symbol that an item of a legend begins with."""
    symbol = re.search(r"\\\((.+?)\\\)", item)
    return bool(
        symbol and re.search(rf"(?<![A-Za-z\\]){re.escape(_bare_latex(symbol[1]).strip())}(?![A-Za-z_])", latex)
    )


def _table(table, told, names):
    """Slides of a table; none if its cells are full or its rows too many to be read from a distance."""
    table = copy.copy(table)
    for one in table.select(".bibtex-citation"):
        one.decompose()
    for place, head in [*enumerate(table.select("thead th"))][::-1]:
        column = [head, *table.select(f"tbody td:nth-child({place + 1})")]
        # Its cells held sources alone.
        for one in [] if any(cell.get_text(strip=True) for cell in column[1:]) else column:
            one.decompose()
    rows, letters = table.select("tbody tr"), len(re.sub(r"\s+", " ", table.get_text()))
    columns = len(table.select("thead th"))
    if columns > 7 or letters > (_LETTERS if len(rows) <= _ROWS else 1100) or len(rows) > 3 * _ROWS:
        return []
    made = []
    for part in _parts(rows, _ROWS):
        head = f"<thead>{_inside(table.thead)}</thead>"
        body = f'<table class="table c{columns}">{head}<tbody>{"".join(f"<tr>{_inside(row)}</tr>" for row in part)}</tbody></table>'
        made.append(Slide(**names, kind="table", body=body, moves=_moves(table)))
    made[-1].under = _result(told) if len(rows) <= _ROWS else ""
    return made


_KINDS = {"figure": _figure, "equations": _equations, "table": _table}


def _parts(all_, most):
    """Parts of nearly equal size.

    >>> _parts([1, 2, 3, 4, 5], 4)
    [[1, 2, 3], [4, 5]]
    """
    size = math.ceil(len(all_) / math.ceil(len(all_) / most))
    return [all_[start : start + size] for start in range(0, len(all_), size)]


def _objectives(first):
    """What a reader will be able to do, one thing a line."""
    said = next(
        (one for one in first.select(".admonition p") if one.get_text().startswith("You will be able to")), None
    )
    if said is None:
        return []
    text = " ".join(said.get_text().split()).removeprefix("You will be able to ").rstrip(".")
    parts = re.split(r"; (?:and )?" if ";" in text else r", (?:and )?(?!with |of |in )", text)
    body = "".join(f"<li>{one}</li>" for one in parts)
    return [
        Slide(
            "You will be able to",
            "list",
            body=f"<ul>{body}</ul>",
            notes=[_note(one) for one in said.parent.select("p")[2:]],
        )
    ]


def _taken(article):
    """The words to take away, a few on a slide."""
    box = article.select_one(".tip.admonition")
    items = [_inside(one) for one in box.select("li")] if box else []
    if box and not items:
        items = [line for one in box.select("p")[1:] for line in _lines(one)]
    slides_, words = [], 0
    several = max(1, math.ceil(sum(map(_words, items)) / _TAKEN))
    share = sum(map(_words, items)) / several
    for one in items:
        if not slides_ or words + _words(one) / 2 > share * len(slides_):
            slides_.append([])
        slides_[-1].append(one)
        words += _words(one)
    return [
        Slide("What to take away", "list", body=f"<ul>{''.join(f'<li>{one}</li>' for one in part)}</ul>")
        for part in slides_
    ]


def _exercises(article):
    for box in article.select(".exercise"):
        title = re.sub(r"^Exercise\s*\d*\s*\(?|\)?\s*$", "", box.p.get_text())
        body = "".join(str(_bare(one)) for one in box.section.find_all(["p", "ul", "ol"], recursive=False))
        yield Slide(title, "exercise", "Exercise", body=body)


def _lead(texts, most, loose=False):
    """The first sentence that stands on its own, and those behind it while there are few words."""
    for one in texts:
        if one.name != "p":
            continue
        lines = _lines(one)
        for place, line in enumerate(lines):
            if loose or _stands(line, most):
                while (
                    len(lines) > place + 1
                    and _words(line) + _words(lines[place + 1]) <= most
                    and (loose or _ends(lines[place + 1]))
                ):
                    line += " " + lines.pop(place + 1)
                return line
    return ""


def _result(texts):
    """What equations or a table come to: the first sentence with a number in the paragraph behind them that stands on its own."""
    lines = [line for one in texts[:1] if one.name == "p" for line in _lines(one)]
    good = [line for line in lines if _stands(line, 34) and re.search(r"\d", _seen(line))]
    return next((line for line in good if re.search(r'class="k\d', line)), good[0] if good else "")


def _stands(line, most):
    seen = _seen(line)
    return (
        3 < _words(line) <= most and _ends(line) and not _LEANS.match(seen) and seen[:1].isupper() | seen[:1].isdigit()
    )


def _ends(line):
    seen = _seen(line)
    return seen.endswith((".", "?", "!", "”")) and not re.search(r"\b(tables?|rows?|columns?|below|above|Fig)\b", seen)


def _seen(html):
    """Text that a reader sees at first."""
    soup = BeautifulSoup(html, "html.parser")
    for one in soup.select(".off"):
        one.decompose()
    return " ".join(soup.get_text().split())


def _words(html):
    return len(_seen(html).split())


def _lines(box, pattern=r"\n"):
    """HTML of the sentences in a paragraph, which stand one a line; or of its parts between others."""
    lines = [""]
    for one in _uncited(box).contents:
        if not isinstance(one, NavigableString):
            lines[-1] += str(one)
            continue
        head, *more = re.split(pattern, one.output_ready())
        lines[-1] += head
        lines += more
    return [line.strip() for line in lines if line.strip()]


def _inside(box):
    return _uncited(box).decode_contents().strip()


def _note(box):
    """A text as a note: its formulas as they would be typed, since the window of the notes does not typeset."""
    box = _bare(box)
    for one in box.select(".math"):
        text = one.get_text()
        for pattern, instead in _LATEX:
            text = re.sub(pattern, instead, text)
        one.replace_with(text)
    return str(box)


def _uncited(box):
    """A bare copy without sources in brackets."""
    box = copy.copy(box)
    for one in box.select(".bibtex-citation"):
        before, after = one.previous_sibling, one.next_sibling
        quoted = isinstance(before, NavigableString) and before.endswith("(") and isinstance(after, NavigableString)
        if quoted and re.match(r"[^()]*\)", after):
            after.replace_with(re.sub(r"^[^()]*\)", "", after))
            before.replace_with(before[:-1].rstrip())
        elif not one.get_text().startswith("["):
            continue
        elif isinstance(before, NavigableString):
            before.replace_with(before.rstrip())
        one.decompose()
    return _bare(box)


def _bare(box):
    """A copy without links, names and all classes but those that move."""
    box = copy.copy(box)
    for one in box.select("a, .bibtex-citation, .xref, .std, .doc, .caption-number"):
        one.unwrap()
    for one in [box, *box.find_all(True)]:
        kept = [name for name in one.get("class", ()) if _MOVES.fullmatch(name) or name.startswith("text-")]
        one.attrs = {"class": kept} if kept else {}
    box.smooth()
    return box


def _moves(one):
    """Classes of the boxes around an element by which it follows the controls."""
    return " ".join(dict.fromkeys(name for name in _tags(one) if _MOVES.fullmatch(name)))


def _tags(one):
    one = one[0] if isinstance(one, list) else one
    return [name for box in one.find_parents("div") for name in box.get("class", ())]
