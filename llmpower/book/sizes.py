"""How large each room of the package is, against the budget that ``pyproject.toml`` gives it."""

import ast
import tomllib

# Parts of the package that are read together, beside its rooms and the whole.
_SPINE = ("facts", "formulas", "step", "estimate")


def lines_of(path):
    """Lines of a module, and those of them that are code: neither blank, comment nor docstring."""
    text = path.read_text(encoding="utf-8")
    doc = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            doc.update(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    lines = text.splitlines()
    code = [line for number, line in enumerate(lines, start=1) if number not in doc and line.strip()]
    return len(lines), sum(not line.lstrip().startswith("#") for line in code)


def sizes(package):
    """Lines and lines of code of every room, a folder or a module at the top, of the spine and of the whole."""
    rooms = {}
    for path in package.rglob("*.py"):
        room = path.relative_to(package).parts[0].removesuffix(".py")
        rooms[room] = _sum([rooms.get(room, (0, 0)), lines_of(path)])
    spine = _sum(found for room, found in rooms.items() if room in _SPINE)
    return {**dict(sorted(rooms.items())), "spine": spine, "package": _sum(rooms.values())}


def _sum(pairs):
    return tuple(sum(numbers) for numbers in zip(*pairs))


def against_budget(book):
    """A line for every room, and a problem for each one that is above its budget; nothing outside a checkout."""
    project = book / "pyproject.toml"
    tool = tomllib.loads(project.read_text(encoding="utf-8")).get("tool", {}) if project.is_file() else {}
    budget = tool.get("llmpower", {}).get("budget", {})
    told, problems = [], []
    for room, found in sizes(book / "llmpower").items() if budget else ():
        line = f"{room:12}{found[0]:7,} lines,{found[1]:6,} of code"
        if room in budget:
            line += "; budget{:7,},{:6,}".format(*budget[room])
            if any(size > most for size, most in zip(found, budget[room])):
                problems.append(f"{room}: {found[0]:,} lines, {found[1]:,} of code, above its budget in pyproject.toml")
        told.append(line)
    return told, problems
