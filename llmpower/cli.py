"""A thin door: the commands, their help and their messages."""

import argparse
import contextlib
import functools
import http.server
import os
import pathlib
import shutil
import signal
import socketserver
import sys

from llmpower import __version__
from llmpower.facts import tables

_WRONG, _FAILED, _STOPPED = 2, 1, 130


def _say(line):
    print(line, flush=True)


def _assignment(text):
    name, equals, value = (part.strip() for part in text.partition("="))
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"expected name=value, got {text!r}")
    return name, value


def _path(text):
    if not text.strip():
        raise argparse.ArgumentTypeError("expected a name, got nothing; an unset variable?")
    return text


def _chapters(arguments):
    from llmpower.book.files import chapters, find_book
    from llmpower.book.parameters import parameters

    for name, path in chapters(find_book(arguments.book)).items():
        _say(f"\n{name}")
        for one in parameters(path).values():
            _say(f"  {one.name} = {one.default if one.default != '' else '(none)'}")
            _say(f"      {one.quantity.help}; {one.allowed} [{one.unit}]")
    _say("\nRun one with your own numbers:  llmpower run CHAPTER -p name=value …")


def _run(arguments):
    from llmpower.book.build import build
    from llmpower.book.files import chapter, find_book
    from llmpower.book.fresh import own_folder
    from llmpower.book.scenario import ask

    book = find_book(arguments.book)
    name = chapter(book, arguments.chapter).stem
    scenario = ask(book, arguments.file, name, arguments.parameter)
    own = book / "_build" / "own" / name if arguments.out is None else arguments.out
    out = own_folder(own, f"{name}.ipynb", "results.json")
    for leftover in (out / f"{name}.ipynb", out / "results.json"):
        leftover.unlink(missing_ok=True)
    shutil.rmtree(out / "html", ignore_errors=True)
    index, folders = build(book, out, scenario, arguments.jobs, _say)
    shutil.copyfile(folders[name] / "executed.ipynb", out / f"{name}.ipynb")
    shutil.copyfile(folders[name] / "results.json", out / "results.json")
    page = chapter(book, name).relative_to(book).with_suffix(".html")
    _say(f"page      {index.parent / page}")
    _say(f"numbers   {out / 'results.json'}")
    _say(f"notebook  {out / name}.ipynb")


def _build(arguments):
    from llmpower.book.build import build
    from llmpower.book.files import find_book
    from llmpower.book.scenario import ask
    from llmpower.book.take_home import FOLDER, SITE

    book, also = find_book(arguments.book), [kind for kind in ("zip", "pdf") if getattr(arguments, kind)]
    index, _ = build(book, arguments.out, ask(book, arguments.file), arguments.jobs, _say, also)
    _say(f"page      {index}")
    for kind in also:
        _say(f"{kind}       {index.parent / FOLDER / SITE[kind][0]}")


class _Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True


def _serve(arguments):
    from llmpower.book.files import BookError, find_book

    site = find_book(arguments.book) / "_build" / "html" if arguments.site is None else pathlib.Path(arguments.site)
    if not (site / "index.html").is_file():
        raise BookError(f"no site in {site}; run `llmpower build` first")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(site))
    try:
        server = _Server(("127.0.0.1", arguments.port), handler)
    except OSError as error:
        raise BookError(f"port {arguments.port}: {error.strerror}; choose another with --port") from None
    with server, contextlib.suppress(KeyboardInterrupt):
        _say(f"serving {site} on http://127.0.0.1:{server.server_port}/ for this computer only; stop with Ctrl-C")
        server.serve_forever()


def _renew(arguments):
    from llmpower.book.files import find_book
    from llmpower.book.renew import renew

    renew(find_book(arguments.book), arguments.jobs, _say)


def _changes(arguments):
    from llmpower.book.changes import changes, edition
    from llmpower.book.files import find_book

    book = find_book(arguments.book)
    _say(changes(edition(book, arguments.old), edition(book, arguments.new or book)))


def _check(arguments):
    from llmpower.book import sizes
    from llmpower.book.check import check
    from llmpower.book.files import find_book

    book = find_book(arguments.book)
    lines, above = sizes.against_budget(book)
    problems = check(book) + above
    for line in lines + problems:
        _say(line)
    if problems:
        return _FAILED
    _say("facts, chapters and pages: no problem found")


def _estimate(arguments):
    from llmpower import text
    from llmpower.estimate import estimate

    found = estimate(**_given(arguments))
    several, elastic = isinstance(arguments.batch, list), {}
    if arguments.sensitivity:
        from llmpower import ranges
        from llmpower.arguments import ParameterError

        if several:
            raise ParameterError(["sensitivity: got several batches; allowed is one"])
        elastic = {name: ranges.elasticities(found, name) for name in ("j_per_token", "tokens_per_s")}
    if arguments.json:
        return _json(text.estimate_record(found) | ({"elasticities": elastic} if elastic else {}))
    _say(text.batches_text(found) if several else text.estimate_text(found))
    if elastic:
        _say(f"\n{text.sensitivity_text(elastic)}")


def _plan(arguments):
    from llmpower import text
    from llmpower.plan import plan

    found = plan(**_given(arguments))
    if arguments.json:
        return _json(text.plan_record(found))
    _say(text.plan_text(found))


def _given(arguments):
    """What was typed, by the names that the function takes."""
    return {
        name: value
        for name, value in vars(arguments).items()
        if value is not None and name not in ("function", "json", "sensitivity")
    }


def _json(record):
    import json

    _say(json.dumps(record, indent=2, allow_nan=False))


def _calibrate(arguments):
    from llmpower import text
    from llmpower.arguments import ParameterError
    from llmpower.book.files import find_book

    book = find_book(arguments.book)
    if (book / "data").resolve() != tables.DATA.resolve():
        raise ParameterError(
            [f"calibrate: this llmpower reads another folder than {book / 'data'}; use the one installed from there"]
        )
    from llmpower.evidence import exam, fit

    _say("fitting, and fitting again without each architecture and each accelerator: this takes minutes")
    fit.calibrate(_say)
    exam.write(_say)
    _say(text.accuracy_text(fit.accuracy_table()))
    _say("wrote data/calibration.csv, accuracy.csv, predictions.csv and studies.csv")


def _parser():
    parser = argparse.ArgumentParser(
        prog="llmpower",
        description="The power wall: where the watts go when a language model answers. "
        "Ask for one run or a whole service; re-run a chapter, or the whole book, with your own numbers.",
        epilog="example: llmpower run decode-breakdown -p model=qwen3-32b -p accelerator=h200-sxm -p batch=64",
    )
    parser.add_argument("--version", action="version", version=f"llmpower {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def question(name, function, text, **more):
        layout = argparse.RawDescriptionHelpFormatter
        one = commands.add_parser(
            name, help=text, description=text[0].upper() + text[1:] + ".", formatter_class=layout, **more
        )
        one.set_defaults(function=function)
        return one

    def command(name, function, text, **more):
        one = question(name, function, text, **more)
        one.add_argument(
            "--book", metavar="DIR", type=_path, help="folder of the book (default: here, or the nearest one above)"
        )
        return one

    def jobs(one):
        one.add_argument("--jobs", type=_positive, metavar="N", help="chapters executed at once (default: all cores)")

    def scenario(one):
        one.add_argument(
            "-f", "--file", metavar="SCENARIO.yml", type=_path, help="file with title, parameters and chapters"
        )
        one.add_argument(
            "--out", metavar="DIR", type=_path, help="where the result goes (default: inside _build of the book)"
        )
        jobs(one)

    _questions(question)
    command(
        "calibrate",
        _calibrate,
        "fit the estimator's constants to data/measurements.csv again, and its errors; takes minutes",
    )
    command("chapters", _chapters, "list the chapters, their parameters, defaults and ranges")
    one = command(
        "run",
        _run,
        "run one chapter with your own numbers and publish it",
        epilog="example: llmpower run decode-breakdown -p batch=64 -p context_tokens=4096 --out /tmp/mine",
    )
    one.add_argument("chapter", metavar="CHAPTER", help="such as decode-breakdown")
    one.add_argument(
        "-p",
        "--parameter",
        type=_assignment,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a parameter of the chapter; may be repeated, wins over the file",
    )
    scenario(one)
    one = command("build", _build, "execute what changed and publish the whole book")
    scenario(one)
    one.add_argument("--zip", action="store_true", help="offer the site as one file for reading without a network")
    one.add_argument("--pdf", action="store_true", help="offer the book as a PDF; needs Chromium or Chrome")
    one = command("serve", _serve, "show the published book in a browser of this computer")
    one.add_argument("--port", type=_port, default=8000, metavar="N", help="default 8000; 0 takes a free one")
    one.add_argument(
        "site", nargs="?", metavar="DIR", type=_path, help="folder with index.html (default: _build/html of the book)"
    )
    jobs(command("renew", _renew, "execute the chapters in place and tell which numbers moved"))
    one = command(
        "changes",
        _changes,
        "list the numbers that changed between two editions, as a table for CHANGELOG.md",
        epilog="example: llmpower changes HEAD, after llmpower renew",
    )
    one.add_argument("old", metavar="OLD", type=_path, help="a commit, a tag or a folder with a book")
    one.add_argument("new", metavar="NEW", nargs="?", type=_path, help="the same (default: the book as it lies here)")
    command("check", _check, "look for broken facts, unused numbers, typed numbers and missing alternative texts")
    return parser


_MACHINE = (
    ("--context-tokens", "N", "mean context of a running request (default: prompt + output / 2)"),
    ("--weight-format", "FORMAT", "bf16, fp16, fp8, int8, mxfp4, int4, q8_0 or q4_k_m (default: bf16)"),
    ("--kv-format", "FORMAT", "format of the caches (default: bf16)"),
    ("--parallelism", "tp|ep", "tp cuts every matrix over the accelerators, ep spreads whole experts (default: tp)"),
)
_RUN = (
    ("--batch", "N[,N]", "sequences decoded together; several print a table (default: 1)"),
    ("--n-accelerators", "N", "accelerators that share the model (default: 1)"),
    ("--prompt-tokens", "N", "tokens of a prompt that are computed (default: 0, nothing is read)"),
    ("--output-tokens", "N", "tokens of an answer (default: none, prompts count as read already)"),
    *_MACHINE,
    ("--boundary", "WHERE", "accelerators, server or facility: how far energy is counted (default: accelerators)"),
)
_SERVICE = (
    ("--queries-per-day", "N", "queries answered a day, mean over the year"),
    ("--batch", "N", "sequences decoded together by a copy of the model; this or the next"),
    ("--tokens-per-s-per-user", "X", "output tokens/s that every user gets: takes the largest batch that gives it"),
    (
        "--n-accelerators",
        "N",
        "accelerators that share a copy (default: the fewest that hold it and fill servers evenly)",
    ),
    ("--prompt-tokens", "N", "tokens of a query's prompt, all computed (default: 500)"),
    ("--output-tokens", "N", "tokens of its answer (default: 500)"),
    *_MACHINE,
    ("--peak-to-average", "X", "highest over mean traffic (default: 1.23)"),
    ("--max-load", "X", "share of its rate an accelerator reaches at the peak (default: 0.7)"),
    ("--accelerators-per-server", "N", "accelerators in a server (default: 8)"),
    (
        "--host-power-w",
        "W",
        "what a server draws beside its accelerators (default: measured ones, scaled where needed)",
    ),
    ("--pue", "X", "power of the site over power of its servers (default: 1.2)"),
    ("--electricity-usd-per-kwh", "USD", "price of electricity (default: 0.0861, US industry 2025)"),
    ("--carbon-g-per-kwh", "G", "carbon dioxide of electricity (default: 367, US grid 2023)"),
    ("--site-water-l-per-kwh", "L", "water used on site per kWh of the servers (default: 0.38)"),
    ("--grid-water-l-per-kwh", "L", "water used to generate a kWh (default: 7.6)"),
)


def _questions(question):
    """Commands that need no book: one run, and a service."""

    types = {"FORMAT": str, "WHERE": str, "tp|ep": str, "N[,N]": _numbers}

    def asked(one, options):
        one.add_argument("model", metavar="MODEL", help="such as llama-3.1-70b or Qwen3-32B")
        one.add_argument("accelerator", metavar="ACCELERATOR", help="such as h100-sxm, H100 or b200")
        for name, letter, text in options:
            one.add_argument(
                name, metavar=letter, help=text, type=types.get(letter, _number), required=name == "--queries-per-day"
            )
        one.add_argument(
            "--json", action="store_true", help="print numbers for a program, SI units where names carry no other"
        )

    one = question(
        "estimate",
        _estimate,
        "predict speed, power and energy of a model on a machine, with its range and known error",
        epilog="examples:\n  llmpower estimate llama-3.1-70b h100-sxm --n-accelerators 4 --batch 64 --prompt-tokens 200 --output-tokens 400\n"
        "  llmpower estimate qwen3-30b-a3b b200 --batch 1,8,64,512 --prompt-tokens 500 --output-tokens 500 --boundary facility",
    )
    asked(one, _RUN)
    one.add_argument(
        "--sensitivity", action="store_true", help="tell how much a per cent of each input changes the result"
    )
    one = question(
        "plan",
        _plan,
        "size a service: machines, megawatts, money, carbon dioxide and water, with ranges",
        epilog="examples:\n  llmpower plan llama-3.1-70b h100-sxm --queries-per-day 1e7 --tokens-per-s-per-user 30\n"
        "  llmpower plan gpt-oss-120b b200 --queries-per-day 1e6 --batch 128 --weight-format mxfp4 --pue 1.1 --json",
    )
    asked(one, _SERVICE)


def _number(text):
    """A number; other text is left to the check that knows what is allowed and tells all problems at once."""
    try:
        return float(text)
    except ValueError:
        return text


def _numbers(text):
    parts = [_number(part) for part in text.split(",")]
    return parts if len(parts) > 1 else parts[0]


def _positive(text):
    if not (text.isascii() and text.isdigit()) or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1, got {text!r}")
    return int(text)


def _port(text):
    if not (text.isascii() and text.isdigit()) or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"expected a port from 0 to 65535, got {text!r}")
    return int(text)


def main(argv=None):
    """Run a command.

    Parameters
    ----------
    argv : list of str, optional
        Arguments; those of the process if not given.

    Returns
    -------
    code : int
        0 if all went well, 1 if the book or a chapter failed, 2 for wrong
        arguments, 130 after Ctrl-C.
    """
    arguments = _parser().parse_args(argv)
    try:
        # Being ended by the system cleans up as Ctrl-C does.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        return arguments.function(arguments) or 0
    except KeyboardInterrupt:
        print("llmpower: stopped; nothing half done was published", file=sys.stderr)
        return _STOPPED
    except BrokenPipeError:
        # Who reads the pipe has seen enough; what is left unprinted goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _FAILED
    except Exception as error:
        code = _code(error)
        if code is None:
            raise
        problems = getattr(error, "problems", [str(error)])
        if code == _WRONG and len(problems) > 1:
            print(f"llmpower: {len(problems)} problems, nothing was written:", file=sys.stderr)
            print("\n".join(f"  {problem}" for problem in problems), file=sys.stderr)
        else:
            print("llmpower: " + "\n".join(problems), file=sys.stderr)
        return code


def _code(error):
    """Exit code for the errors we expect; None for one that is ours to mend."""
    from llmpower.arguments import ParameterError
    from llmpower.facts.tables import FactError

    # Told at once: the book's software takes a second to load.
    if isinstance(error, ParameterError):
        return _WRONG
    from llmpower.book.files import BookError, ChapterError

    if isinstance(error, BookError) and "--book" in str(error):
        return _WRONG
    return _FAILED if isinstance(error, (BookError, ChapterError, FactError, OSError)) else None


if __name__ == "__main__":
    sys.exit(main())
