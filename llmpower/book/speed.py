"""Sphinx extension that halves the time Jupyter Book takes for our pages, and changes nothing on them."""

import functools
import os
import re

# What LaTeX leaves as it is.
_PLAIN = re.compile(r"[A-Za-z0-9.,:;()/+@]+(?:[ -][A-Za-z0-9.,:;()/+@]+)*")


def setup(app):
    """Called by Sphinx, since `llmpower.book.build` adds this module to the extensions of the staged book."""
    import pybtex.plugin
    from docutils.nodes import Node
    from pybtex.richtext import Text
    from pybtex.style.formatting import BaseStyle
    from sphinx.domains.std import StandardDomain
    from sphinx.search.en import SearchEnglish

    # pybtex looks through all installed packages at each citation, and decodes each field of an entry twice.
    pybtex.plugin.entry_points = functools.cache(pybtex.plugin.entry_points)
    decode = Text.from_latex
    Text.from_latex = staticmethod(functools.cache(lambda one: Text(one) if _PLAIN.fullmatch(one) else decode(one)))
    # sphinxcontrib-bibtex formats each entry for the list and again for its tooltips; Sphinx stems each page anew.
    style, formatted = BaseStyle.format_entry, {}
    BaseStyle.format_entry = lambda self, label, entry, bib_data=None: (
        formatted.get((self, label, entry.key))
        or formatted.setdefault((self, label, entry.key), style(self, label, entry, bib_data))
    )
    SearchEnglish.stem = functools.cache(SearchEnglish.stem)
    # Sphinx reads a whole page for the number of each figure that is referred to, and looks at it only.
    numref = StandardDomain._resolve_numref_xref
    StandardDomain._resolve_numref_xref = lambda self, env, *asked: numref(self, _Once(env), *asked)
    # A page is looked through for each of some fifty kinds of nodes.
    every = Node.findall
    Node.findall = lambda self, *asked, **how: _found(every, self, *asked, **how)
    # Pages are written side by side, a few by each process, while this one gets the next ready. They are not read so:
    # some extensions do not say whether they allow it.
    app.connect("env-updated", lambda app, env: setattr(app, "parallel", 1 + 2 * (os.cpu_count() or 1)))
    return {"parallel_read_safe": True, "parallel_write_safe": True}


class _Once:
    """Sphinx's environment, which reads each page once."""

    pages = {}

    def __init__(self, env):
        self._env = env

    def __getattr__(self, name):
        return getattr(self._env, name)

    def get_doctree(self, name):
        """A page, not to be changed."""
        return self.pages.get(name) or self.pages.setdefault(name, self._env.get_doctree(name))


def _found(every, node, condition=None, include_self=True, descend=True, siblings=False, ascend=False):
    """What docutils finds in a tree, in its order, without a generator for each node of it; every: what it does."""
    if siblings or ascend or not (descend and include_self):
        yield from every(node, condition, include_self, descend, siblings, ascend)
        return
    holds = condition.__instancecheck__ if isinstance(condition, type) else condition or bool
    if holds(node):
        yield node
    waiting = [iter(node.children)]
    while waiting:
        for child in waiting[-1]:
            if holds(child):
                yield child
            if child.children:
                waiting.append(iter(child.children))
                break
        else:
            waiting.pop()
