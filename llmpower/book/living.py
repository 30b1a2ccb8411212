"""Makes staged pages move: what `follow` left of a chapter goes into its page, and into a script beside it."""

import re
import shutil

import nbformat
import vl_convert

from llmpower.book import files, follow, fresh, quiz, records
from llmpower.book.escape import escaped
from llmpower.text import scales_script
from llmpower.trace import compact

# Without Vega-Lite it is a third shorter; the address only names a part that the package holds.
_WANTED = 'import {{View, parse}} from "https://cdn.jsdelivr.net/npm/vega@{}/+esm"; window.vega = {{View, parse}};'
_GLUE = re.compile(r"\{glue:text\}`([\w-]+)`")
_SCRIPTS = files.HERE / "scripts"
# What each page loads; the others wait until a reader reaches for the controls.
_AT_ONCE = ("living.js", "living.css")
_PANEL = '<details class="living" data-page="{}" hidden><summary>Move the numbers of this page</summary></details>'


def vega_file(kept):
    """Where `vega` is kept, by a name of what it is made from."""
    return kept / f"vega-{fresh.hashed([vl_convert.__version__, _WANTED])[:12]}.js"


def vega(kept):
    """Vega's runtime as a classic script with the global `vega`: it works from disk and asks for nothing.

    kept: folder in which it is kept, since bundling takes a second.
    """
    version, path = vl_convert.get_vega_version(), vega_file(kept)
    if not path.exists():
        script = vl_convert.javascript_bundle(_WANTED.format(version))
        path.parent.mkdir(exist_ok=True)
        # Its own names stay inside.
        files.replace(
            {path: f"/* Vega {version} with parts of D3: vega.txt has their licences. */\n(() => {{{script}}})();\n"}
        )
    return path


def scripts(target):
    """Copy the scripts that pages load later into a folder; `vega` is another one."""
    shutil.copytree(_SCRIPTS, target, ignore=shutil.ignore_patterns(*_AT_ONCE))
    with target.joinpath("numbers.js").open("a", encoding="utf-8") as script:
        script.write(scales_script())


def stage(book, stage, folders, options):
    """Put scripts where Sphinx copies them to the site: those of all pages, and each page's own."""
    for name in _AT_ONCE:
        shutil.copyfile(_SCRIPTS / name, stage / "_static" / name)
    # Scripts in _static are added to each page by Jupyter Book.
    target = stage / "later" / "_static" / "living"
    scripts(target)
    notebooks = files.chapters(book)
    for name, folder in folders.items():
        left = files.read_json(folder / follow.FILE)
        program = f"(()=>{{{left['program']}return compute}})()"
        page = f"livingPage.define({compact({'name': name} | left['page'])},{program});\n"
        target.joinpath(f"{name}.js").write_text(page, encoding="utf-8")
        if listed := quiz.asked(notebooks[name]):
            target.joinpath(f"{name}.quiz.js").write_text(quiz.script(name, listed), encoding="utf-8")
    options["html_extra_path"] = ["later"]


def _followed(row, used):
    """A row of the table of parameters, in which the value and who set it follow the control."""
    name, *cells = row.split(" | ")
    one = used.get(name.strip("| `"))
    if isinstance(one, int):
        cells[0] = f"[{cells[0]}]{{.waits .w{one}}}"
    elif one:
        (case, now), (value, by) = one, cells[:2]
        either = lambda no, yes: f"[{no}]{{.c{case}-0}}[{yes}]{{.c{case}-1 .off}}"  # noqa: E731
        cells[0] = either(value, f"**{now}{''.join(value.strip('*').partition(' ')[1:])}**")
        cells[1] = either(by, f"reader; default {value}") if by == "default" else by
    return " | ".join([name, *cells])


def dress(notebook, name, folder):
    """Let an executed chapter have places for numbers in its text, and its controls."""
    left = files.read_json(folder / follow.FILE)
    shown = {key: one["text"] for key, one in records.shown(notebook).items()}

    def glued(found):
        key = found[1]
        one = left["glue"].get(key)
        if key not in shown and one is None:
            return found[0]
        if isinstance(one, str):
            return one
        # A branch that the run did not take may name what it did not show.
        plain = escaped(records.tied(shown.get(key, "–")))
        return f"[{plain}]{{.waits .w{one['waits']}}}" if one else plain

    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = _GLUE.sub(glued, cell.source)
            continue
        if kind := cell.metadata.get("slideshow", {}).get("slide_type"):
            # The page tells `slides` what its author wants of the cell.
            cell.metadata["tags"] = [*cell.metadata.get("tags", []), f"slide-{kind}"]
        page = left["cells"].get(str(cell.execution_count), {"prints": {}, "waits": None})
        figure = cell.metadata.get("mystnb", {}).get("figure")
        if figure and figure.name in left["page"]["figures"]:
            cell.metadata["tags"] = [*cell.metadata.get("tags", []), "follows"]
        if page["waits"] is not None and (figure or len(records.visible(cell)) > len(records.printed(cell))):
            cell.metadata["tags"] = [*cell.metadata.get("tags", []), f"w{page['waits']}"]
        prints = [output for output in cell.outputs if "text/markdown" in output.get("data", {})]
        for place, output in enumerate(prints):
            text = page["prints"].get(str(place), output.data["text/markdown"])
            # Texts that a choice of words holds may name numbers, too.
            while (once := _GLUE.sub(glued, text)) != text:
                text = once
            output.data["text/markdown"] = text
    for cell in notebook.cells:
        if cell.get("id") == "parameters-used" and left["page"]["inputs"]:
            rows = (_followed(row, left["used"]) for row in cell.source.split("\n"))
            cell.source = "\n".join(rows)
    if left["page"]["inputs"]:
        notebook.cells.append(nbformat.v4.new_markdown_cell(_PANEL.format(name), id="living"))
    return notebook
