"""What happens when something goes wrong: ``.venv/bin/python -m benchmarks.faults``, by hand, on Linux.

Random arguments must give an answer or a message that names what is wrong; runs that are killed, whose kernel dies,
whose disk is full, or two at once must leave no half page, and the next run must do what is missing and nothing more.
"""

import argparse
import collections
import contextlib
import io
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import psutil

from llmpower import cli
from llmpower.facts import catalog
from llmpower.facts.quantities import quantities

_BOOK = pathlib.Path(__file__).resolve().parents[1]
_LEFT_BEHIND = shutil.ignore_patterns("_build", ".venv", ".git", "*.egg-info", "__pycache__", ".*_cache")
_JUNK = [
    "",
    "nan",
    "-1",
    "0",
    "1e400",
    "1,000",
    "1;2",
    "None",
    "'",
    "\N{SNOWMAN}",
    "x" * 5000,
    "[1]",
    "1e9",
    "64",
    "0.5",
]
_OPTIONS = (
    "n_accelerators", "batch", "prompt_tokens", "output_tokens", "context_tokens", "cached_prompt_share",
    "draft_tokens", "accepted_tokens", "max_step_tokens", "power_cap_w", "memory_share", "host_bandwidth_bytes_per_s",
    "queries_per_day", "tokens_per_s_per_user", "pue", "measured_tokens_per_s",
)  # fmt: skip


def _value(draw, name):
    one = quantities()[name]
    if draw.random() < 0.1 or one.low is None:
        return draw.choice(_JUNK)
    low, high = max(one.low, 1e-9), min(one.high, 1e7)
    value = low * (high / low) ** draw.random() if high > low else low
    return f"{round(value) if one.type == 'int' else value:.6g}"


def _line(draw):
    """A command of random names, options and values."""
    command = draw.choice(["estimate", "plan"])
    model = draw.choice([*catalog.names("model"), draw.choice(_JUNK)])
    machine = draw.choice(
        [*catalog.names("accelerator"), draw.choice(_JUNK), "h100,tdp_w=350", "b200,memory_bytes=many"]
    )
    options = []
    for name in draw.sample(_OPTIONS, draw.randint(0, 6)):
        options.append(f"--{name.replace('_', '-')}={_value(draw, name)}")
    if draw.random() < 0.3:
        options.append(f"--weight-format={draw.choice([*catalog.names('format'), 'fp8,experts=nvfp4', *_JUNK])}")
    if draw.random() < 0.3:
        options.append(f"--software={draw.choice(['vllm', 'sglang', 'llama.cpp', 'eager', 'bare', 'x'])}")
    return [command, model, machine, *options]


def inputs(number, seed):
    """Random commands: how many were answered, refused with a word that was typed, refused without, or broke."""
    draw, found, broken = random.Random(seed), collections.Counter(), []
    for _ in range(number):
        line, out, err = _line(draw), io.StringIO(), io.StringIO()
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                code = cli.main(line)
        except SystemExit as ended:
            code = ended.code
        except BaseException as error:
            found["broke"] += 1
            broken.append((line, repr(error)))
            continue
        told = err.getvalue()
        told_of = told.replace("-", "_")
        named = any(name in told_of for name in (*quantities(), "required", "unrecognized"))
        found["answered" if code == 0 else "refused, named" if code == 2 and named else f"code {code}, unnamed"] += 1
        if code not in (0, 2) or code == 2 and not named:
            broken.append((line, told[:300]))
    return found, broken


def _run(book, budget_w):
    """A process that runs a chapter with a parameter of its own."""
    options = ["-p", f"power_budget_w={budget_w}", "--out", str(book / "mine"), "--book", str(book)]
    command = [sys.executable, "-m", "llmpower", "run", "tdp-escalator", *options]
    environment = {**os.environ, "PYTHONPATH": str(book)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen(command, cwd=book, env=environment, start_new_session=True, **pipes)


def _half(book):
    """Pages of the site that do not end."""
    pages = (book / "mine" / "html").rglob("*.html")
    return [page for page in pages if not page.read_text(encoding="utf-8").rstrip().endswith("</html>")]


def kills(book, number, seed):
    """Runs killed at random: half pages, later runs that failed or left something to do, folders left over."""
    draw, found = random.Random(seed), collections.Counter()
    found["first run failed"] += _run(book, 1e6).wait() != 0
    begun = time.monotonic()
    found["second run failed"] += _run(book, 2e6).wait() != 0
    takes_s = time.monotonic() - begun
    for one in range(1, number + 1):
        budget_w = 2e6 + 1e3 * one
        process = _run(book, budget_w)
        time.sleep(draw.uniform(0, takes_s))
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        found["half pages"] += len(_half(book))
        if one % 5 == 0:
            after = _run(book, budget_w)
            after.communicate()
            found["next runs that failed"] += after.returncode != 0
            told = _run(book, budget_w).communicate()[0]
            found["runs that left something to do"] += "nothing to do, the site is up to date" not in told
    found["folders left over"] = len([*book.rglob(".staging-*"), *book.rglob(".running-*")])
    return found


def together(book, number):
    """Pairs of runs at once, of the same and of other numbers: those that failed, and half pages."""
    found = collections.Counter()
    for one in range(number):
        pair = [_run(book, 5e6 + one), _run(book, 5e6 + one + 0.5 * (one % 2))]
        for process in pair:
            told = process.communicate()[0]
            if process.returncode:
                print(told, flush=True)
        found["failed"] += sum(process.returncode != 0 for process in pair)
        found["half pages"] += len(_half(book))
    return found


def kernels(book, number, seed):
    """Runs whose kernel is killed at random: those that did not say so, half pages, later runs that failed."""
    draw, found = random.Random(seed), collections.Counter()
    for one in range(number):
        process = _run(book, 7e6 + one)
        running, after_s = None, draw.uniform(0, 0.4)
        while process.poll() is None and not running:
            started = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
            running = next((child for child in started if _is_kernel(child)), None)
            time.sleep(0.02)
        time.sleep(after_s)
        with contextlib.suppress(psutil.NoSuchProcess, AttributeError):
            running.kill()
        told = process.communicate()[0]
        found["died" if process.returncode else "came too late"] += 1
        found["not told"] += process.returncode != 0 and ("tdp-escalator" not in told or "kernel" not in told)
        found["tracebacks"] += "Traceback" in told
        found["half pages"] += len(_half(book))
        after = _run(book, 7e6 + one)
        after.communicate()
        found["next runs that failed"] += after.returncode != 0
    return found


def _is_kernel(process):
    """Whether a process executes a chapter: a fork of one that has loaded what it needs, or a kernel."""
    with contextlib.suppress(psutil.Error):
        line, above = (" ".join(one.cmdline()) for one in (process, process.parent()))
        return "book.warm" in line and "book.warm" in above or "ipykernel_launcher" in line
    return False


def full(book, number, seed):
    """Runs on a disk with little left: those that did not say so, half pages, pages lost, later runs that failed."""
    draw, found, filler = random.Random(seed), collections.Counter(), book / "filler"
    page = book / "mine" / "html" / "chapters" / "tdp-escalator.html"
    found["first run failed"] += _run(book, 9e6).wait() != 0
    for one in range(1, number + 1):
        left = int(10 ** draw.uniform(4, 8.3))
        former = page.read_bytes()
        with open(filler, "wb") as file:
            file.write(bytes(max(0, shutil.disk_usage(book).free - left)))
        process = _run(book, 9e6 + one)
        told = process.communicate()[0]
        found["stopped" if process.returncode else "had room"] += 1
        found["not told"] += process.returncode != 0 and "space" not in told
        found["tracebacks"] += "Traceback" in told
        found["half pages"] += len(_half(book))
        found["former pages lost"] += process.returncode != 0 and page.read_bytes() != former
        filler.unlink()
        after = _run(book, 9e6 + one)
        after.communicate()
        found["next runs that failed"] += after.returncode != 0
    return found


@contextlib.contextmanager
def _small_disk(place, size):
    """A disk of its own in the memory, which takes the rights to mount one; None without."""
    place.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "faults", place], capture_output=True)
    try:
        yield place if made.returncode == 0 else None
    finally:
        subprocess.run(["umount", "--lazy", place], capture_output=True)


def main():
    """Print a line for each kind of fault."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=10_000, metavar="N")
    parser.add_argument("--kills", type=int, default=100, metavar="N")
    parser.add_argument("--pairs", type=int, default=10, metavar="N")
    parser.add_argument("--kernels", type=int, default=20, metavar="N")
    parser.add_argument("--disks", type=int, default=20, metavar="N")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    found, broken = inputs(asked.inputs, asked.seed)
    print(f"{asked.inputs:,} random commands: {dict(found)}")
    for line, told in broken[:20]:
        print("  ", line, told)
    with tempfile.TemporaryDirectory() as place:
        book = pathlib.Path(place) / "book"
        shutil.copytree(_BOOK, book, ignore=_LEFT_BEHIND)
        print(f"{asked.kills} runs killed: {dict(kills(book, asked.kills, asked.seed))}", flush=True)
        print(f"{asked.pairs} pairs of runs at once: {dict(together(book, asked.pairs))}", flush=True)
        print(f"{asked.kernels} kernels killed: {dict(kernels(book, asked.kernels, asked.seed))}", flush=True)
        with _small_disk(pathlib.Path(place) / "small", "400m") as disk:
            if disk:
                shutil.copytree(_BOOK, disk / "book", ignore=_LEFT_BEHIND)
                print(f"{asked.disks} full disks: {dict(full(disk / 'book', asked.disks, asked.seed))}")
            else:
                print("full disks: none tried, since this user may not mount one")
    return bool(broken)


if __name__ == "__main__":
    sys.exit(main())
