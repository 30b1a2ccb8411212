"""A small book to sweep, and a cluster as somebody would start it by hand."""

import json
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from tests.book.small import notebook, small_book

# A chapter that writes down each time it runs, takes a moment, fails at an unlucky number, and dies at another one.
_TEXT = """(board)=
# Boards

Twice the place is {glue:text}`doubled`; it spans {glue:text}`span`, and is {glue:text}`said`.
"""
_PARAMETERS = """
my_place: int = 1  # place [1] (0 to 1000)
kind: str = "short"  # kind of it [name] (short, long)
"""
_CODE = """
import time
import llmpower
from llmpower import report
with open({log!r}, "a") as log:
    print(my_place, file=log)
time.sleep(0.1)
if my_place == 13:
    raise ValueError("an unlucky number")
if my_place == 17:
    import os
    os._exit(3)
report.show("J", doubled=2.0 * my_place)
report.show("s", span=llmpower.Range(my_place, my_place + 1, my_place + 2))
report.show("", said=kind)
"""


@pytest.fixture
def book(tmp_path):
    """A small book whose chapter `board` notes its runs in a file; `ran` reads that file."""
    copy = small_book(tmp_path / "book")
    log = tmp_path / "log.txt"
    log.touch()
    cells = [_TEXT, ("parameters", _PARAMETERS), ("hide-input", _CODE.format(log=str(log)))]
    notebook(copy.folder / "chapters" / "board.ipynb", *cells)
    copy.ran = lambda: [int(line) for line in log.read_text().split()]
    return copy


@pytest.fixture
def started(tmp_path):
    """A scheduler and two workers, processes of their own on this machine."""
    file = tmp_path / "scheduler.json"

    def begin(*words):
        command = [sys.executable, "-m", "dask", *words, "--scheduler-file", str(file)]
        return subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    scheduler = begin("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
    while not file.exists():
        time.sleep(0.05)
    workers = [begin("worker", "--nthreads", "1", "--no-nanny", "--no-dashboard") for _ in range(2)]
    address = None
    while not address:
        text = file.read_text()
        address = json.loads(text)["address"] if text else None
    yield SimpleNamespace(address=address, scheduler=scheduler, workers=workers)
    for process in (*workers, scheduler):
        process.kill()
        process.wait()
