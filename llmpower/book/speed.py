"""Sphinx extension that halves the time Jupyter Book takes for our pages, and changes nothing on them."""

import functools
import gc
import os


def setup(app):
    """Called by Sphinx, since `llmpower.book.build` adds this module to the extensions of the staged book."""
    import pybtex.plugin
    import pybtex.richtext
    from pybtex.style.formatting import BaseStyle
    from sphinx.search.en import SearchEnglish

    # pybtex looks through all installed packages at each citation, and decodes each field of an entry twice.
    pybtex.plugin.entry_points = functools.cache(pybtex.plugin.entry_points)
    decode = functools.cache(pybtex.richtext.Text.from_latex)
    pybtex.richtext.Text.from_latex = staticmethod(decode)
    # sphinxcontrib-bibtex formats each entry for the list and again for its tooltips; Sphinx stems each page anew.
    style, formatted = BaseStyle.format_entry, {}
    BaseStyle.format_entry = lambda self, label, entry, bib_data=None: (
        formatted.get((self, label, entry.key))
        or formatted.setdefault((self, label, entry.key), style(self, label, entry, bib_data))
    )
    SearchEnglish.stem = functools.cache(SearchEnglish.stem)
    # Pages stay in memory until the process ends: searching them for garbage again and again finds none.
    gc.disable()
    # Pages are written side by side. Not read: some extensions do not say whether they allow it.
    app.connect("env-updated", lambda app, env: setattr(app, "parallel", os.cpu_count() or 1))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
