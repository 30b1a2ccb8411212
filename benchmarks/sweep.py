"""How long sweeps take: ``.venv/bin/python -m benchmarks.sweep``, by hand, on a quiet machine with two cores.

A thousand runs of the decode chapter; the same with one worker and with two; runs whose worker is killed, on a
scheduler that is started by hand; and points of the estimator, with the memory of the largest process.
"""

import argparse
import contextlib
import json
import pathlib
import resource
import subprocess
import sys
import tempfile
import threading
import time

from llmpower.sweep import points, runs

_BOOK = pathlib.Path(__file__).resolve().parents[1]
_CHAPTER = "decode-breakdown"


def _asked(number, **more):
    """So many combinations, of batch and context."""
    side = next(at for at in range(int(number**0.5), 0, -1) if number % at == 0)
    grid = [("batch", ",".join(map(str, range(1, side + 1))))]
    grid.append(("context_tokens", ",".join(str(1000 + at) for at in range(number // side))))
    return {"grid": grid, "together": (), "fixed": list(more.items()), "file": None}


def _swept(number, out, say=lambda line: None, **how):
    """Seconds for so many runs."""
    begun = time.monotonic()
    failed = runs.sweep(_BOOK, _CHAPTER, out, _asked(number), say=say, **how)
    assert not failed
    return time.monotonic() - begun


def _where_time_goes(number, place):
    """Seconds of a run with one worker and with two, once they have begun: what two sizes of a sweep differ by."""
    found = {}
    for jobs in (1, 2):
        few, many = (_swept(count, place / f"{jobs}-{count}", jobs=jobs) for count in (10, number + 10))
        found[jobs] = (many - few) / number, few - 10 * (many - few) / number
    return found


@contextlib.contextmanager
def _cluster(place):
    """A scheduler and two workers, as somebody would start them by hand."""
    file = place / "scheduler.json"

    def begin(*words):
        command = [sys.executable, "-m", "dask", *words, "--scheduler-file", str(file)]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    begun = [begin("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")]
    try:
        while not file.exists() or not file.read_text():
            time.sleep(0.05)
        begun += [begin("worker", "--nthreads", "1", "--no-nanny", "--no-dashboard") for _ in range(2)]
        yield json.loads(file.read_text())["address"], begun[1]
    finally:
        for one in begun:
            one.kill()
            one.wait()


def _killed(number, place):
    """Runs of which a worker is killed after a third: those that are missing, and seconds."""
    out = place / "killed"
    with _cluster(place) as (address, worker):

        def kill():
            while len(list((out / "runs").glob("*.json"))) < number / 3:
                time.sleep(0.05)
            worker.kill()

        killer = threading.Thread(target=kill)
        killer.start()
        took = _swept(number, out, scheduler=address)
        killer.join()
    return number - len(list((out / "runs").glob("*.json"))), took


def _points(number, out):
    """Seconds for so many points of the estimator, bytes of the largest process and of the table."""
    side = round(number**0.5)
    fixed = [("model", "llama-3.1-8b"), ("output_tokens", "300")]
    grid = [("context_tokens", f"1:{side}:{side}"), ("prompt_tokens", f"1:{side}:{side}")]
    asked = {"grid": grid, "together": (), "fixed": fixed, "file": None}
    begun = time.monotonic()
    points.sweep(_BOOK, _CHAPTER, out, asked, ("j_per_token",), say=lambda line: print(line, flush=True))
    took = time.monotonic() - begun
    most = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    size = sum(part.stat().st_size for part in (out / "points.parquet").iterdir())
    return side**2, took, 1024 * most, size


def main():
    """Print a row for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000, metavar="N")
    parser.add_argument("--few", type=int, default=60, metavar="N", help="for one worker against two, and for kills")
    parser.add_argument("--points", type=float, default=1e8, metavar="N")
    asked = parser.parse_args()
    print("| what | number | took [s] | |\n|:--|--:|--:|:--|")
    with tempfile.TemporaryDirectory() as name:
        place = pathlib.Path(name)
        if asked.points:
            count, took, most, size = _points(asked.points, place / "points")
            told = (
                f"{1e6 * took / count:.3g} us a point; largest process {most / 1e6:.0f} MB, table {size / 1e9:.2f} GB"
            )
            print(f"| points of the estimator | {count:,} | {took:.0f} | {told} |", flush=True)
        if asked.few:
            found = _where_time_goes(asked.few, place)
            for jobs, (each, begins) in found.items():
                print(
                    f"| runs, {jobs} at a time | {asked.few} | {each * asked.few:.0f} | {begins:.1f} s to begin |",
                    flush=True,
                )
            print(f"| efficiency of two | | | {found[1][0] / found[2][0] / 2:.2f} |", flush=True)
            missing, took = _killed(asked.few, place)
            print(f"| runs, a worker of two killed | {asked.few} | {took:.0f} | {missing} missing |", flush=True)
        if asked.runs:
            took = _swept(asked.runs, place / "runs", print)
            print(
                f"| runs of `{_CHAPTER}` | {asked.runs:,} | {took:.0f} | {took / asked.runs:.2f} s a run |", flush=True
            )


if __name__ == "__main__":
    main()
