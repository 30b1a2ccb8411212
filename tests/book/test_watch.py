"""Which files count as inputs of a chapter: its own wherever the book lies, and none of the machine's."""

import os
import sys

import pytest

from llmpower.book import watch


@pytest.mark.parametrize(
    ("path", "theirs"),
    [
        ("/var/lib/books/mine/chapters/marks.csv", False),
        ("/var/lib/books/mine/table.csv", False),
        ("/var/lib/books/mine/.cache/fonts.json", True),
        ("/var/lib/other/marks.csv", True),
        ("/home/ada/marks.csv", False),
        ("/home/ada/.config/style", True),
        ("/etc/passwd", True),
        (os.path.join(os.path.realpath(sys.prefix), "lib", "x.py"), True),
    ],
)
def test_what_is_an_input(monkeypatch, path, theirs):
    monkeypatch.setattr(os, "getcwd", lambda: "/var/lib/books/mine/chapters")
    assert watch._theirs(path) == theirs
