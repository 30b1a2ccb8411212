"""Who is taught: a list of students from a file, and names that are compared as people write them."""

import csv
import io
import re
import unicodedata
from dataclasses import dataclass, field

from llmpower.arguments import ParameterError
from llmpower.facts.tables import UnknownName, contents

# What a Canvas gradebook, and other lists, call the two columns that are needed.
_SPELLINGS = {"id": ("id", "student id", "sis user id"), "name": ("name", "student", "full name", "student name")}
_MOST_BYTES = 5_000_000
# In the name of a file and in an address.
_ID = re.compile(r"[\w.@+-]{1,64}")


@dataclass(frozen=True)
class Student:
    """Who gets a worksheet; `also` are the other columns of the list, which go along for whoever reads grades."""

    id: str
    name: str
    also: dict = field(default_factory=dict)


def rows(path):
    """Rows of a CSV file of a teacher's own, a dictionary each, with their line; commas or semicolons between cells."""
    try:
        text = contents(path, _MOST_BYTES, "such file").decode("utf-8-sig")
        first = text.partition("\n")[0]
        reader = csv.DictReader(io.StringIO(text), delimiter=";" if first.count(";") > first.count(",") else ",")
        reader.fieldnames = [(name or "").strip() for name in reader.fieldnames or ()]
        return [(reader.line_num, {key: (cell or "").strip() for key, cell in row.items() if key}) for row in reader]
    except UnknownName as error:
        raise ParameterError([str(error)]) from None
    except UnicodeDecodeError:
        raise ParameterError([f"{path}: not UTF-8; save it as “CSV UTF-8”"]) from None
    except csv.Error as error:
        raise ParameterError([f"{path}: not a CSV file: {error}"]) from None


def students(path):
    """Students of a list with the columns ``id`` and ``name``; ParameterError names each line that cannot be used."""
    listed = rows(path)
    found, problems, lines = [], [], {}
    heads = {name.lower(): name for _, row in listed[:1] for name in row}
    columns = {ours: next((heads[one] for one in known if one in heads), None) for ours, known in _SPELLINGS.items()}
    if missing := [
        f"no column {ours}, which may be called {' or '.join(_SPELLINGS[ours])}"
        for ours in columns
        if not columns[ours]
    ]:
        raise ParameterError([f"{path}: {'; '.join(missing)}; its columns are {', '.join(heads.values()) or 'none'}"])
    for line, row in listed:
        who, name = (row[columns[ours]] for ours in ("id", "name"))
        if not who and (not name or "points possible" in name.lower()):
            # Canvas writes a row of points below the heads.
            continue
        if not _ID.fullmatch(who):
            problems.append(f"{path}, line {line}: id {who!r}: expected 1 to 64 letters, digits or . @ + - _")
        elif lines.setdefault(who.lower(), line) != line:
            problems.append(f"{path}, line {line}: id {who!r} stands in line {lines[who.lower()]} already")
        if not name:
            problems.append(f"{path}, line {line}: no name")
        also = {head: cell for head, cell in row.items() if head not in ("id", "name")}
        found.append(Student(who, name, also))
    if not found and not problems:
        problems = [f"{path}: no student in it"]
    if problems:
        raise ParameterError(problems)
    return found


def alike(one, other):
    """Whether two spellings name the same person: accents, capitals, commas and the order of names do not matter.

    >>> alike("Lovelace, Ada", "ada LOVELACE"), alike("José Pérez", "Jose Perez"), alike("Ada L.", "Ada Lovelace")
    (True, True, False)
    """
    return _plain(one) == _plain(other)


def _plain(name):
    letters = unicodedata.normalize("NFKD", name).casefold()
    return sorted(re.findall(r"\w+", "".join(one for one in letters if not unicodedata.combining(one))))
