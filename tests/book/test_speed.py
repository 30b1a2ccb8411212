"""What makes Jupyter Book quicker finds, decodes and publishes the same."""

import functools
import random

import pytest
from docutils import nodes
from pybtex.database import parse_file
from pybtex.richtext import Text
from sphinx.util.nodes import NodeMatcher

from llmpower.book import speed
from tests.conftest import BOOK

KINDS = (nodes.section, nodes.paragraph, nodes.emphasis)


def tree(seed, depth=5):
    """A document with sections, paragraphs, emphasis and text, nested by chance."""
    chance = random.Random(seed)

    def grown(parent, left):
        for number in range(chance.randrange(5)):
            kind = chance.choice((*KINDS, nodes.Text)) if left else nodes.Text
            child = nodes.Text(f"{left}.{number}") if kind is nodes.Text else kind(names=[f"{left}.{number}"])
            parent.append(child)
            if kind is not nodes.Text:
                grown(child, left - 1)
        return parent

    return grown(nodes.section(), depth)


def both(asked):
    """What docutils finds in twenty trees, and what we find in their like, each as words."""
    ours = functools.partial(speed._found, nodes.Node.findall)
    return ([list(map(str, asked(find, tree(seed)))) for seed in range(20)] for find in (nodes.Node.findall, ours))


@pytest.mark.parametrize(
    "condition",
    (
        None, nodes.Text, nodes.Element, nodes.emphasis, NodeMatcher(nodes.paragraph, nodes.section),
        lambda node: "3." in str(node)[:20],
    ),
)  # fmt: skip
@pytest.mark.parametrize(
    "how", ({}, {"include_self": False}, {"descend": False}, {"siblings": True}, {"ascend": True, "descend": False})
)
def test_nodes_are_found_as_docutils_finds_them(condition, how):
    # From every node of a tree.
    theirs, ours = both(lambda find, one: [found for node in find(one) for found in find(node, condition, **how)])
    assert ours == theirs and sum(map(len, theirs))


def test_a_tree_that_changes_meanwhile_is_followed_as_docutils_does():
    def emptied(find, one):
        """Each paragraph that is found loses its first child and gets another one at the end."""
        for node in find(one, nodes.paragraph):
            yield node
            del node[:1]
            node.append(nodes.emphasis() if len(node) % 2 else nodes.Text("new"))

    theirs, ours = both(emptied)
    assert ours == theirs and sum(map(len, theirs)) > 100


def test_what_latex_leaves_as_it_is_is_not_decoded():
    """Every text of the bibliography for which decoding is left out, decoded by pybtex; and what must be decoded."""
    fields = {
        text for entry in parse_file(BOOK / "data/references.bib").entries.values() for text in entry.fields.values()
    }
    plain = [text for text in fields if speed._PLAIN.fullmatch(text)]
    assert len(plain) > 300
    for text in plain:
        assert Text.from_latex(text) == Text(text)
    for text in ("pages 3--5", "a  b", r"M\"uller", "{NVIDIA}", "~", "", "it's", "a - b"):
        assert not speed._PLAIN.fullmatch(text)
