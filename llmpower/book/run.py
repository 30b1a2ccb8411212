"""Executes one chapter with papermill and collects the numbers it showed."""

import hashlib
import json
import os
import pathlib
import platform
import shutil
import sys
import tempfile

import nbformat

from llmpower.book.parameters import ChapterError, parameters, read_notebook, used_table
from llmpower.facts import tables

PACKAGE = pathlib.Path(__file__).parent.parent
_STORED = ("executed.ipynb", "results.json")
_GLUE = "application/papermill.record/"
# Asked of the kernel when a chapter is through, to know when it must run again.
_TRACE = """import json, sys
from llmpower.facts import tables
print(json.dumps({
    "modules": sorted(name for name in sys.modules if name.partition(".")[0] == "llmpower"),
    "tables": sorted(tables.tables_read),
}))"""


def digest(path):
    """Hash of a file, or of nothing if it is not there."""
    path = pathlib.Path(path)
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def source_digests(path):
    """Hashes of what an author writes in a notebook, not of its outputs: the code, and the text around it."""
    cells = read_notebook(path).cells
    written = [(cell.get("id"), cell.source, cell.metadata) for cell in cells]
    code = [one for one, cell in zip(written, cells) if cell.cell_type == "code"]
    text = [cell.cell_type == "code" or one for one, cell in zip(written, cells)]
    return [hashlib.sha256(json.dumps(part, sort_keys=True).encode()).hexdigest() for part in (code, text)]


def shown(notebook):
    """Numbers a chapter showed: name -> value, unit, range and printed text.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
        An executed chapter.

    Returns
    -------
    shown : dict
        In the order of the chapter.
    """
    return {
        output.metadata.scrapbook.name: dict(output.metadata.scrapbook.llmpower)
        for output in glued(notebook)
        if "llmpower" in output.metadata.scrapbook
    }


def glued(notebook):
    """Hidden outputs of a notebook, which carry its numbers and the texts of its figures."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if "scrapbook" in output.get("metadata", {}):
                yield output


def _dress(notebook, path, values):
    """Give the executed chapter what a page needs: alternative texts and the parameters used."""
    alts = {out.metadata.scrapbook.alt: out for out in glued(notebook) if "alt" in out.metadata.scrapbook}
    for cell in notebook.cells:
        figure = cell.metadata.get("mystnb", {}).get("figure", {}).get("name")
        if figure in alts:
            text = alts[figure].data[_GLUE + "text/plain"][1:-1]
            cell.metadata.mystnb["image"] = {**cell.metadata.mystnb.get("image", {}), "alt": text}
        if "injected-parameters" in cell.metadata.get("tags", []):
            # The reader's values hide with the defaults; the table below shows both.
            cell.metadata.tags.append("remove-cell")
    text = f"## Parameters used\n\n{used_table(path, values)}"
    notebook.cells.append(nbformat.v4.new_markdown_cell(text, id="parameters-used"))


def execute(path, values, folder):
    """Execute a chapter and store it with its numbers; what is stored is whole or not there.

    Parameters
    ----------
    path : pathlib.Path
        The notebook; it is not changed.
    values : dict
        Checked parameters that differ from the defaults.
    folder : pathlib.Path
        Where ``executed.ipynb``, ``results.json``, ``run-time.json`` and ``inputs.json`` go.

    Raises
    ------
    ChapterError
        If a cell fails; nothing is stored then.
    """
    # These take a second to load; asking for help should not wait for them.
    import papermill

    path, folder = pathlib.Path(path), pathlib.Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".running-") as name:
        work = pathlib.Path(name)
        notebook = read_notebook(path)
        notebook.cells.append(nbformat.v4.new_code_cell(_TRACE, id="trace"))
        nbformat.write(notebook, work / path.name)
        # The kernel must load the package that belongs to this book, wherever it runs.
        os.environ["PYTHONPATH"] = str(PACKAGE.parent)
        os.environ["PYTHONHASHSEED"] = "0"
        try:
            papermill.execute_notebook(
                work / path.name,
                work / "out.ipynb",
                parameters=values,
                kernel_name="python3",
                cwd=work,
                progress_bar=False,
                log_output=False,
                start_timeout=300,
                # Saving the whole notebook after each cell takes longer than most cells.
                request_save_on_cell_execute=False,
            )
        except papermill.PapermillExecutionError as error:
            # Counted in the author's notebook, without the cell that papermill adds for changed parameters.
            cell = f"cell {error.cell_index + 1 - bool(values)}"
            first = error.source.strip().splitlines()[0] if error.source.strip() else ""
            raise ChapterError(f"{path.stem} failed in {cell} (`{first}`): {error.ename}: {error.evalue}") from None
        executed = nbformat.read(work / "out.ipynb", as_version=4)
        trace = json.loads(executed.cells.pop().outputs[0].text)
        run_s = executed.metadata.papermill.duration
        executed = clean(executed)
        for cell in executed.cells:
            if any(output.get("name") == "stderr" for output in cell.get("outputs", [])):
                raise ChapterError(f"{path.stem} printed a warning: {cell.outputs[0].text.strip()}")
        numbers = shown(executed)
        _dress(executed, path, values)
        nbformat.write(executed, work / "executed.ipynb")
        _write(work / "results.json", {"chapter": path.stem, "parameters": used(path, values), "numbers": numbers})
        _write(work / "run-time.json", {"run_s": run_s})
        # The results count as inputs, too: a file cut short later is not handed out.
        stored = {f"stored:{name}": digest(work / name) for name in _STORED}
        _write(work / "inputs.json", {**inputs(path, trace), **stored})
        for extra in (path.name, "out.ipynb"):
            (work / extra).unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(work, folder)


def _write(path, content):
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def used(path, values):
    """All parameters of a chapter with the values it runs with."""
    return {one.name: values.get(one.name, one.default) for one in parameters(path).values()}


def clean(notebook):
    """Drop what differs from run to run: times, paths, counters of the machine."""
    notebook.metadata.pop("papermill", None)
    notebook.metadata.get("language_info", {}).pop("version", None)
    for number, cell in enumerate(notebook.cells, start=1):
        for key in ("papermill", "execution", "ExecuteTime"):
            cell.metadata.pop(key, None)
        if "injected-parameters" in cell.metadata.get("tags", []):
            cell["id"] = "injected-parameters"
    return notebook


def inputs(path, trace):
    """What the result of a chapter depends on: hash by name."""
    code, text = source_digests(path)
    found = {"code": code, "text": text, "python": platform.python_version(), "packages": lock_digest(path)}
    # These two dress the page, outside the kernel.
    trace["modules"] = sorted({*trace["modules"], "llmpower.book.run", "llmpower.book.parameters"})
    for module in trace["modules"]:
        found[f"module:{module}"] = digest(_module_file(module))
    for table in trace["tables"]:
        found[f"table:{table}"] = digest(_data() / table)
    return found


def _module_file(module):
    base = PACKAGE.parent.joinpath(*module.split("."))
    return base / "__init__.py" if base.is_dir() else base.with_suffix(".py")


def _data():

    return tables.DATA


def lock_digest(path):
    """Hash of the lock file of the book a chapter belongs to: the nearest one above it."""
    return next(
        (
            digest(place / "requirements.lock")
            for place in pathlib.Path(path).resolve().parents
            if (place / "requirements.lock").is_file()
        ),
        "",
    )


def fresh(path, folder):
    """Whether a stored run is what running the chapter again would give.

    A kernel does not see text: where nothing else changed, the stored run takes it over, and is fresh.
    """
    folder = pathlib.Path(folder)
    try:
        stored = json.loads((folder / "inputs.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    whole = {f"stored:{name}": digest(folder / name) for name in _STORED}
    trace = {
        kind: [name.partition(":")[2] for name in stored if name.startswith(prefix)]
        for kind, prefix in (("modules", "module:"), ("tables", "table:"))
    }
    now = {**inputs(path, trace), **whole}
    if stored != now and {**stored, "text": now["text"]} == now:
        _take_text(path, folder)
        _write(folder / "inputs.json", {**now, "stored:executed.ipynb": digest(folder / "executed.ipynb")})
        return True
    return stored == now


def _take_text(path, folder):
    """Put the text of a notebook around the executed code of a stored run."""
    executed = nbformat.read(folder / "executed.ipynb", as_version=4)
    *former, parameters_used = executed.cells
    injected = [cell for cell in former if "injected-parameters" in cell.metadata.get("tags", [])]
    code = iter([cell for cell in former if cell.cell_type == "code" and cell not in injected])
    executed.cells = []
    for cell in read_notebook(path).cells:
        if cell.cell_type == "code":
            cell = next(code)
        # papermill gives every cell a list of tags.
        cell.metadata.setdefault("tags", [])
        executed.cells += [cell, *(injected if "parameters" in cell.metadata.tags else [])]
    executed.cells.append(parameters_used)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".running-") as work:
        nbformat.write(executed, pathlib.Path(work) / "executed.ipynb")
        os.replace(pathlib.Path(work) / "executed.ipynb", folder / "executed.ipynb")


if __name__ == "__main__":
    job = json.loads(sys.argv[1])
    try:
        execute(job["path"], job["values"], job["folder"])
    except ChapterError as error:
        # On standard output: the kernel's own log goes to the other one.
        print(error)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
