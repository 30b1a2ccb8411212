"""What a chapter reads beside the book's own facts and modules: a table of one's own, a helper module."""

import hashlib
import importlib.util
import os
import sys

from llmpower.facts.tables import DATA

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# First lines of a kernel, which count as no cell. It takes the folder it works in off the path, which may be ours.
START = f"""import sys; sys.path.insert(0, {os.path.dirname(_PACKAGE)!r})
import llmpower.book.watch as _watch; _watch.start(); del _watch, sys
"""
# What a machine has, and what programs keep, is no input of a chapter.
_INSTALLED = tuple({os.path.realpath(place) + os.sep for place in (sys.prefix, _PACKAGE, DATA)})
_SYSTEM = (os.path.realpath(sys.base_prefix) + os.sep, "/usr/", "/etc/", "/proc/", "/sys/", "/dev/", "/lib/", "/var/")
_seen, _looking = {}, []


def start():
    """Note from now on which files this process opens for reading; modules beside it are found, after all others."""
    sys.path.append(os.getcwd())
    sys.addaudithook(_note)


def _note(event, arguments):
    if event != "open" or _looking:
        return
    name, mode, flags = arguments
    if not isinstance(name, str | bytes | os.PathLike):
        return
    reads = mode.startswith("r") if isinstance(mode, str) else not flags & (os.O_WRONLY | os.O_RDWR)
    _looking.append(True)
    try:
        path = os.path.realpath(os.fsdecode(name))
        if os.path.basename(os.path.dirname(path)) == "__pycache__":
            path = importlib.util.source_from_cache(path)
        if reads and path not in _seen and not _theirs(path) and os.path.isfile(path):
            with open(path, "rb") as file:
                _seen[path] = hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError):
        # What cannot be read is told by the chapter itself.
        pass
    finally:
        _looking.pop()


def _theirs(path):
    """Whether a file is the system's, a program's or a package's own, or hidden; wherever the book itself may lie."""
    book = os.path.dirname(os.path.realpath(os.getcwd())) + os.sep
    if path.startswith(_INSTALLED) or not path.startswith(book) and path.startswith(_SYSTEM):
        return True
    path = path.removeprefix(book)
    return any(one.startswith(".") or one.endswith("-info") for one in path.split(os.sep))


def files():
    """Files that were read, and what they held then: path -> hash."""
    return dict(_seen)
