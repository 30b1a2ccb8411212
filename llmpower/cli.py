"""A thin door: the commands, their help and their messages."""

import argparse
import contextlib
import functools
import inspect
import os
import pathlib
import shutil
import signal
import sys
from json import dumps

import llmpower
from llmpower.arguments import ParameterError, plain
from llmpower.facts import catalog, tables
from llmpower.facts.quantities import quantities

_FAILED, _STOPPED = 1, 130
_say = functools.partial(print, flush=True)


def _say_json(record):
    _say(dumps(record, indent=2, allow_nan=False))


# A command's docstring is its help; its arguments are options of the table below, or what its function takes.


def _estimate(json, sensitivity, **given):
    """Predict speed, power and energy of a model on a machine, with its range and known error.

    examples:
      llmpower estimate llama-3.1-70b h100-sxm --n-accelerators 4 --batch 64 --prompt-tokens 200 --output-tokens 400
      llmpower estimate qwen3-30b-a3b b200 --batch 1,8,64,512 --output-tokens 500 --boundary facility
      llmpower estimate path/to/config.json h100-sxm --batch 8 --prompt-tokens 1000 --output-tokens 300
      llmpower estimate qwen3-8b 'rtx-4090,memory_bytes=48 GB,tdp_w=350' --batch 8 --output-tokens 300
      llmpower estimate qwen3-8b rtx-4090 --batch 8 --measured-batch 1 --measured-tokens-per-s 52
      llmpower estimate qwen3-8b my.yml    # with lines such as memory_bytes: 96 GB
    """
    from llmpower import ranges, text

    found, elastic = llmpower.estimate(**given), {}
    if sensitivity:
        if isinstance(given.get("batch"), list):
            raise ParameterError(["sensitivity: got several batches; allowed is one"])
        elastic = {name: ranges.elasticities(found, name) for name in ("j_per_token", "tokens_per_s")}
    if json:
        return _say_json(text.estimate_record(found) | ({"elasticities": elastic} if elastic else {}))
    _say(found)
    if elastic:
        _say(f"\n{text.sensitivity_text(elastic)}")


def _plan(json, **given):
    """Size a service: machines, megawatts, money, carbon dioxide and water, with ranges.

    Needed are how much there is to do, --queries-per-day or --users-at-once, and how it is done: --batch, or how quick
    an answer must be, --tokens-per-s-per-user, --most-first-token-s or both. Hosts and site are always counted.

    examples:
      llmpower plan llama-3.1-70b h100-sxm --queries-per-day 1e7 --tokens-per-s-per-user 30
      llmpower plan gpt-oss-120b b200 --queries-per-day 1e6 --batch 128 --weight-format mxfp4 --pue 1.1 --json
      llmpower plan deepseek-v3 h800 --users-at-once 1e4 --tokens-per-s-per-user 20 --pools 2 --parallelism dp \\
        --weight-format fp8
    """
    from llmpower import text

    found = llmpower.plan(**given)
    if json:
        return _say_json(text.plan_record(found))
    _say(found)


def _models(json):
    """List the networks that can be named: parameters, active ones, layers, cache of a token, state, window.

    Their published names do as well, such as meta-llama/Llama-3.1-70B-Instruct; case and punctuation do not matter.
    """
    from llmpower import text

    _say_json(text.models_record()) if json else _say(text.models_text())


def _accelerators(json):
    """List the accelerators that can be named: memory, bandwidth, rating, dense rates, link; stars for second-hand.

    Names as shops and drivers print them do as well, such as "NVIDIA H100 80GB HBM3"; case does not matter.
    """
    from llmpower import text

    _say_json(text.accelerators_record()) if json else _say(text.accelerators_text())


def _calibrate(book):
    """Fit the estimator's constants to data/measurements.csv again, and its errors; takes minutes."""
    from llmpower import text
    from llmpower.book.files import find_book

    data = find_book(book) / "data"
    if data.resolve() != tables.DATA.resolve():
        other = f"calibrate: this llmpower reads another folder than {data}; use the one installed from there"
        raise ParameterError([other])
    from llmpower.evidence import exam, fit
    from llmpower.step import constants

    _say("fitting, and fitting again without each architecture and each accelerator: this takes minutes")
    fit.calibrate(_say)
    exam.write_predictions(_say)
    _say(text.accuracy_text(constants.errors()))
    _say("wrote data/calibration.csv, accuracy.csv, predictions.csv and studies.csv")


def _chapters(book):
    """List the chapters, their parameters, defaults and ranges."""
    from llmpower.book import files, parameters

    wrong = []
    for name, path in files.chapters(files.find_book(book)).items():
        _say(f"\n{name}")
        try:
            listed = parameters.parameters(path).values()
        except files.ChapterError as error:
            wrong.append(str(error))
            continue
        for one in listed:
            _say(f"  {one.name} = {one.default if one.default != '' else '(none)'}")
            _say(f"      {one.quantity.help}; {one.allowed} [{one.unit}]")
    _say("\nRun one with your own numbers:  llmpower run CHAPTER -p name=value …")
    if wrong:
        raise files.ChapterError("\n".join(wrong))


def _run(book, chapter, parameter, file, out, force):
    """Run one chapter with your own numbers and publish its page; what was there stays until the new one is whole.

    example: llmpower run decode-breakdown -p batch=64 -p context_tokens=4096 --out /tmp/mine
    """
    from llmpower.book import build, files, fresh, scenario

    book = files.find_book(book)
    path = files.chapter(book, chapter)
    if len(file) > 1:
        raise ParameterError(["file: got several; allowed is one for a chapter, `llmpower build` takes more"])
    asked = scenario.ask(book, *(file or [None]), path.stem, parameter)
    out = fresh.own_folder(out or book / "_build" / "own" / path.stem, path.name, "results.json")
    kept = {"executed.ipynb": out / path.name, "results.json": out / "results.json"}
    index, folders = build.build(book, out, asked, say=_say, force=force)
    for name, copy in kept.items():
        shutil.copyfile(folders[path.stem] / name, out / ".new")
        os.replace(out / ".new", copy)
    _say(f"page      {index.parent / path.relative_to(book).with_suffix('.html')}")
    _say(f"numbers   {kept['results.json']}\nnotebook  {kept['executed.ipynb']}")


def _slides(book, chapter, parameter, file, out, force):
    """Make slides of a chapter for a lecture: a folder that opens from disk, with figures that move and speaker notes.

    Its prose is in the notes (key S), the controls open beside a slide (key M), D is dark or light, ? tells all keys.
    In a notebook Jupyter's own slide types win: slide, skip and notes.

    example: llmpower slides decode-breakdown -p accelerator=h200-sxm --out /tmp/lecture
    """
    from llmpower.book import files, scenario, slides

    book = files.find_book(book)
    path = files.chapter(book, chapter)
    if path.parent == book:
        raise ParameterError([f"{chapter} is the first page, not a chapter; `llmpower chapters` lists those"])
    if len(file) > 1:
        raise ParameterError(["file: got several; allowed is one for a chapter"])
    asked = scenario.ask(book, *(file or [None]), path.stem, parameter)
    deck, count = slides.publish(book, path, asked, out, _say, force)
    _say(f"slides    {deck}\n          {count} of them; all of that folder goes along to the lecture")


def _sweep(
    book, chapter, grid, together, parameter, file, out, jobs, scheduler, numbers, pages, model_only, columns, force
):
    """Run a chapter for every combination of values, here or on a Dask cluster; what is there is not run again.

    examples:
      llmpower sweep decode-breakdown --grid batch=1,8,64 --grid accelerator=h100-sxm,b200 --out /tmp/mine
      llmpower sweep datacenter-scale --zip pue=1.1,1.3 --zip electricity_usd_per_kwh=0.05,0.2 -p batch=64
      llmpower sweep tokens-per-watt -f sweep.yml --scheduler tcp://10.0.0.7:8786 --out s3://bucket/mine --pages
      llmpower sweep what-if --model-only --grid model=all --grid batch=1:4096:100:log --grid n_accelerators=1,2,4

    Values: 1,8,64; all, where there is a list of them; 1:1000:50 for 50 even steps, 1:1000:50:log for 50 even factors;
    between semicolons where they hold commas. A file has parameters:, grid: and zip: with lists. DIR then holds
    results.parquet and results.csv, a row for each number of each run, failed.csv, and summary.html; of --model-only
    points.parquet, a row for each point, whose names are arguments of `estimate`.
    """
    from llmpower.book import files

    book = files.find_book(book)
    if len(file) > 1:
        raise ParameterError(["file: got several; allowed is one"])
    if numbers + pages + model_only > 1:
        raise ParameterError(["--numbers, --pages, --model-only: got several of them; allowed is one"])
    if columns and not model_only:
        raise ParameterError([f"--columns: got {','.join(columns)}; allowed with --model-only alone"])
    from llmpower.sweep import points, runs

    out = out or book / "_build" / "sweeps" / chapter
    asked = {"grid": grid, "together": together, "fixed": parameter, "file": file[0] if file else None}
    if model_only:
        failed = points.sweep(book, chapter, out, asked, columns or points.USUAL, scheduler, jobs, _say, force)
        _say(f"points    {out}/points.parquet")
    else:
        failed = runs.sweep(book, chapter, out, asked, scheduler, jobs, pages, _say, force)
        _say(f"summary   {out}/summary.html\nresults   {out}/results.csv and results.parquet")
    if failed:
        print(f"llmpower: {failed} runs failed; {out}/failed.csv has their errors", file=sys.stderr)
        return _FAILED


def _build(book, file, out, edition, jobs, zip, pdf, force):
    """Execute what changed and publish the whole book, once for each scenario file, with a page of what differs.

    examples:
      llmpower build -f ours.yml -f theirs.yml --out /tmp/both
      llmpower build --edition student --zip    # no solutions: not in pages, notebooks, downloads or the search
    """
    from llmpower.book import beside, build, editions, files, scenario, take_home

    book = files.find_book(book)
    if edition != "reader":
        out = pathlib.Path(out or book / "_build" / edition)
        book = editions.book_of(book, edition, out)
    also = [kind for kind, asked in (("zip", zip), ("pdf", pdf)) if asked]
    if len(file) > 1:
        if also:
            raise ParameterError([f"{', '.join(also)}: of one book at a time; allowed with a single scenario file"])
        _say(f"page      {beside.publish(book, file, out, jobs, _say, force)}")
        return
    index, _ = build.build(book, out, scenario.ask(book, *file), jobs, _say, also, force)
    _say(f"page      {index}")
    for kind in also:
        _say(f"{kind}       {index.parent / take_home.FOLDER / take_home.SITE[kind][0]}")


def _worksheet(book, chapter, roster, seed, out):
    """Write a worksheet for each student, with numbers of its own, as a notebook and as a page; and the key to all.

    A student needs a browser for the page, which saves a small file, or any Jupyter for the notebook; either is handed
    in. The same list and seed give the same worksheets. Keep key.csv and the seed: who has them has the answers.

    example: llmpower worksheet decode-breakdown --roster roster.csv --out week-3
    """
    from llmpower.book import files
    from llmpower.teach import worksheet

    book = files.find_book(book)
    out = pathlib.Path(out or book / "_build" / "worksheets" / chapter)
    seed = worksheet.write(book, chapter, roster, seed, out, _say)
    _say(f"worksheets  {out / 'students'}, a folder for each to hand out\nkey         {out / 'key.csv'}, to keep")
    _say(f"seed        {seed}; what comes back:  llmpower grade DIR --key {out / 'key.csv'}")


def _grade(handed_in, key, out):
    """Grade what students handed in, a folder or a ZIP of notebooks and saved pages; nothing in them is run.

    Answers are matched by id and name, whatever their files are called. The folder of grades, by default "grades"
    beside them, has grades.csv, answers.csv, questions.csv (how many have each right), a text for each student,
    canvas.csv for a Canvas gradebook, and for each student what an autograder of Gradescope leaves as results.json.

    example: llmpower grade handed-in --key week-3/key.csv
    """
    from llmpower.teach import grade

    place = pathlib.Path(handed_in)
    place = pathlib.Path(out or (place if place.is_dir() else place.parent) / grade.FOLDER)
    place = pathlib.Path(handed_in)
    place = pathlib.Path(out or (place if place.is_dir() else place.parent) / grade.FOLDER)
    students, unknown = grade.grade(handed_in, key, place, _say)
    done = [one for one in students if one.score is not None]
    for one in students:
        if one.remarks or one.status != "graded":
            _say("\n                ".join([f"{one.id:14}  {one.status}", *one.remarks]))
    for file, why in unknown:
        _say(f"{file}: {why}")
    mean = f", {sum(one.score for one in done) / len(done):.2f} of {done[0].of} on average" if done else ""
    _say(f"{len(done)} of {len(students)} students graded{mean}\ngrades    {place / 'grades.csv'}")


def _serve(book, port, site):
    """Show the published book in a browser of this computer."""
    import http.server

    from llmpower.book import files

    if site is None:
        book = files.find_book(book)
        site = next(filter(None, (files.last_site(book), book / "_build" / "html")))
    site = pathlib.Path(site)
    # What a build was told to write to is its folder of the site's.
    site = next((one for one in (site, site / "html") if (one / "index.html").is_file()), site)
    if not (site / "index.html").is_file():
        raise files.BookError(f"no site in {site}; run `llmpower build` first")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *parts):
            """Say nothing of each page."""

        def list_directory(self, path):
            self.send_error(404)

    class Server(http.server.ThreadingHTTPServer):
        def handle_error(self, request, address):
            """A reader who left, or who asked for what no file can be called, is no fault of ours."""

    handler = functools.partial(Quiet, directory=str(site))
    try:
        server = Server(("127.0.0.1", port), handler)
    except OSError as error:
        raise files.BookError(f"port {port}: {error.strerror}; choose another with --port") from None
    with server, contextlib.suppress(KeyboardInterrupt):
        _say(f"serving {site} on http://127.0.0.1:{server.server_port}/ for this computer only; stop with Ctrl-C")
        server.serve_forever()


def _renew(book, jobs):
    """Execute the chapters in place and tell which numbers moved."""
    from llmpower.book import files, renew

    renew.renew(files.find_book(book), jobs, _say)


def _changes(book, old, new):
    """List the numbers that changed between two editions, as a table for CHANGELOG.md.

    example: llmpower changes HEAD, after llmpower renew
    """
    from llmpower.book import changes, files

    book = files.find_book(book)
    _say(changes.changes(changes.edition_numbers(book, old), changes.edition_numbers(book, new or book)))


def _tried():
    """What an estimate and a plan do not find in the facts."""
    try:
        # Its constants are scaled from fitted machines, so it asks for more rows than those do.
        llmpower.plan("llama-3.1-70b", "h200-sxm", queries_per_day=1e6, batch=8)
    except (tables.FactError, tables.UnknownName, ParameterError) as error:
        yield str(error)


def _check(book):
    """Look for broken facts, unused numbers, typed numbers and missing alternative texts."""
    from llmpower.book import check, files, sizes

    book = files.find_book(book)
    lines, above = sizes.against_budget(book)
    problems = list(dict.fromkeys([*check.check(book), *_tried(), *above]))
    for line in [*lines, *(problems or ["facts, chapters and pages: no problem found"])]:
        _say(line)
    return _FAILED if problems else 0


def _assignment(text):
    name, equals, value = (part.strip() for part in text.partition("="))
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"expected name=value, got {text!r}")
    return name, value


def _path(text):
    if not text.strip():
        raise argparse.ArgumentTypeError("expected a name, got nothing; an unset variable?")
    return text


def _whole(text, what, allowed):
    if not (text.isascii() and text.isdigit() and int(text) in allowed):
        raise argparse.ArgumentTypeError(f"expected {what}, got {text!r}")
    return int(text)


_positive = functools.partial(_whole, what="a whole number from 1", allowed=range(1, sys.maxsize))
_port = functools.partial(_whole, what="a port from 0 to 65535", allowed=range(65536))


def _number(text):
    """A number; other text is left to the check that knows what is allowed and tells all problems at once."""
    try:
        return float(plain(text))
    except ValueError:
        return text


def _numbers(text):
    parts = [_number(part) for part in text.split(",")]
    return parts if len(parts) > 1 else parts[0]


_COMMANDS = (
    _estimate,
    _plan,
    _models,
    _accelerators,
    _calibrate,
    _chapters,
    _run,
    _slides,
    _sweep,
    _build,
    _worksheet,
    _grade,
    _serve,
    _renew,
    _changes,
    _check,
)
_FLAG, _FOLDER = {"action": "store_true"}, {"metavar": "DIR", "type": _path}
# Argument of a command -> how it is typed, what is told of it, and how it is read.
_OPTIONS = {
    "json": ("--json", "print numbers for a program, SI units where names carry no other", _FLAG),
    "sensitivity": ("--sensitivity", "tell how much a per cent of each input changes the result", _FLAG),
    "book": ("--book", "folder of the book (default: here, or the nearest one above)", _FOLDER),
    "chapter": ("chapter", "such as decode-breakdown", {"metavar": "CHAPTER"}),
    "grid": (
        "--grid", "values that are combined with all others; may be repeated",
        {"metavar": "NAME=VALUES", "type": _assignment, "action": "append", "default": []},
    ),
    "together": (
        "--zip", "values that go along with those of each other --zip; may be repeated",
        {"metavar": "NAME=VALUES", "type": _assignment, "action": "append", "default": [], "dest": "together"},
    ),
    "scheduler": (
        "--scheduler", "of a Dask cluster, tcp://host:port (default: one on this machine)", {"metavar": "ADDRESS"},
    ),
    "numbers": ("--numbers", "keep the numbers of each run (default)", _FLAG),
    "pages": ("--pages", "publish the page of each run, and keep its notebook", _FLAG),
    "model_only": ("--model-only", "ask the estimator alone, millions of points; CHAPTER has what is not asked", _FLAG),
    "columns": (
        "--columns", "results of --model-only (default: speed, energy and power, with their ends)",
        {"metavar": "NAME,NAME", "type": lambda text: text.split(",")},
    ),
    "parameter": (
        "-p --parameter", "a parameter of the chapter; may be repeated, wins over the file",
        {"metavar": "NAME=VALUE", "type": _assignment, "action": "append", "default": []},
    ),
    "file": (
        "-f --file", "title, parameters and chapters; of `sweep` parameters, grid and zip; `build` takes several",
        {"metavar": "FILE.yml", "type": _path, "action": "append", "default": []},
    ),
    "out": ("--out", "where the result goes (default: inside _build of the book)", _FOLDER),
    "edition": (
        "--edition", "reader (default), student: without solutions, teacher: with open ones and notes",
        {"choices": ("reader", "student", "teacher"), "default": "reader", "metavar": "EDITION"},
    ),
    "jobs": ("--jobs", "chapters executed at once (default: all cores)", {"metavar": "N", "type": _positive}),
    "force": ("--force", "execute again what did not change, too", _FLAG),
    "zip": ("--zip", "offer the site as one file for reading without a network", _FLAG),
    "pdf": ("--pdf", "offer the book as a PDF; needs Chromium or Chrome", _FLAG),
    "port": ("--port", "default 8000; 0 takes a free one", {"metavar": "N", "type": _port, "default": 8000}),
    "site": ("site", "folder with a site (default: the one that was made last)", _FOLDER | {"nargs": "?"}),
    "roster": (
        "--roster", "list of students, a CSV file with the columns id and name, or a Canvas gradebook",
        {"metavar": "FILE.csv", "type": _path, "required": True},
    ),
    "seed": ("--seed", "decides with the id of a student what is drawn (default: a secret one)", {"metavar": "TEXT"}),
    "handed_in": ("handed_in", "folder with what was handed in, folders in it included, or a ZIP file", _FOLDER),
    "key": ("--key", "key.csv of the worksheets", {"metavar": "FILE.csv", "type": _path, "required": True}),
    "old": ("old", "a commit, a tag or a folder with a book", _FOLDER | {"metavar": "OLD"}),
    "new": ("new", "the same (default: the book as it lies here)", _FOLDER | {"metavar": "NEW", "nargs": "?"}),
}  # fmt: skip
_SUCH_AS = {
    "model": "llama-3.1-70b, Qwen3-32B or path/to/config.json",
    "accelerator": "h100-sxm, B200, h100-sxm,memory_bytes=96GB or my.yml",
}
_PARTS = "fp8,experts=nvfp4,output=bf16"
# What counts where nothing is given and the signature has no value for it.
_UNLESS_GIVEN = {
    "prompt_tokens": "500 where no length is given, else none",
    "output_tokens": "500 where no length is given, else none, and prompts count as read already; 0 reads them alone",
    "context_tokens": "prompt + output / 2",
    "kv_format": "bf16",
    "parallelism": "tp, under llama.cpp pp",
    "software": "not known: mean of vllm, sglang and trtllm, range over all",
    "max_step_tokens": "8,192 for servers",
    "power_cap_w": "no limit but the rating",
    "cached_prompt_share": 0,
    "draft_tokens": 0,
    "accepted_tokens": 0,
    "accelerators_per_server": "as in data/, else 8",
    "link_bytes_per_s": "as in data/",
    "network_bytes_per_s": "as in data/, else 50 GB/s",
    "host_bandwidth_bytes_per_s": "none: everything has to fit",
    "memory_share": "0.9 for servers, else 1",
    "queries_per_day": "what --users-at-once needs",
    "users_at_once": "what --queries-per-day needs",
    "batch": "the largest that keeps --tokens-per-s-per-user and --most-first-token-s",
    "measured_tokens_per_s": "nothing measured",
    "measured_power_w": "nothing measured",
    "measured_batch": "the batch that is asked",
    "tokens_per_s_per_user": "what --batch gives",
    "most_first_token_s": "no limit",
    "n_accelerators": "of those that divide heads and fill servers evenly the cheapest that keeps limits of a user, "
    "with --batch the fewest that hold it",
    "accelerator_usd_per_hour": "left out, and so is the cost of machines",
    "host_power_w": "what metered servers leave beside their boards, scaled where needed",
}


def _parser(asked):
    """All commands; options only of the one that is asked for, since those of `estimate` and `plan` cost NumPy."""
    parser = argparse.ArgumentParser(
        prog="llmpower",
        description="The power wall: where the watts go when a language model answers. "
        "Ask for one run or a whole service; re-run a chapter, or the whole book, with your own numbers.",
        epilog="example: llmpower run decode-breakdown -p model=qwen3-32b -p accelerator=h200-sxm -p batch=64",
    )
    parser.add_argument("--version", action="version", version=f"llmpower {llmpower.__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for function in _COMMANDS:
        name, (words, _, examples) = function.__name__[1:], inspect.getdoc(function).partition("\n\n")
        looks = {"epilog": examples, "formatter_class": argparse.RawDescriptionHelpFormatter}
        one = commands.add_parser(name, help=words[0].lower() + words[1:-1], description=words, **looks)
        one.set_defaults(function=function)
        if name == asked:
            _add_options(one, function)
    return parser


def _add_options(parser, function):
    """Options by the arguments of a command; `given` stands for those of the function behind it, of the same name."""
    names = list(inspect.signature(function).parameters)
    if names[-1] == "given":
        names.pop()
        _ask(parser, function.__name__[1:])
    for name in names:
        typed, words, settings = _OPTIONS[name]
        parser.add_argument(*typed.split(), help=words, **settings)


def _ask(parser, command):
    """Options from the signature of a function; the table of quantities says what they mean."""
    for name, argument in inspect.signature(getattr(llmpower, command)).parameters.items():
        one = quantities()[name]
        if name in _SUCH_AS:
            parser.add_argument(name, metavar=name.upper(), help=f"{one.help}, such as {_SUCH_AS[name]}")
            continue
        kind, metavar, words = _allowed(one)
        if (command, name) == ("estimate", "batch"):
            kind, metavar, words = _numbers, "N[,N]", f"{words}; several print a table"
        required, option = argument.default is argument.empty, f"--{name.replace('_', '-')}"
        words += "" if required else f" (default: {_unless_given(command, argument)})"
        settings = {"metavar": metavar, "type": kind, "required": required, "default": argparse.SUPPRESS}
        parser.add_argument(option, help=words.replace("%", "%%"), **settings)


def _allowed(quantity):
    """How a text becomes a value of a quantity, what stands for it in a usage line, and its meaning with its range."""
    if quantity.type == "choice":
        return str, "|".join(quantity.choices), quantity.help
    if quantity.type == "format":
        parts = f"; behind it others for {', '.join(catalog.PARTS)}, as in {_PARTS}" * (
            quantity.name == "weight_format"
        )
        return str, "FORMAT", f"{quantity.help}{parts} [{', '.join(catalog.names('format'))}]"
    unit = "" if quantity.unit == "1" else f" {quantity.unit}"
    span = f"[{quantity.low:,.12g} to {quantity.high:,.12g}{unit}]"
    return _number, "N" if quantity.type == "int" else "X", f"{quantity.help} {span}"


def _unless_given(command, argument):
    """What an argument is unless given: the value of the signature, a fact, or words."""
    if argument.default is not None:
        return argument.default
    if command == "plan":
        # Only a plan has facts for what is not given, and an estimate should not wait for them.
        from llmpower import text
        from llmpower.plan import DEFAULTS, default

        if argument.name in DEFAULTS:
            one = default(argument.name)
            return f"{text.three(one.value)}, {one.note}"
    return _UNLESS_GIVEN.get(argument.name, "none")


def _end(number, frame):
    """Stop as Ctrl-C does; what it reaches by itself is told."""
    if begun := sys.modules.get("llmpower.book.run"):
        begun.stop()
    raise KeyboardInterrupt


def main(argv=None):
    """Run a command: 0 if all went well, 1 if the book or a chapter failed, 2 for wrong arguments, 130 after Ctrl-C."""
    argv = sys.argv[1:] if argv is None else argv
    try:
        asked = next((word for word in argv if not word.startswith("-")), None)
        given = vars(_parser(asked).parse_args(argv))
        # Being ended by the system, or with the terminal, cleans up as Ctrl-C does.
        for ending in filter(None, (signal.SIGTERM, getattr(signal, "SIGHUP", None))):
            signal.signal(ending, _end)
        for stream in (sys.stdout, sys.stderr):
            # A terminal that knows no such letter shows its number.
            getattr(stream, "reconfigure", lambda **kinds: None)(errors="backslashreplace")
        return given.pop("function")(**given) or 0
    except KeyboardInterrupt:
        print("llmpower: stopped; nothing half done was published", file=sys.stderr)
        return _STOPPED
    except BrokenPipeError:
        # Who reads the pipe has seen enough; what is left unprinted goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _FAILED
    except ModuleNotFoundError as error:
        if error.name.partition(".")[0] == "llmpower":
            raise
        extras = "book,sweep" if asked == "sweep" else "book"
        print(f"llmpower: this needs {error.name}, which `pip install 'llmpower[{extras}]'` brings", file=sys.stderr)
        return _FAILED
    except Exception as error:
        # An error that we do not expect is ours to mend.
        code = getattr(error, "exit_code", _FAILED if isinstance(error, OSError) else None)
        if code is None:
            raise
        problems = getattr(error, "problems", [str(error)])
        if code == ParameterError.exit_code and len(problems) > 1:
            problems = [f"{len(problems)} problems, nothing was written:", *(f"  {problem}" for problem in problems)]
        print("llmpower: " + "\n".join(problems), file=sys.stderr)
        return code
