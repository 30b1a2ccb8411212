"""A Sphinx extension: what the renderers leave out for readers who do not see the page, or read it on paper."""

_REPAIRS = {
    # The corner of a table with named rows heads nothing.
    '<th class="head text-left"><p></p></th>': '<td class="head text-left"></td>',
    '<th class="head': '<th scope="col" class="head',
    # docutils calls the bibliography a list, but none of its entries an item.
    '<div role="list" class="citation-list">': '<div class="citation-list">',
    # On a phone its box may scroll, so the keyboard must reach it.
    '<div class="math ': '<div tabindex="0" class="math ',
    # The words on it, which differ when it is open, are the better name.
    '<summary aria-label="Toggle hidden content">': "<summary>",
}


def _repair(app, pagename, templatename, context, doctree):
    """Give a page heads, lists and names that assistive software understands."""
    if "body" in context:
        for old, new in _REPAIRS.items():
            context["body"] = context["body"].replace(old, new)


def _share(app):
    """Let what extensions do for pages hold for the book on one page, which is printed, too."""
    handlers = app.registry.translation_handlers
    handlers["singlehtml"] = {**handlers.get("html", {}), **handlers.get("singlehtml", {})}


def setup(app):
    """Called by Sphinx."""
    app.connect("builder-inited", _share)
    app.connect("html-page-context", _repair)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
