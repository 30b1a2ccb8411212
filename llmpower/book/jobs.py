"""What another process does when it is asked to: a run, its numbers alone, or its page."""

import json
import pathlib
import signal
import sys

from llmpower.book import files, run


def page(book, chapter, values, out):
    """Execute a chapter and publish its page into a folder; returns JSON as `run.numbers` does."""
    # What publishes takes a moment to load, and other jobs do without.
    from llmpower.book import build, scenario

    asked = scenario.Scenario({chapter: values})
    _, folders = build.build(pathlib.Path(book), out, asked, jobs=1, say=lambda line: None)
    found, inputs = (files.read_json(folders[chapter] / name) for name in ("results.json", "inputs.json"))
    read = {name.removeprefix("file:"): held for name, held in inputs.items() if name.startswith("file:")}
    return json.dumps({"parameters": found["parameters"], "numbers": found["numbers"], "files": read})


JOBS = {job.__name__: job for job in (run.execute, run.numbers, page)}


def told(function, arguments):
    """Do one of `JOBS`; returns an exit code and what to say of it."""
    try:
        return 0, JOBS[function](**arguments) or ""
    except (files.ChapterError, files.BookError) as error:
        return error.exit_code, str(error)


if __name__ == "__main__":
    # Being ended cleans up as Ctrl-C does, which what runs in the background may ignore.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    code, text = told(sys.argv[1], json.loads(sys.argv[2]))
    # On standard output: the kernel's own log goes to the other one.
    print(text)
    sys.exit(code)
