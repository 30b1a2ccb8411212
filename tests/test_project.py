"""Files that must stay in step, and the two commands."""

import pathlib
import re
import subprocess
import sys
import tomllib

import yaml

from tests.conftest import BOOK

PROJECT = tomllib.loads((BOOK / "pyproject.toml").read_text(encoding="utf-8"))["project"]
REQUIREMENTS = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["test"]]
LOCK = (BOOK / "requirements.lock").read_text(encoding="utf-8")


def name_of(requirement):
    return re.match(r"[A-Za-z0-9._-]+", requirement).group().lower().replace("_", "-")


def test_conda_environment_is_in_step():
    environment = yaml.safe_load((BOOK / "environment.yml").read_text(encoding="utf-8"))
    python, _, pip = environment["dependencies"]
    assert python == f"python{PROJECT['requires-python']}"
    assert sorted(pip["pip"]) == sorted(REQUIREMENTS)


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


def test_every_dependency_has_a_reason():
    reasons = (BOOK / "CONTRIBUTING.md").read_text(encoding="utf-8")
    table = reasons.partition("## Dependencies")[2]
    for requirement in REQUIREMENTS:
        assert name_of(requirement) in table.lower(), requirement


def test_readme_starts_with_the_two_commands():
    first_screen = (BOOK / "README.md").read_text(encoding="utf-8").splitlines()[:40]
    text = "\n".join(first_screen)
    assert "make book" in text and "make test" in text and "conda env create" in text and "Windows" in text


def test_versions_agree():
    import llmpower

    assert PROJECT["version"] == llmpower.__version__
    citation = yaml.safe_load((BOOK / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == llmpower.__version__


def test_the_project_is_clean_by_its_own_check():
    done = subprocess.run(
        [sys.executable, "-m", "llmpower", "check"], cwd=BOOK, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_committed_chapters_hold_outputs_but_no_pictures_or_run_times():
    import nbformat

    for path in (BOOK / "chapters").glob("*.ipynb"):
        notebook = nbformat.read(path, as_version=4)
        assert "papermill" not in notebook.metadata
        for cell in notebook.cells:
            assert "execution" not in cell.metadata and "papermill" not in cell.metadata
            for output in cell.get("outputs", []):
                assert not [kind for kind in output.get("data", {}) if kind.startswith("image/")]


def test_imports_point_one_way():
    """Formulas know elementwise and the table of quantities; the catalog no formula; book/ and cli its software."""
    package = pathlib.Path(BOOK / "llmpower")
    for path in package.rglob("*.py"):
        room = path.relative_to(package).parts[0]
        imports = re.findall(r"^\s*(?:from|import) ([\w.]+)", path.read_text(encoding="utf-8"), re.MULTILINE)
        ours = {name for name in imports if name.startswith("llmpower")}
        if room == "formulas":
            assert ours <= {"llmpower.formulas.elementwise", "llmpower.facts.quantities"}, path
        if room == "facts":
            assert not [name for name in ours if "formulas" in name], path
        if room not in ("book", "cli.py"):
            software = {"papermill", "nbformat", "jupyter_book", "myst_nb", "sphinx", "IPython"}
            assert not software & {name.partition(".")[0] for name in imports}, path


def test_every_table_of_facts_has_a_title_in_the_appendix():
    from llmpower.book import appendices
    from llmpower.facts import catalog

    assert set(appendices._TABLES) == set(catalog.tidy_tables())
    page = appendices.sources()
    unseen = page.partition("## What nobody has seen")[2].partition("## Accelerators")[0]
    assert "unverified" in unseen
    assert "llama-3.1-70b" in page and "gh200-hbm" in page


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
