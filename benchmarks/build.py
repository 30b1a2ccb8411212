"""How long building takes, against plain sequential Jupyter Book executing and publishing the same chapters.

Run ``.venv/bin/python benchmarks/build.py`` on a quiet machine; ``--write`` puts the table into ``README.md``.
Each round makes a cold build, a build with nothing changed, one after a paragraph of a chapter changed, and a plain
one, in fresh copies of the book; the rounds follow each other, so that a slow minute hits all four.
"""

import argparse
import datetime
import os
import pathlib
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import nbformat
import yaml

BOOK = pathlib.Path(__file__).parent.parent
_NOT_SOURCES = shutil.ignore_patterns(
    "_build", ".venv", ".git", "__pycache__", ".pytest_cache", ".hypothesis", "*.egg-info"
)
_HEADING = "## Building the book"


def timed(book, *command):
    """Wall-clock and processor seconds of a command, which must succeed."""
    environment = {**os.environ, "PYTHONPATH": str(book)}
    begun, before = time.monotonic(), os.times()
    done = subprocess.run(
        [sys.executable, *command], cwd=book, env=environment, capture_output=True, text=True, check=False
    )
    taken, after = time.monotonic() - begun, os.times()
    if done.returncode:
        sys.exit(f"{' '.join(command)}: {done.stdout}{done.stderr}")
    return taken, sum(after[2:4]) - sum(before[2:4])


def plain_copy(book, folder):
    """The same pages for Jupyter Book alone: it executes the notebooks, one after the other."""
    # The pages as our build staged them; the chapters without outputs and the extension that saves time.
    shutil.copytree(book / "_build" / ".published" / "book", folder)
    for path in folder.rglob("*.ipynb"):
        shutil.copyfile(book / path.relative_to(folder), path)
    config = yaml.safe_load((folder / "_config.yml").read_text(encoding="utf-8"))
    config["sphinx"]["config"]["extensions"].remove("llmpower.book.speed")
    config["execute"] = {"execute_notebooks": "force", "timeout": 300}
    (folder / "_config.yml").write_text(yaml.safe_dump(config), encoding="utf-8")


def change_a_paragraph(book, number):
    """Another sentence in the first text of a chapter."""
    path = book / "chapters" / "decode-breakdown.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[0].source += f"\n\nSentence {number} of the benchmark."
    nbformat.write(notebook, path)


def one_round(number, folder):
    """Wall-clock and processor seconds of the four builds."""
    book, plain = folder / "book", folder / "plain"
    shutil.copytree(BOOK, book, ignore=_NOT_SOURCES)
    cold = timed(book, "-m", "llmpower", "build")
    plain_copy(book, plain)
    nothing = timed(book, "-m", "llmpower", "build")
    change_a_paragraph(book, number)
    text = timed(book, "-m", "llmpower", "build")
    assert f"Sentence {number} of the benchmark" in (book / "_build/html/chapters/decode-breakdown.html").read_text(
        encoding="utf-8"
    )
    alone = timed(book, "-c", "from jupyter_book.cli.main import main; main()", "build", str(plain), "-q")
    for page in (plain / "_build/html/chapters").glob("*.html"):
        # Numbers stay names on these pages: Jupyter Book alone does not know our records of them.
        assert "Traceback" not in page.read_text(encoding="utf-8"), page
    return {"plain": alone, "cold": cold, "text": text, "nothing": nothing}


def table(rounds, loads):
    """The dated table: medians, spread, and ratios within each round."""
    rows = [
        "| build | median [s] | least to most [s] | processor [s] | over plain, median (least to most) | goal |",
        "|:--|--:|--:|--:|--:|--:|",
    ]
    names = {
        "plain": ("Jupyter Book alone, sequential", ""),
        "cold": ("`llmpower build`, nothing there yet", "0.45"),
        "text": ("`llmpower build`, a paragraph of a chapter changed", "0.15"),
        "nothing": ("`llmpower build`, nothing changed", "1.5 s"),
    }
    for key, (name, goal) in names.items():
        times, ratios = [one[key][0] for one in rounds], [one[key][0] / one["plain"][0] for one in rounds]
        processor = statistics.median(one[key][1] for one in rounds)
        ratio = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        spread = f"{min(times):.1f} to {max(times):.1f}"
        rows.append(f"| {name} | {statistics.median(times):.1f} | {spread} | {processor:.1f} | {ratio} | {goal} |")
    when = (
        f"{datetime.date.today()}, Python {platform.python_version()}, {os.cpu_count()} cores, {len(rounds)} rounds; "
        f"load before each round {', '.join(f'{load:.1f}' for load in loads)}.\n"
        "Ratios are within a round; on a busy machine they come out too high, since two cores are not there to be used."
    )
    return "\n".join([*rows, "", when])


def write(text, heading=_HEADING, command="benchmarks/build.py --write"):
    """Replace what stands under a heading of the README."""
    path = pathlib.Path(__file__).parent / "README.md"
    former = path.read_text(encoding="utf-8") if path.is_file() else "# Benchmarks\n"
    former = re.sub(rf"\n{heading}\n.*?(?=\n## |\Z)", "", former, flags=re.DOTALL)
    path.write_text(f"{former.rstrip()}\n\n{heading}\n\n`{command}` made this table.\n\n{text}\n", encoding="utf-8")


def main():
    """Run the rounds and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="default 3")
    parser.add_argument("--write", action="store_true", help="put the table into benchmarks/README.md")
    arguments = parser.parse_args()
    rounds, loads = [], []
    for number in range(arguments.rounds):
        loads.append(os.getloadavg()[0])
        with tempfile.TemporaryDirectory() as folder:
            rounds.append(one_round(number, pathlib.Path(folder)))
        print(", ".join(f"{name} {wall:.1f} s" for name, (wall, _) in rounds[-1].items()), flush=True)
    text = table(rounds, loads)
    print(text)
    if arguments.write:
        write(text)


if __name__ == "__main__":
    main()
