"""The text of the book as plain Markdown, for a Jupyter that knows no MyST."""

import re

# What a text may name: numbers, sources, figures and pages, equations.
KINDS = ("glue", "cite", "ref", "eq")
_ROLE = re.compile(r"\{([a-z]+(?::[a-z]+)?)\}`([^`]*)`")
_FENCE = re.compile(
    r"^(?P<fence>`{3,}|:{3,})\{(?P<name>[\w-]+)\}[ \t]*(?P<title>.*)\n(?P<body>(?:.*\n)*?)(?P=fence)[ \t]*$",
    re.MULTILINE,
)
_OPTION = re.compile(r"^:([\w-]+):[ \t]*(.*)\n", re.MULTILINE)
# Emphasis that holds a number; the number needs none of its own there.
_STRONG = re.compile(r"\*\*[^*\n]*\{glue:text\}[^*\n]*\*\*")
_LABEL = re.compile(r"^\([\w-]+\)=\n", re.MULTILINE)


def resolve(text, known):
    """Replace roles and directives by ordinary Markdown.

    Parameters
    ----------
    text : str
        MyST Markdown.
    known : dict
        For each of `KINDS` what its names stand for: ``glue`` name -> text;
        ``cite`` key -> (author, year, address or ""); ``ref`` label -> (title,
        address or ""); ``eq`` label -> number. A name that is not there is
        printed as it is.

    Returns
    -------
    text : str

    Examples
    --------
    >>> known = {"glue": {"cost": "13.0 J"}, "cite": {"a1974": ("Ada", "1974", "")}, "ref": {}, "eq": {}}
    >>> resolve("It takes {glue:text}`cost` {cite}`a1974`, says {cite:t}`a1974`.", known)
    'It takes **13.0 J** (Ada 1974), says Ada (1974).'
    """
    text = _LABEL.sub("", text)
    while _FENCE.search(text):
        text = _FENCE.sub(lambda found: _directive(found, known), text)
    text = _STRONG.sub(
        lambda found: re.sub(r"\{glue:text\}`([^`]*)`", lambda one: _glued(one[1], known), found[0]), text
    )
    return _ROLE.sub(lambda found: _role(*found.groups(), known), text)


def _role(name, content, known):
    words, _, target = content.removesuffix(">").rpartition(" <") if content.endswith(">") else (content, "", content)
    if name == "glue:text":
        return f"**{_glued(content, known)}**"
    if name in ("cite", "cite:t"):
        return _citation(content.split(","), name == "cite:t", known)
    if name == "eq":
        return f"equation {known['eq'].get(content, content)}"
    if name in ("ref", "numref", "doc"):
        title, address = known["ref"].get(target.lstrip("/"), (target, ""))
        return _link(title if words == content else words, address)
    return words


def _glued(content, known):
    # A name of another chapter, with "::", may end in a format such as ":s".
    key = re.sub(r"(?<!:):\w+$", "", content)
    return known["glue"].get(key, key)


def _citation(keys, textual, known):
    found = [known["cite"].get(key.strip(), (f"`{key.strip()}`", "", "")) for key in keys]
    if textual:
        return ", ".join(_link(f"{author} ({year})" if year else author, address) for author, year, address in found)
    return "(" + ", ".join(_link(f"{author} {year}".strip(), address) for author, year, address in found) + ")"


def _link(words, address):
    # Brackets inside the words would end the link.
    return f"[{words.replace('[', '(').replace(']', ')')}]({address})" if address else words


def _directive(found, known):
    name, title, body = found["name"], found["title"].strip(), found["body"]
    options = dict(_OPTION.findall(body.partition("\n\n")[0] + "\n"))
    body = re.sub(r"\A(?::[\w-]+:.*\n)+", "", body).strip("\n")
    if name == "math":
        number = known["eq"].get(options.get("label"))
        return "$$\n" + body + (f" \\tag{{{number}}}" if number else "") + "\n$$"
    if name == "grid":
        return body + "\n"
    if name == "grid-item-card":
        address = known["ref"].get(options.get("link"), ("", ""))[1]
        return f"- {_link(title, address)}: {' '.join(body.split())}"
    if name == "exercise":
        return f"### Exercise: {title}\n\n{body}"
    if name == "solution-start":
        return f"#### Solution: {known['ref'].get(title, (title, ''))[0]}"
    if name == "solution-end":
        return ""
    if name == "tableofcontents":
        return "\n".join(f"- {_link(title, address)}" for title, address in known["ref"]["contents"])
    return "\n".join(f"> {line}".rstrip() for line in [f"**{title or name.capitalize()}**", "", *body.split("\n")])
