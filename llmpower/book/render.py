"""Jupyter Book in a process of its own, spared what takes half of its time without doing anything for the pages."""

import functools
import gc
import sys


def render(stage, made):
    """Make the site of a staged book; ends the process with Jupyter Book's exit code.

    Parameters
    ----------
    stage : str
        Folder of the book with executed chapters.
    made : str
        Folder that gets ``_build/html``.
    """
    import pybtex.plugin
    from jupyter_book.cli.main import main

    # pybtex looks through all installed packages at each of some hundred citations.
    pybtex.plugin.entry_points = functools.cache(pybtex.plugin.entry_points)
    # Pages stay in memory until written: searching them for garbage again and again finds none.
    gc.set_threshold(200_000, 50, 1000)
    # -n: a broken reference is a warning; -W: a warning is an error; --keep-going: show all of them.
    main(["build", stage, "--path-output", made, "-n", "-W", "--keep-going", "-q"])


if __name__ == "__main__":
    render(*sys.argv[1:])
