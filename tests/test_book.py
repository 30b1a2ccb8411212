"""Executing and publishing: what runs again, what is refused, what a failure leaves behind."""

import json
import os
import signal
import subprocess
import sys
import time

import nbformat
import psutil
import pytest

CHAPTER = "chapters/decode-breakdown.ipynb"


def numbers(copy, out):
    return json.loads((copy.folder / out / "results.json").read_text(encoding="utf-8"))


def run(copy, out, *pairs):
    """Run the chapter with name=value pairs; fails the test if the command does."""
    options = [part for pair in pairs for part in ("-p", pair)]
    done = copy.llmpower("run", "decode-breakdown", *options, "--out", out)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def test_build_then_nothing_to_do(copy):
    first = copy.llmpower("build")
    assert first.returncode == 0, first.stderr
    assert "published after" in first.stdout
    page = copy.page()
    second = copy.llmpower("build")
    assert "up to date" in second.stdout and "publishing with" not in second.stdout
    assert copy.page() == page


def test_a_run_with_own_numbers_by_hand(copy):
    run(
        copy,
        "four",
        "model=llama-3.1-70b",
        "accelerator=h200-sxm",
        "n_accelerators=4",
        "batch=64",
        "context_tokens=4096",
    )
    found = numbers(copy, "four")
    assert found["parameters"]["accelerator"] == "h200-sxm" and found["parameters"]["weight_format"] == "bf16"
    shown = found["numbers"]
    # 64 x 327,680 B x 4,096 = 85.90 GB of cache; 139.01 GB of weights; 4 x 4.8 TB/s: 64 tokens in 11.71 ms.
    assert shown["moved_cache"]["value"] == 64 * 327_680 * 4_096
    assert shown["speed"]["value"] == pytest.approx(64 / ((139_006_066_688 + 85_899_345_920) / 19.2e12))
    # (139.01 + 85.90) GB x 93.44 pJ/B + 64 x 149.74 GFLOP x 0.52 pJ = 21.015 J + 4.983 J, over 64 tokens.
    assert shown["token"]["value"] == pytest.approx((21.0151 + 4.9835) / 64, rel=1e-3)
    assert shown["token"]["low"] < shown["token"]["value"] < shown["token"]["high"]
    assert shown["token"]["unit"] == "J"
    page = copy.page(out="four")
    assert "They fit, with " in page and "They do not fit" not in page
    assert shown["token"]["text"].replace("\N{NO-BREAK SPACE}", " ") in page
    # The table of parameters shows the reader's value and the default.
    assert "<strong>h200-sxm</strong>" in page and "h100-sxm" in page
    notebook = nbformat.read(copy.folder / "four" / "decode-breakdown.ipynb", as_version=4)
    assert notebook.cells[-1].source.startswith("## Parameters used")


def test_the_prose_takes_the_branch_that_is_true(copy):
    run(
        copy,
        "mixture",
        "model=mixtral-8x7b",
        "accelerator=rtx-4060-laptop",
        "batch=512",
        "context_tokens=0",
        "constants=low",
    )
    page = copy.page(out="mixture")
    assert "Arithmetic dominates whichever sources one trusts." in page or "depends on the sources one trusts" in page
    assert "Movement dominates whichever sources one trusts." not in page
    assert "Mind the memory" in page and "GDDR6" in page
    assert "of the routed experts" in page.lower()
    assert "They do not fit" in page
    # Nobody published how fast two of these talk, so no number of them has an expected speed or a measured share.
    for text in (
        "No speed can be expected here",
        "No share of measured power can be given",
        "no bandwidth between accelerators of rtx-4060-laptop",
    ):
        assert text in page
    assert "is not identified" not in page
    default = copy.page()
    assert (
        "How much always flows is not identified." in default
        and "A real speed belongs to a machine that holds the case." in default
    )
    assert "No share of measured power can be given" not in default
    assert "Movement dominates whichever sources one trusts." in default
    assert "Mind the memory" not in default
    assert "They do not fit" in default
    assert "there is none: reading a sequence" in default


def test_a_fact_changed_moves_the_page_and_only_what_depends_on_it_runs(copy):
    before = copy.page()
    copy.replace("data/accelerators.csv", "h100-sxm,tdp_w,700,", "h100-sxm,tdp_w,640,")
    done = copy.llmpower("build")
    assert "nothing to do" not in done.stdout.partition("publishing")[0]
    assert done.returncode == 0, done.stderr
    assert "640 W" in copy.page() and "640 W" not in before


def test_a_formula_changed_moves_the_page(copy):
    copy.replace(
        "llmpower/formulas/decode.py", "return n_bytes * energy_j_per_byte", "return 3 * n_bytes * energy_j_per_byte"
    )
    assert copy.llmpower("build").returncode == 0
    assert "67.2 J" in copy.page()  # three times 22.4 J


def test_a_parameter_changed_moves_the_page(copy):
    copy.replace(CHAPTER, "context_tokens: int = 32768", "context_tokens: int = 1024")
    assert copy.llmpower("build").returncode == 0
    assert "With <strong>1,024" in copy.page() or "1,024 tokens of context" in copy.page()


def test_the_lock_file_changed_runs_everything_again(copy):
    assert copy.llmpower("build").returncode == 0
    copy.replace("requirements.lock", "papermill==", "# another edition\npapermill==")
    done = copy.llmpower("build")
    assert "nothing to do" not in done.stdout.partition("publishing")[0] and "publishing with" in done.stdout


def test_text_changed_publishes_without_executing_other_parts(copy):
    assert copy.llmpower("build").returncode == 0
    copy.replace("glossary.md", "One pass through the network", "A single pass through the network")
    done = copy.llmpower("build")
    assert "executing: nothing to do" in done.stdout and "publishing with" in done.stdout
    assert "A single pass through the network" in copy.page("glossary")


def test_what_was_read_before_leaves_no_stale_page(copy):
    """Another title, which stands in the side bar of all pages, and another text: the site is as if from nothing."""
    assert copy.llmpower("build").returncode == 0
    kept = copy.folder / "_build" / ".published"
    assert kept.is_dir()
    read = {path: path.stat().st_mtime for path in kept.rglob("*.doctree")}
    notebook = nbformat.read(copy.folder / CHAPTER, as_version=4)
    notebook.cells[0].source = notebook.cells[0].source.replace("# Decode:", "# Decoding:")
    copy.write(CHAPTER, nbformat.writes(notebook))
    copy.replace("glossary.md", "Dennard scaling\n  The rule", "Dennard scaling\n  The famous rule")
    assert copy.llmpower("build").returncode == 0
    again = [path.stem for path in read if path.stat().st_mtime != read[path]]
    assert {"decode-breakdown", "glossary"} <= set(again) and len(again) < len(read) / 2
    assert copy.llmpower("build", "--out", "nothing-kept").returncode == 0
    first, second = (
        {
            path.relative_to(copy.folder / out): path.read_bytes()
            for path in (copy.folder / out).rglob("*")
            if path.is_file()
        }
        for out in ("_build/html", "nothing-kept/html")
    )
    assert first == second
    assert "Decoding:" in copy.page("glossary")


def test_two_builds_at_once_do_not_share_a_folder(copy):
    assert copy.llmpower("build").returncode == 0
    taken = copy.folder / "_build" / ".publishing"
    (copy.folder / "_build" / ".published").rename(taken)
    before = sorted(taken.rglob("*"))
    copy.replace("glossary.md", "One pass through the network", "Another pass through the network")
    done = copy.llmpower("build")
    assert done.returncode == 0 and "Another pass through the network" in copy.page("glossary")
    assert sorted(taken.rglob("*")) == before
    os.utime(taken, (0, 0))
    copy.replace("glossary.md", "Another pass", "One more pass")
    assert copy.llmpower("build").returncode == 0 and not taken.exists()


def test_the_command_line_and_code_outside_the_chapter_do_not_run_it_again(copy):
    assert copy.llmpower("build").returncode == 0
    copy.replace("llmpower/cli.py", "A thin door", "A very thin door")
    assert "executing: nothing to do" in copy.llmpower("build").stdout


def test_wrong_arguments_are_all_named_and_nothing_is_written(copy):
    done = copy.llmpower("run", "decode-breakdown", "-p", "btach=1", "-p", "batch=0", "--out", "wrong")
    assert done.returncode == 2 and done.stdout == ""
    assert "2 problems, nothing was written" in done.stderr
    assert "did you mean batch?" in done.stderr and "allowed is a whole number from 1 to 1,000,000" in done.stderr
    assert not (copy.folder / "wrong").exists()


def test_a_folder_of_somebody_else_is_not_replaced(copy):
    precious = copy.folder / "mine" / "html" / "thesis.html"
    precious.parent.mkdir(parents=True)
    precious.write_text("years of work")
    for command in (["run", "decode-breakdown"], ["build"]):
        done = copy.llmpower(*command, "--out", "mine")
        assert done.returncode == 2 and "was not made by llmpower" in done.stderr
    assert precious.read_text() == "years of work"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "decode-brekdown"], "did you mean decode-breakdown?"),
        (["run", "decode-breakdown", "-f", "nowhere.yml"], "nowhere.yml: cannot be read"),
        (["run", "decode-breakdown", "-p", "batch"], "expected name=value"),
        (["run", "decode-breakdown", "-p", "batch=1", "-p", "batch=2"], "given twice"),
        (["build", "--jobs", "0"], "expected a whole number from 1"),
        (["chapters", "--book", "data"], "say where it is with --book DIR"),
        (["serve", "--port", "70000"], "expected a port"),
        (["bulid"], "invalid choice"),
        ([], "required"),
    ],
)
def test_wrong_commands(copy, arguments, message):
    done = copy.llmpower(*arguments)
    assert done.returncode == 2
    assert message in done.stderr and "Traceback" not in done.stderr


def test_outside_a_checkout_commands_ask_for_the_book(copy, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "llmpower", "chapters"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2 and "--book DIR" in done.stderr


def test_chapters_are_listed_with_their_parameters(copy):
    done = copy.llmpower("chapters")
    assert done.returncode == 0
    assert "decode-breakdown" in done.stdout and "batch = 1" in done.stdout and "1 to 1,000,000" in done.stdout


def test_help_is_worth_reading(copy):
    for arguments in (["--help"], ["run", "--help"], ["build", "--help"]):
        done = copy.llmpower(*arguments)
        assert done.returncode == 0 and len(done.stdout.splitlines()) > 8
    assert "example: llmpower run decode-breakdown" in copy.llmpower("--help").stdout


def test_a_scenario_file_publishes_a_book_of_its_own(copy):
    (copy.folder / "ours.yml").write_text(
        "title: Watts at our place\nparameters:\n  accelerator: H200\n  n_accelerators: 8\n"
        "chapters:\n  decode-breakdown:\n    batch: 64\n"
    )
    done = copy.llmpower("build", "-f", "ours.yml", "--out", "ours")
    assert done.returncode == 0, done.stderr
    page = copy.page(out="ours")
    assert "Watts at our place" in page and "They fit, with " in page
    assert "a reader&#39;s own parameters" in page or "a reader's own parameters" in page
    assert "Watts at our place" not in copy.page()


def test_a_chapter_that_fails_names_cell_and_error_and_leaves_nothing(copy):
    notebook = nbformat.read(copy.folder / CHAPTER, as_version=4)
    place = next(number for number, cell in enumerate(notebook.cells) if "figures.parts" in cell.source)
    notebook.cells[place].source = "1 / (batch - batch)"
    copy.write(CHAPTER, nbformat.writes(notebook))
    done = copy.llmpower("run", "decode-breakdown", "-p", "batch=3", "--out", "failed")
    assert done.returncode == 1
    assert f"failed in cell {place + 1} (`1 / (batch - batch)`): ZeroDivisionError: division by zero" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(copy.folder.glob("failed/**/*.html"))
    assert not list((copy.folder / "_build").rglob(".running-*"))


def test_a_chapter_that_warns_is_not_published(copy):
    copy.replace(
        CHAPTER,
        "import matplotlib.pyplot as plt\\n",
        'import warnings; warnings.warn(\\"look out\\")\\nimport matplotlib.pyplot as plt\\n',
    )
    done = copy.llmpower("build")
    assert done.returncode == 1 and "look out" in done.stderr


def test_a_broken_reference_stops_the_build_and_keeps_the_former_site(copy):
    assert copy.llmpower("build").returncode == 0
    before = copy.page("glossary")
    copy.replace("glossary.md", "# Glossary", "# Glossary\n\nSee {ref}`nowhere-at-all`.")
    done = copy.llmpower("build")
    assert done.returncode == 1 and "nowhere-at-all" in done.stderr and "glossary.md" in done.stderr
    assert copy.page("glossary") == before


def test_stopping_leaves_no_half_page_and_no_kernel(copy):
    process = psutil.Popen(
        [sys.executable, "-m", "llmpower", "run", "decode-breakdown", "-p", "batch=7", "--out", "stopped"],
        cwd=copy.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A test run in the background has it ignored, and its children would inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        env={**os.environ, "PYTHONPATH": str(copy.folder)},
    )
    # A kernel has a session of its own: it is found as a child, and does not hear of the signal by itself.
    started = []
    while not any("ipykernel_launcher" in (one.as_dict(["cmdline"])["cmdline"] or ()) for one in started):
        assert process.poll() is None, process.communicate()
        time.sleep(0.1)
        started = [one for one in process.children(recursive=True) if one.is_running()]
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "stopped; nothing half done was published" in errors and "Traceback" not in errors
    assert not (copy.folder / "stopped" / "html").exists()
    _, left = psutil.wait_procs(started, timeout=60)
    assert not left, "a kernel is still running"


def test_nbval_sees_a_changed_constant_and_renew_names_what_moved(copy):
    def nbval():
        return subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--nbval", "-q", CHAPTER],
            cwd=copy.folder,
            env={**os.environ, "PYTHONPATH": str(copy.folder)},
            capture_output=True,
            text=True,
            check=False,
        )

    assert nbval().returncode == 0
    copy.replace(
        "data/energy_constants.csv", "gh200-hbm,energy_j_per_byte,11.68,", "gh200-hbm,energy_j_per_byte,12.68,"
    )
    broken = nbval()
    assert broken.returncode == 1 and "failed" in broken.stdout
    copy.write(CHAPTER, (copy.folder / CHAPTER).read_text(encoding="utf-8"))
    done = copy.llmpower("renew")
    assert done.returncode == 0
    # 139.01 GB x 8 x 12.68 pJ = 14.1 J, where it was 13.0 J.
    assert "weights: 13.0 J (4.36 to 20.0 J) -> 14.1 J (4.36 to 20.0 J)" in done.stdout
    assert nbval().returncode == 0


def test_a_slip_anywhere_in_a_scenario_file_is_told(copy):
    (copy.folder / "typo.yml").write_text("parameters:\n  bacth: 64\nchapters:\n  decode-brekdown:\n    batch: 7\n")
    for command in (["run", "decode-breakdown"], ["build"]):
        done = copy.llmpower(*command, "-f", "typo.yml", "--out", "typo")
        assert done.returncode == 2 and "bacth" in done.stderr and "decode-brekdown" in done.stderr
    assert not (copy.folder / "typo").exists()


def test_the_books_own_files_are_not_replaced_by_a_result(copy):
    before = (copy.folder / "index.ipynb").read_bytes()
    for arguments in (["run", "index", "--out", "."], ["run", "decode-breakdown", "--out", "chapters"]):
        done = copy.llmpower(*arguments)
        assert done.returncode == 2 and "was not made by llmpower" in done.stderr
    assert (copy.folder / "index.ipynb").read_bytes() == before


def test_a_result_cut_short_in_the_cache_is_made_again(copy):
    assert copy.llmpower("build").returncode == 0
    for stored in copy.folder.glob("_build/runs/index/*/results.json"):
        stored.write_text(stored.read_text()[:200])
    assert "index done" in copy.llmpower("build").stdout


def test_a_page_missing_from_the_site_is_published_again(copy):
    assert copy.llmpower("build").returncode == 0
    (copy.folder / "_build" / "html" / "glossary.html").unlink()
    assert "publishing with" in copy.llmpower("build").stdout
    assert (copy.folder / "_build" / "html" / "glossary.html").is_file()


def test_what_cannot_be_written_or_read_is_one_line(copy):
    (copy.folder / "taken").write_text("a file")
    for arguments, code in (
        (["build", "--out", "taken/sub"], 2),
        (["build", "--out", ""], 2),
        (["build", "-f", ""], 2),
    ):
        done = copy.llmpower(*arguments)
        assert done.returncode == code and "Traceback" not in done.stderr, done.stderr
    for name, content, message in (
        ("_config.yml", "a: [", "_config.yml, line 1"),
        ("index.ipynb", "{", "index.ipynb: not a notebook"),
        ("data/models.csv", "", "data/models.csv: expected a line of columns"),
    ):
        copy.write(name, content)
        done = copy.llmpower("build")
        assert done.returncode == 1 and message in done.stderr and "Traceback" not in done.stderr, done.stderr
        copy.restore()
    copy.write("data/models.csv", "")
    assert copy.llmpower("check").returncode == 1
