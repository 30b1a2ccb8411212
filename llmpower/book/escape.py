"""Text of the data in Markdown: it stands there as it is, whatever Markdown, HTML or MyST would make of it."""

import re

from jinja2 import pass_eval_context
from markupsafe import Markup


def escaped(words):
    """Text of the data that stands in Markdown: no role, no column, no HTML, no emphasis of its own."""
    return re.sub(r"([\\|*_`$<&{\[])", r"\\\1", words)


@pass_eval_context
def filled_in(context, value):
    """What a template puts in for a value: text is escaped, unless the template says that it is Markdown or HTML."""
    bare = context.autoescape and isinstance(value, str) and not isinstance(value, Markup)
    return Markup(escaped(value)) if bare else value
