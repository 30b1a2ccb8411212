"""Files that must stay in step, and the two commands."""

import ast
import importlib.metadata
import re
import subprocess
import sys
import tomllib

import pytest
import yaml

from llmpower.book import files, records
from llmpower.facts import catalog
from tests.conftest import BOOK

PROJECT = tomllib.loads((BOOK / "pyproject.toml").read_text(encoding="utf-8"))["project"]
REQUIREMENTS = [
    *PROJECT["dependencies"],
    *(one for extra in PROJECT["optional-dependencies"].values() for one in extra),
]
LOCK = (BOOK / "requirements.lock").read_text(encoding="utf-8")


def name_of(requirement):
    return re.match(r"[A-Za-z0-9._-]+", requirement).group().lower().replace("_", "-")


def run(*command):
    """Run a program of this Python on the project; what it told if it found something."""
    done = subprocess.run([sys.executable, *command], cwd=BOOK, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr if done.returncode else ""


def test_lock_file_pins_every_dependency_with_hashes_and_no_address():
    pinned = dict(re.findall(r"^([a-z0-9._-]+)==(\S+)", LOCK, re.MULTILINE))
    assert {name_of(requirement) for requirement in REQUIREMENTS} <= set(pinned)
    assert "://" not in LOCK
    entries = re.split(r"^(?=[a-z0-9._-]+==)", LOCK, flags=re.MULTILINE)[1:]
    assert len(entries) > 50 and all("--hash=sha256:" in entry for entry in entries)


def test_lock_file_meets_the_bounds():
    from packaging.requirements import Requirement

    pinned = dict(re.findall(r"^([a-z0-9._-]+)==([^\s;]+)", LOCK, re.MULTILINE))
    for text in REQUIREMENTS:
        requirement = Requirement(text)
        assert requirement.specifier.contains(pinned[name_of(text)]), text


ALONE = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Refuse())
from llmpower.cli import main
sys.exit(main({command}))
"""


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("estimate llama-3.1-8b h100", 0),
        ("plan llama-3.1-8b h100 --queries-per-day 1e5 --batch 4 --json", 0),
        ("models", 0),
        ("accelerators --json", 0),
        ("estimate llama-3.1-8b h100 --sensitivity", 1),
    ],
)
def test_the_calculator_needs_no_more_than_it_says(command, code):
    """`pip install .` without the extra of the book: what that brings is refused here."""
    packages = {name_of(one) for one in PROJECT["optional-dependencies"]["book"]}
    modules = {name for name, found in importlib.metadata.packages_distributions().items() if packages & set(found)}
    assert {"pandas", "scipy", "sympy", "matplotlib", "papermill"} <= modules and "numpy" not in modules
    typed = ALONE.format(names=sorted(modules), command=command.split())
    done = subprocess.run([sys.executable, "-c", typed], cwd=BOOK, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    assert ("`pip install 'llmpower[book]'` brings" in done.stderr) == bool(code)
    assert len(PROJECT["dependencies"]) <= 5


def test_the_front_of_the_repository_is_short():
    """The first screen of the README has the finding; nobody scrolls past thirty files to read it."""
    readme = (BOOK / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(readme) <= 80 and any(line.startswith("![") for line in readme[:8])
    first = "\n".join(readme[:30])
    assert "make book" in first and "make test" in first
    listed = subprocess.run(["git", "ls-files"], cwd=BOOK, capture_output=True, text=True, check=True).stdout
    assert len({path.partition("/")[0] for path in listed.splitlines()}) <= 24


def test_a_path_that_a_page_for_contributors_names_is_there():
    for page in ("README.md", "CONTRIBUTING.md", "data/README.md"):
        text = (BOOK / page).read_text(encoding="utf-8")
        named = re.findall(r"[`(]((?:llmpower|tests|chapters|pages|data|benchmarks|\.github)/[\w./-]*)[`)]", text)
        assert [path for path in named if not (BOOK / path).exists()] == [], page
        assert named, page


def test_forms_for_issues_ask_for_what_a_fact_needs():
    paths = (BOOK / ".github").glob("ISSUE*/*")
    forms = {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in paths}
    assert set(forms) == {"erratum", "fact"}
    asked = {one["id"]: one for one in forms["fact"]["body"] if "id" in one}
    assert set(asked) - {"range"} == {"entity", "quantity", "value", "kind", "source", "where", "verified"}
    # What we choose ourselves is no fact that somebody brings.
    assert set(asked["kind"]["attributes"]["options"]) == set(catalog.KINDS) - {"convention"}
    for form in forms.values():
        assert all("validations" in one for one in form["body"] if one.get("id") in ("page", "says", "source"))


def test_the_commands_tried_on_three_systems_are_right(say):
    """The workflow cannot run here: what it types does, but for the chapter, whose options are looked at."""
    jobs = yaml.safe_load((BOOK / ".github" / "workflows" / "systems.yml").read_text(encoding="utf-8"))["jobs"]
    systems = {name.partition("-")[0] for name in jobs["try"]["strategy"]["matrix"]["system"]}
    assert systems == {"ubuntu", "macos", "windows"}
    commands = [step.get("run", "").partition("python -m llmpower ")[2] for step in jobs["try"]["steps"]]
    estimate, plan, check, run = filter(None, commands)
    for command in (estimate, plan):
        assert say(command)[0] == 0
    assert check == "check"
    code, _, err = say(run.replace("batch=64", "batch=0"))
    assert code == 2 and err.startswith("llmpower: batch: got '0'; allowed is a whole number")


def test_the_citation_names_the_version_of_the_package():
    import llmpower

    citation = yaml.safe_load((BOOK / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == llmpower.__version__


def test_the_project_is_clean_by_its_own_check():
    assert run("-m", "llmpower", "check") == ""


def test_committed_chapters_hold_outputs_but_no_pictures_or_run_times():
    import nbformat

    for path in (BOOK / "chapters").glob("*.ipynb"):
        notebook = nbformat.read(path, as_version=4)
        assert "papermill" not in notebook.metadata
        for cell in notebook.cells:
            assert "execution" not in cell.metadata and "papermill" not in cell.metadata
            for output in cell.get("outputs", []):
                assert not [kind for kind in output.get("data", {}) if kind.startswith("image/")]
                # A cell prints through `report`; the value of its last line would be shown as well.
                assert output.output_type != "execute_result", f"{path.name}, {cell.id}"


def test_committed_notebooks_are_short_enough_to_be_read_as_a_difference():
    """A change detector: one record a cell, a line or two a number."""
    paths = [*(BOOK / "chapters").glob("*.ipynb"), BOOK / "index.ipynb"]
    assert len(paths) == 9
    assert sum(len(path.read_text(encoding="utf-8").splitlines()) for path in paths) <= 28_600
    for path in paths:
        for cell in files.read_notebook(path).cells:
            kinds = [kind for output in cell.get("outputs", []) for kind in output.get("data", {})]
            assert kinds.count(records.NUMBERS) <= 1, f"{path.name}, {cell.id}"


def test_imports_keep_the_contracts():
    """Floors, no circle, and only the book knows the software of books; the contracts stand in pyproject.toml."""
    program = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    assert run("-c", program, "--no-cache") == ""


@pytest.mark.parametrize("command", [["check"], ["format", "--check"]], ids=" ".join)
def test_code_is_clean_and_formatted(command):
    assert run("-m", "ruff", *command, "--no-cache", "--quiet", "llmpower", "tests", "benchmarks") == ""


def private_names(text):
    """Private names of other modules of the package that a module uses."""
    modules, found = set(), []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "llmpower":
            modules |= {one.asname or one.name for one in node.names}
            found += [one.name for one in node.names]
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
            found.append(f"{node.value.id}.{node.attr}")
    return [name for name in found if re.search(r"(^|\.)_[^_]", name)]


def test_private_names_are_found():
    text = "from llmpower.a import b, _c\nfrom elsewhere import _d\ndef f(x):\n    return b._e, x._f, b.g, b.__doc__"
    assert private_names(text) == ["_c", "b._e"]


def test_no_module_reaches_into_the_private_names_of_another():
    paths = (BOOK / "llmpower").rglob("*.py")
    found = {path.relative_to(BOOK).as_posix(): private_names(path.read_text(encoding="utf-8")) for path in paths}
    assert {path: names for path, names in found.items() if names} == {}


@pytest.mark.parametrize(("folder", "other"), [("tests", "benchmarks"), ("benchmarks", "tests")])
def test_tests_and_benchmarks_do_not_import_each_other(folder, other):
    paths = [*(BOOK / folder).rglob("*.py")]
    assert paths
    for path in paths:
        nodes = [*ast.walk(ast.parse(path.read_text(encoding="utf-8")))]
        names = [one.name for node in nodes if isinstance(node, ast.Import) for one in node.names]
        names += [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
        assert other not in {name.partition(".")[0] for name in names}, path


@pytest.mark.parametrize("name", sorted(path.stem for path in (BOOK / "benchmarks").glob("*.py")))
def test_a_benchmark_starts(name):
    assert run("-m", f"benchmarks.{name}", "--help") == ""


def test_github_pages_get_what_the_two_commands_make():
    workflow = yaml.safe_load((BOOK / ".github" / "workflows" / "pages.yml").read_text(encoding="utf-8"))
    build, publish = workflow["jobs"]["book"], workflow["jobs"]["publish"]
    assert [step["run"] for step in build["steps"] if "run" in step] == ["make book", "make test"]
    uploads = [step["with"]["path"] for step in build["steps"] if "upload-pages-artifact" in step.get("uses", "")]
    assert uploads == ["_build/html"]
    # Reading is all that the build may do; only the job that publishes may write, and only pages.
    assert workflow["permissions"] == {"contents": "read"} and "permissions" not in build
    assert publish["permissions"] == {"pages": "write", "id-token": "write"} and publish["needs"] == "book"
    actions = [step["uses"] for job in (build, publish) for step in job["steps"] if "uses" in step]
    assert all(re.fullmatch(r"actions/[a-z-]+@v\d+(\.\d+)*", action) for action in actions), actions
