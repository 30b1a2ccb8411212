"""A Sphinx extension: what the renderers leave out for readers who do not see the page."""

_REPAIRS = {
    # The corner of a table with named rows heads nothing.
    '<th class="head text-left"><p></p></th>': '<td class="head text-left"></td>',
    '<th class="head': '<th scope="col" class="head',
    # docutils calls the bibliography a list, but none of its entries an item.
    '<div role="list" class="citation-list">': '<div class="citation-list">',
    # The words on it, which differ when it is open, are the better name.
    '<summary aria-label="Toggle hidden content">': "<summary>",
}


def repair(body):
    """HTML of a page, as Sphinx made it, with heads, lists and names that assistive software understands."""
    for old, new in _REPAIRS.items():
        body = body.replace(old, new)
    return body


def _dress(app, pagename, templatename, context, doctree):
    if "body" in context:
        context["body"] = repair(context["body"])


def setup(app):
    """Called by Sphinx."""
    app.connect("html-page-context", _dress)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
