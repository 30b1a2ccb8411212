"""Follows a chapter with traced parameters while it runs, so that its page can compute what it shows.

After each cell its statements that read a parameter are done once more, with numbers that are not known yet
(`llmpower.trace`). What a chapter then shows, prints and draws holds marks in place of numbers: the page fills them in.
A statement that asks more than arithmetic fails here, and what it printed needs a run: the page says so.
A list of names or numbers stays what it is in the run: what reads one follows the other parameters, and needs a run
once the list is another.

Nothing is declared, and nothing is believed: with the parameters of the run the marks must give what the run printed,
to the letter, or the print stays as it is.
"""

import ast
import functools
import inspect
import json
import math
import os
import pathlib
import re
import types

from llmpower import symbolic
from llmpower.book import parameters, records
from llmpower.book.escape import escaped
from llmpower.facts import catalog
from llmpower.facts.quantities import quantities
from llmpower.ranges import Range
from llmpower.text import text, unit_text
from llmpower.trace import Number, Tape, TraceError, compact, traced

# Tells a kernel to follow its chapter: path of the notebook and the values it runs with.
ASKED = "LLMPOWER_LIVING"
FILE = "living.json"
_MARK = re.compile("\ue000(\\d+)\ue001")
# A longer text than so many letters is no label; the name stands for it.
_LABEL = 70
# What the page is told even where no parameter is read.
_ALWAYS = ("report.moving", "report.compare", "report.alt", "report.substitute")
# What IPython makes of a magic, and of a command of the shell.
_MAGICS = {"run_line_magic", "run_cell_magic", "system", "getoutput"}
_CHANGING = {"append", "extend", "update", "setdefault", "insert", "add", "sort"}
_DRAWING = re.compile(r"matplotlib|llmpower\.figures(?!\.moving)")


def follower():
    """A `Follower` if this kernel was asked for one, else None."""
    asked = os.environ.get(ASKED)
    return Follower(*json.loads(asked)) if asked else None


class _Undrawn:
    """Stands for a module that draws: its names are known, but nothing is drawn twice."""

    def __init__(self, module):
        self._module = module

    def __getattr__(self, name):
        found = getattr(self._module, name)
        if callable(found):
            raise AttributeError(f"{name} has drawn already")
        return found


def _options(one):
    """What a reader may choose for a parameter, and what each choice is in the kernel."""
    kind = one.quantity.type
    if kind == "accelerator":
        return [name for name in catalog.names(kind) if catalog.accelerator(name).category != "system"]
    if kind == "model":
        return catalog.names(kind)
    if kind == "format":
        # A page holds a number for each; a reader of its notebook may name any.
        return [name for name in catalog.names(kind) if catalog.number_format(name).get("common")]
    # Nothing is a choice, too, where it is the default.
    return [*[""] * (one.default == ""), *one.quantity.choices] if kind == "choice" else None


class Follower:
    """Does the statements of a chapter again with traced parameters, and keeps what they print."""

    def __init__(self, path, values):
        self.tape, self.names, self.cells, self.glue, self.figures, self.equations = Tape(), {}, [], {}, {}, {}
        self.taint, self.reads, self.inputs, self.current, self.why = {}, {}, {}, None, []
        self.compared, self.alts = {}, {}
        self.kept, self.needed = set(), set()
        self.known = parameters.parameters(path)
        for one in self.known.values():
            value, options = values[one.name], _options(one)
            self.taint[one.name] = {one.name}
            quantity = one.quantity
            short = quantity.help.partition(",")[0]
            short = short if len(short) < _LABEL and quantity.type != "choice" else one.name.replace("_", " ")
            label = {
                "label": short,
                "help": quantity.help,
                "unit": "" if quantity.unit == "1" else unit_text(quantity.unit),
            }
            # A reader's own number of the run itself.
            label |= {"given": True} if value != one.default else {}
            self.inputs[one.name] = label | {"value": value}
            if options and value in options:
                self.inputs[one.name] = label | {"value": options.index(value), "options": options}
                self.names[one.name] = self.tape.choice(one.name, options)
            elif quantity.type in ("int", "float") and value != "":
                self._number(one)
            else:
                self.names[one.name] = value
                self.kept.add(one.name)

    def cell(self, source, known, prints, number):
        """Follow a cell that has run.

        known: the names of the kernel; prints: line and sentences of each print of the run; number: that of the cell.
        """
        self.current = {"number": number, "prints": prints, "traced": [], "waits": {}, "shown": {}, "needs": set()}
        self.current |= {"lines": {}, "drawn": None}
        self.cells.append(self.current)
        # Kernels have loaded it; a build need not.
        from IPython import get_ipython
        from IPython.utils.capture import capture_output

        try:
            statements = ast.parse(source).body
        except SyntaxError:
            # Python and what IPython has besides, such as %time.
            statements = ast.parse(get_ipython().transform_cell(source)).body
        if any(
            isinstance(one, ast.Assign | ast.AnnAssign) and _written(one) & self.inputs.keys() for one in statements
        ):
            return
        tainted = self._tainted(statements)
        for name, value in known.items():
            if not name.startswith("_") and name not in self.taint and name not in self.inputs:
                module = isinstance(value, types.ModuleType)
                self.names[name] = _Undrawn(value) if module and _DRAWING.match(value.__name__) else value
        with self.tape, capture_output() as said:
            for one, needs in zip(statements, tainted):
                self.needed = needs & self.kept
                self.current["lines"] |= dict.fromkeys(range(one.lineno, one.end_lineno + 1), needs)
                again = needs or isinstance(one, ast.FunctionDef) or isinstance(getattr(one, "value", 0), ast.Lambda)
                # A figure that no parameter moves can be explored, and an equation filled in.
                again = again or _called(getattr(one, "value", None)) in _ALWAYS
                for part in self._parts(one) if again else ():
                    self._do(part)
        if said.stdout or said.stderr or said.outputs:
            # It printed by itself, and not by `report`: that needs a run.
            self.current["needs"] |= set().union(*tainted)
        last = statements[-1] if statements else None
        if isinstance(last, ast.Expr) and not _called(last.value).startswith("report."):
            # Jupyter shows its value.
            self.current["needs"] |= self._needs(last)

    def _do(self, statement):
        try:
            if any([*_in_magic(one)] for one in ast.walk(statement)):
                raise TraceError("a magic is not done again")
            module = ast.fix_missing_locations(ast.Module([statement], []))
            exec(compile(module, "<living>", "exec"), self.names)
        except Exception as error:
            self.why.append(f"{ast.unparse(statement)[:60]}: {type(error).__name__}: {error}")
            self.current["needs"] |= self._needs(statement)
            for name in _written(statement) - self.inputs.keys():
                self.names.pop(name, None)

    def _parts(self, statement):
        """A statement as it is done again: several numbers one by one, and sentences apart, so that each may fail."""
        call = statement.value if isinstance(statement, ast.Expr) else None
        name = _called(call)
        if call is None:
            # Numbers that are shown in a branch or a loop.
            for one in ast.walk(statement):
                if _called(one) == "report.show":
                    shown = [keyword.arg for keyword in one.keywords] or [getattr(one.args[0], "value", None)]
                    self.current["waits"] |= dict.fromkeys(shown, self._needs(statement))
        if name == "report.show":
            for keyword in call.keywords:
                self.current["waits"][keyword.arg] = self._needs(keyword.value)
            if len(call.keywords) > 1:
                calls = (ast.Call(call.func, call.args, [one]) for one in call.keywords)
                return [ast.copy_location(ast.Expr(ast.copy_location(one, call)), statement) for one in calls]
            if len(call.args) > 1 and isinstance(call.args[0], ast.Constant):
                self.current["waits"][call.args[0].value] = self._needs(call.args[1])
        if name == "report.say":
            self.current["waits"][call.lineno] = [self._needs(one) for one in call.args]
            call.args = [_later(one) for one in call.args]
        return [statement]

    def _needs(self, tree, seen=()):
        """Parameters that code depends on, by the names it reads and the functions among them."""
        found = set()
        for name in _read(tree) - {*seen}:
            found |= self.taint.get(name, set())
            if name in self.reads:
                found |= self._needs(self.reads[name], {*seen, name})
        return found

    def _tainted(self, statements):
        """The parameters that each statement depends on; what one of them writes depends on them, too."""
        for one in statements:
            if isinstance(one, ast.FunctionDef):
                self.reads[one.name] = one
            elif isinstance(getattr(one, "value", None), ast.Lambda):
                self.reads |= dict.fromkeys(_written(one), one.value)
        # What is bound anew no longer depends on what it was, unless that is read before, or in making it.
        read = set()
        for one in statements:
            read |= _read(one)
            if isinstance(one, ast.Assign):
                for name in _written(one) - read - self.inputs.keys():
                    self.taint.pop(name, None)
        grows = True
        while grows:
            grows = False
            for one in statements:
                needs = self._needs(one)
                for name in _written(one) - self.inputs.keys() if needs else ():
                    grows = grows or bool(needs - self.taint.get(name, set()))
                    self.taint[name] = self.taint.get(name, set()) | needs
        found = []
        for one in statements:
            written = set().union(set(), *(self.taint.get(name, set()) for name in _written(one) - self.inputs.keys()))
            found.append(self._needs(one) | written)
        return found

    # What `report` hands over while a statement is done again.

    def show(self, name, value, unit):
        """A number or a name that the text may show."""
        ends = (value.low, value.central, value.high) if isinstance(value, Range) else (value,)
        shown = text(value, unit) if isinstance(value, Range) or isinstance(value, (Number, int, float)) else str(value)
        moves = traced(*ends) or _MARK.search(shown)
        kept = self.current["waits"].get(name, self.needed) & self.kept
        self.current["shown"][name] = shown if moves else None, kept

    def printed(self, line, what):
        """A print: text; or sentences, of which None is one that failed; or what makes it when all is known."""
        self.current["traced"].append((line, what))

    def sentences(self, later):
        """Sentences of `say`, each done by itself."""
        found = []
        for one in later:
            try:
                said = one() if callable(one) else one
                found += map(str, said) if isinstance(said, tuple) else [str(said)]
            except Exception as error:
                self.why.append(f"a sentence: {type(error).__name__}: {error}")
                found.append(None)
        return found

    def among(self, name, others):
        """A choice that the page follows but for others of its options, in whose place another one stands here."""
        options = self.inputs[name].get("options", [])
        followed = [one for one in options if one not in others]
        if len(followed) < 2:
            return self.names[name]
        self.inputs[name]["again"] = [place for place, one in enumerate(options) if one in others]
        return self.tape.choice(name, [one if one in followed else followed[0] for one in options])

    def optional(self, name):
        """A number that the page follows though it may be left out; it is not a number then."""
        if name in self.kept:
            value = self.names[name]
            self._number(self.known[name])
            self.inputs[name] |= {"value": None if value == "" else value, "optional": True}
            self.kept.remove(name)
        return self.names[name]

    def _number(self, one):
        """Let a parameter be a number that the page knows."""
        name, quantity = one.name, one.quantity
        self.inputs[name] |= {"low": quantity.low, "high": quantity.high, "whole": quantity.type == "int"}
        self.names[name] = self.tape.input(name)

    def substituted(self, *equation):
        """An equation into which the page can put numbers: its formula, whose they are, they, and the result."""
        self.equations[equation[0].__name__] = *equation, self.needed & self.kept

    def alt(self, name, words):
        """Alternative text of a figure: at first what the run has, then the same as it follows."""
        self.alts.setdefault(name, []).append((words, self.needed))

    def figure(self, name, specification, rows, heads):
        """A figure that moves: rows of plain values and traced numbers; heads of columns, where they are not fields."""
        fields = list(dict.fromkeys(field for row in rows for field in row))
        rows = [[row.get(field) for field in fields] for row in rows]
        # What a row lacks at its end is not written.
        rows = [row[: 1 + max(at for at, cell in enumerate(row) if cell is not None)] for row in rows]
        self.current["drawn"] = self.needed
        heads = [heads.get(field, field) for field in fields]
        self.figures[name] = {"spec": specification, "fields": fields, "heads": heads, "rows": rows}

    # What is known when the chapter is through.

    def written(self, folder):
        """Write what the page needs into a folder: texts with places for numbers, and the program behind them."""
        with self.tape:
            folder.joinpath(FILE).write_text(compact(self._left()), encoding="utf-8")
        if told := os.environ.get("LIVING_WHY"):
            pathlib.Path(told).write_text("\n".join(self.why), encoding="utf-8")

    def _moved(self, name):
        """Marks of a control for the table of parameters: whether it has moved, and its value; nothing of lists."""
        one, tape = self.inputs[name], self.tape
        if "options" in one:
            words = [word or "(none)" for word in one["options"]]
            place, moved = (
                tape.table({name: len(words)}, [*map(float, values)])
                for values in (range(len(words)), [at != one["value"] for at in range(len(words))])
            )
            return tape.shown("case", moved, "", ""), tape.shown("words", place, words)
        if "high" not in one:
            return None
        value, was = tape.input(name), one["value"]
        # What may be left out is no number then.
        given, left_out = (1, 0) if was is None else ((value - was) ** 2, 1)
        moved = tape.put("positive", 1 + value**2, given, left_out)
        return tape.shown("case", moved, "", ""), f"{value:.12g}"

    def _left(self):
        moved = {name: self._moved(name) for name in self.inputs}
        self._outputs, self._sets = [what for _, *what in self.tape.outputs.values()], []
        equations = {name: [*given, result] for name, (*_, given, result, _) in self.equations.items()}
        cells = [cell for one in self.figures.values() for row in one["rows"] for cell in row]
        parts = [one for _, *what in self._outputs for one in what] + cells + sum(equations.values(), [])
        wanted = list({id(one): one for one in parts if isinstance(one, Number)}.values())
        state = {name: math.nan if one["value"] is None else one["value"] for name, one in self.inputs.items()}
        self._values = dict(zip(map(id, wanted), self.tape.values(wanted, state)))
        self._places = {id(one): place for place, one in enumerate(wanted)}
        pages = {str(cell["number"]): self._page(cell) for cell in self.cells}
        glue = {}
        for cell in self.cells:
            glue |= {
                name: {"waits": self._set(on)} for name, on in cell["waits"].items() if isinstance(name, str) and on
            }
            for name, (shown, kept) in cell["shown"].items():
                glue.pop(name, None)
                if shown:
                    glue[name] = self._following(shown, kept)
                elif kept:
                    glue[name] = {"waits": self._set(kept)}
        used = {
            name: [int(_MARK.search(one[0])[1]), self.spans(one[1])] if one else self._set({name})
            for name, one in moved.items()
        }
        marks = {name: shown for cell in self.cells for name, (shown, _) in cell["shown"].items()}
        equations = {f"eq-{name.replace('_', '-')}": self._equation(*one) for name, one in self.equations.items()}
        page = {
            "inputs": self.inputs,
            "outputs": [[how, *map(self._place, what[:1] if how == "case" else what)] for how, *what in self._outputs],
            "waits": [sorted(one) for one in self._sets],
            "compared": [[label, int(_MARK.search(marks[name])[1])] for label, name in self.compared.items()],
            "figures": {
                name: one
                | {
                    "rows": [
                        [[cell] if isinstance(cell, str) else self._place(cell) for cell in row] for row in one["rows"]
                    ],
                    **self._alt(name),
                }
                for name, one in self.figures.items()
            },
            "equations": equations,
        }
        return {
            "glue": glue,
            "cells": pages,
            "used": used,
            "page": page,
            "program": self.tape.javascript("compute", wanted),
        }

    def _place(self, one):
        """Where the page finds a value: its place among the results, or itself in a list; texts are as they are."""
        if isinstance(one, Number):
            return self._places[id(one)]
        return one if isinstance(one, (str, list)) else [one]

    def _alt(self, name):
        """What a page says of a figure that has moved, unless a list has; nothing if that does not follow."""
        (told, _), *again = self.alts.get(name, [("", set())])
        said = [(marked, kept) for marked, kept in again if self._agrees(marked, told)]
        return {"alt": self._said(said[0][0]), "kept": sorted(said[0][1])} if said else {}

    def _said(self, marked):
        """A text as a page puts it together: texts, places of outputs, and branches by the place of what decides."""
        parts = _MARK.split(marked)
        for place, number in [*enumerate(parts)][1::2]:
            how, *what = self._outputs[int(number)]
            case = how == "case"
            parts[place] = [self._place(what[0]), *map(self._said, what[1:])] if case else int(number)
        return parts

    def _equation(self, formula, of, given, result, kept):
        names = [*inspect.signature(formula).parameters, formula.__name__]
        *terms, result = ([self._place(one), quantities()[name].unit] for one, name in zip([*given, result], names))
        marks = {name: f"@{place}@" for place, name in enumerate(names[:-1])}
        found = {"latex": symbolic.latex(formula, marks), "of": of, "terms": terms, "result": result}
        # Lists that it was made from are not followed.
        return found | {"kept": f"w{self._set(kept)}" if kept else ""}

    def _set(self, needs):
        if needs not in self._sets:
            self._sets.append(needs)
        return self._sets.index(needs)

    def _page(self, cell):
        """Prints of a cell by their place, as MyST with places for numbers; what needs a run says on what."""
        found, again = {}, {}
        for line, what in cell["traced"]:
            again.setdefault(line, []).append(what)
        for place, (line, sentences, whole) in enumerate(cell["prints"]):
            what = again[line].pop(0) if again.get(line) else None
            if callable(what):
                what = what(self.filled)
            needs, reads = cell["waits"].get(line), cell["lines"].get(line, set())
            kept = reads & self.kept
            if isinstance(what, list) and len(what) == len(sentences):
                parts = []
                for number, (one, told) in enumerate(zip(what, sentences)):
                    if one is not None and self._agrees(one, told):
                        parts.append(
                            self._following(one, needs[min(number, len(needs) - 1)] & self.kept if needs else kept)
                        )
                    elif told:
                        on = needs[min(number, len(needs) - 1)] if needs else cell["needs"]
                        parts.append(self._waiting(told, on) if on else told)
                found[str(place)] = "\n".join(filter(None, parts))
            elif isinstance(what, str) and self._agrees(what, whole):
                found[str(place)] = self._following(what, kept, block=True)
            elif reads or cell["needs"]:
                found[str(place)] = self._waiting(whole, reads or cell["needs"], block=True)
        waits = cell["needs"] if cell["drawn"] is None else cell["drawn"]
        return {"prints": found, "waits": self._set(waits) if waits else None}

    def _following(self, marked, kept, block=False):
        """A text with places for what moves, which needs a run once a list that it was made from is another."""
        return self._waiting(self.spans(marked), kept, block) if kept else self.spans(marked)

    def _waiting(self, told, needs, block=False):
        """A text that needs a run once one of some parameters has moved."""
        names = f"waits w{self._set(needs)}"
        if block or "```" in told:
            return f"::::::{{div}} {names}\n{told}\n::::::"
        return f"[{told}]{{.{names.replace(' ', ' .')}}}"

    def _agrees(self, marked, told):
        return _lean(self.filled(marked)) == _lean(told)

    def filled(self, marked):
        """A text with its marks filled in, as the run had it."""
        return _MARK.sub(lambda found: self.filled(self._shown(int(found[1]))), str(marked))

    def spans(self, marked):
        """The same as MyST, with a place for what moves."""

        def span(found):
            number = int(found[1])
            how, *what = self._outputs[number]
            if how != "case":
                return f"[{escaped(records.tied(self._shown(number)))}]{{.k{number}}}"
            texts = ((one, self.spans(text)) for one, text in zip((1, 0), what[1:]))
            true = self._shown(number) == what[1]
            return "".join(
                f"[{text}]{{.c{number}-{one}{'' if one == true else ' .off'}}}" for one, text in texts if text
            )

        # Nothing moves inside of code.
        return _MARK.sub(span, re.sub("`(\ue000\\d+\ue001)`", r"\1", marked))

    def _at(self, one):
        return self._values[id(one)] if isinstance(one, Number) else one

    def _shown(self, number):
        how, *what = self._outputs[number]
        if how == "case":
            return what[1] if self._at(what[0]) > 0 else what[2]
        if any(isinstance(one, float) and math.isnan(one) for one in map(self._at, what[:1])):
            return "–"
        if how == "words":
            return what[1][int(self._at(what[0]))]
        if how == "format":
            value = self._at(what[0])
            return format(int(value) if what[1] in ("", ",", "d") and value == int(value) else value, what[1])
        *numbers, unit = what
        central, *ends = map(self._at, numbers)
        return text(Range(ends[0], central, ends[1]) if ends else central, unit)


def _lean(text):
    """A text without what only makes its source look neat: the widths of columns, and of spaces."""
    return re.sub(r":?-{3,}:?", "-", re.sub(r"\s+", " ", text))


_SCOPES = (ast.FunctionDef, ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def _local(tree):
    """Names that a function or a comprehension has for itself."""
    found = {one.id for one in ast.walk(tree) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)}
    return found | {one.arg for one in ast.walk(tree) if isinstance(one, ast.arg)}


def _in_magic(tree):
    """What a magic of IPython is given, such as the rest of a line with %time: as code, or else the names in it."""
    if not isinstance(tree, ast.Call) or getattr(tree.func, "attr", "") not in _MAGICS:
        return
    for given in (one.value for one in tree.args if isinstance(one, ast.Constant) and isinstance(one.value, str)):
        try:
            yield ast.parse(given)
        except SyntaxError:
            yield from (ast.Name(word, ast.Load()) for word in re.findall(r"[A-Za-z_]\w*", given))


@functools.cache
def _read(tree):
    """Names that code reads from outside."""
    found = set().union(*map(_read, ast.iter_child_nodes(tree)))
    found = found.union(*map(_read, _in_magic(tree)))
    if isinstance(tree, ast.Name) and isinstance(tree.ctx, ast.Load):
        found.add(tree.id)
    if isinstance(tree, _SCOPES):
        # What it begins with is read before it has names of its own.
        given = getattr(tree, "args", None)
        first = [*given.defaults, *filter(None, given.kw_defaults)] if given else [tree.generators[0].iter]
        found = (found - _local(tree)).union(*map(_read, first))
    return frozenset(found)


@functools.cache
def _written(tree):
    """Names that a statement binds, or whose objects it changes."""
    found = set().union(*map(_written, (*ast.iter_child_nodes(tree), *_in_magic(tree))))
    if isinstance(tree, _SCOPES):
        found -= _local(tree)
    if isinstance(tree, ast.Name) and isinstance(tree.ctx, ast.Store):
        found.add(tree.id)
    elif isinstance(tree, (ast.FunctionDef, ast.ClassDef)):
        found.add(tree.name)
    elif isinstance(tree, (ast.Subscript, ast.Attribute)) and isinstance(tree.ctx, ast.Store):
        found |= _base(tree)
    elif isinstance(tree, ast.Call) and isinstance(tree.func, ast.Attribute) and tree.func.attr in _CHANGING:
        found |= _base(tree.func)
    return frozenset(found)


def _base(tree):
    while isinstance(tree, (ast.Subscript, ast.Attribute)):
        tree = tree.value
    return {tree.id} if isinstance(tree, ast.Name) else set()


def _called(call):
    func = getattr(call, "func", None)
    return ast.unparse(func) if isinstance(call, ast.Call) else ""


def _later(argument):
    """An argument as a function that makes it."""
    starred = isinstance(argument, ast.Starred)
    body = ast.Call(ast.Name("tuple", ast.Load()), [argument.value], []) if starred else argument
    nothing = ast.arguments(posonlyargs=[], args=[], kwonlyargs=[], kw_defaults=[], defaults=[])
    return ast.copy_location(ast.Lambda(nothing, body), argument.value if starred else argument)
