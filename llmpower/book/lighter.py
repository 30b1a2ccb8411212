"""Takes out of a rendered site what none of its pages needs, and changes nothing that a reader sees.

What stays is found by name: a file that a page, a style or a script names; a rule of a style whose classes a page or
a script names; an icon that a style names.  MathJax asks for its files by parts of names, so these are listed: what
TeX in HTML takes, with every extension that a formula may ask for.  Its menu, which is half of it, is left out.
"""

import itertools
import json
import re

from llmpower.book.files import BookError

# What a page asks MathJax for, and what these parts ask for themselves.
_PARTS = ("input/tex", "output/chtml", "a11y/assistive-mml")
_THEIR_PARTS = ("core", "output/chtml/fonts/tex", "input/tex/extensions/*")
_BUNDLE, _START, _SETTINGS = "mathjax/tex-chtml.js", "mathjax/startup.js", "window.MathJax = {"
# A typeface draws all icons, too; the search runs on its own page alone.
_ICONS, _SEARCH = "fontawesome", "fontawesome|searchtools|language_data|searchindex|sphinx_highlight"
_FACE = re.compile(r'url\(([^()]*)\.woff2\) format\("woff2"\),url\(\1\.ttf\) format\("truetype"\)')
_MAP = re.compile(r"\n?(?://|/\*)# sourceMappingURL=\S+?(?:\*/)?\s*$")
# A comment, which holds a licence, or selectors and what they set.
_RULE = re.compile(r"/\*.*?\*/|((?:[^{}@/]|/(?!\*))+)\{([^{}]*)\}", re.DOTALL)
_TEXT = (".html", ".css", ".js")


def lighten(site):
    """Make a rendered site lighter, in place."""
    static = site / "_static"
    for page in _pages(site):
        _rewrite(page, _page, _ICONS if page.name == "search.html" else _SEARCH)
    for file in (*static.rglob("*.css"), *static.rglob("*.js")):
        _rewrite(file, _file)
    needed = needed_files(site)
    styles = [file for file in needed if file.suffix == ".css"]
    used = names(needed)
    for style in styles:
        _rewrite(style, _rules, used)
    _subset(static, "".join(map(_text, styles)))
    for file in static.rglob("*"):
        if file.is_file() and file not in needed and file.suffix != ".woff":
            file.unlink()


def _pages(site):
    return [page for page in site.rglob("*.html") if site / "_static" not in page.parents]


def _text(file):
    return file.read_text(encoding="utf-8") if file.suffix in _TEXT else ""


def _rewrite(file, change, *more):
    before = _text(file)
    if (after := change(before, *more)) != before:
        file.write_text(after, encoding="utf-8")


def _file(text):
    """A style or a script without the address of its source, and with typefaces of which a part is left."""
    text = _MAP.sub("", text) if "sourceMappingURL" in text else text
    return _FACE.sub(r'url(\1.woff) format("woff")', text) if "woff2" in text else text


def _page(text, scripts):
    """A page without some of its scripts, and with MathJax in parts."""
    text = re.sub(rf'<script[^>]* src="[^"]*\b(?:{scripts})\.js[^"]*"></script>\s*', "", text)
    if _BUNDLE in text:
        if _SETTINGS not in text:
            raise BookError(f"a page loads {_BUNDLE} without settings, so that it cannot be told what to load instead")
        parts = json.dumps({"load": _PARTS})
        text = text.replace(_BUNDLE, _START).replace(_SETTINGS, f'{_SETTINGS}"loader": {parts}, ')
    return text


def needed_files(site):
    """Pages, and files of ``_static`` that they name, or that such a file names -> what stands together in each.

    Letters, digits, points and hyphens, each run of them once, since that is quicker than to search the whole text.
    """
    rest = {file for file in site.joinpath("_static").rglob("*") if file.is_file()}
    mathjax = [site.joinpath("_static", "mathjax").glob(f"{part}.js") for part in _PARTS + _THEIR_PARTS]
    # Scripts of pages are asked for by parts of their names, too.
    living = site.joinpath("_static", "living").glob("*")
    needed, new = {}, {*_pages(site), *itertools.chain(*mathjax), *living}
    while new:
        found = {file: {*re.findall(r"[\w.-]+", _text(file))} for file in new}
        needed |= found
        with_points = {run for runs in found.values() for run in runs if "." in run}
        named = {name for run in with_points for name in re.findall(r"[\w.-]+\.\w+", run)}
        new = {file for file in rest - needed.keys() if file.name in named}
    return needed


def names(needed):
    """All words of pages and scripts: each may be the name of a class, or the beginning of one."""
    runs = set().union(*(runs for file, runs in needed.items() if file.suffix != ".css"))
    return {name for run in runs for name in re.findall(r"[A-Za-z_][\w-]*", run)}


def is_named(name, used):
    """Whether a class may be in use; scripts put some together, of a first part with a hyphen and another one.

    >>> [is_named(name, {"wide", "bs-tooltip"}) for name in ("wide", "wide-open", "bs-tooltip-auto")]
    [True, False, True]
    """
    parts = name.split("-")
    return name in used or any("-".join(parts[:end]) in used for end in range(2, len(parts)))


def _rules(style, used):
    """A style without what holds nowhere, since it asks for a class that is not in use.

    >>> _rules("/* {} */@media all{.a,.b p{top:0}.c:not(.x){top:1px}}.a,q{top:2px}.d{}", {"b", "c"})
    '/* {} */@media all{.b p{top:0}.c:not(.x){top:1px}}q{top:2px}'
    """

    def holds(selector):
        asked, before = selector, None
        while asked != before:
            asked, before = re.sub(r"\([^()]*\)", "", asked), asked
        return "\\" in asked or all(is_named(name, used) for name in re.findall(r"\.([A-Za-z_-][\w-]*)", asked))

    def rule(found):
        selectors = re.split(r",(?![^(]*\))", found[1] or "")
        # Not a comment, not a rule that only a parser of CSS would understand.
        if not found[1] or ";" in found[1] or any(one.count("(") != one.count(")") for one in selectors):
            return found[0]
        kept = ",".join(filter(holds, selectors))
        return kept and f"{kept}{{{found[2]}}}"

    return _RULE.sub(rule, style)


def _subset(static, styles):
    """Leave in the typefaces of icons the signs that styles name, as a number or as themselves."""
    # It takes a moment to load.
    from fontTools import subset

    signs = {int(code, 16) for code in re.findall(r'"\\([0-9a-f]+) ?"', styles)}
    signs |= {ord(sign) for sign in styles if not sign.isascii()}
    options = subset.Options(flavor="woff", recalc_timestamp=False)
    for face in static.glob("vendor/fontawesome/webfonts/*.ttf"):
        font, keeper = subset.load_font(face, options), subset.Subsetter(options)
        keeper.populate(unicodes=signs)
        keeper.subset(font)
        subset.save_font(font, face.with_suffix(".woff"), options)
