"""Where a sweep keeps what it found: a folder on any file system that fsspec knows, with files that are whole."""

import contextlib
import csv
import io
import json
import shutil
import uuid

import fsspec
import numpy as np
import pyarrow
import pyarrow.parquet

from llmpower.arguments import ParameterError

ASKED, RUNS, PAGES, POINTS = "sweep.json", "runs", "pages", "points.parquet"
RESULTS = ("results.parquet", "results.csv", "failed.csv", "summary.html")
# Of a number, behind the parameters of its run.
_OF_NUMBER = ("name", "value", "low", "high", "unit", "text")
# Rows that are held at a time.
_ROWS = 50_000


class Store:
    """A folder by its address; a file in it appears when all of it is written, and what is being written has a dot."""

    def __init__(self, address):
        self.address = str(address)
        try:
            self.files, self.root = fsspec.core.url_to_fs(self.address)
        except (ImportError, ValueError) as error:
            raise ParameterError([f"out: got {self.address!r}; {error}; allowed is a folder, or its address"]) from None

    def open(self, of):
        """Make the folder one of sweeps of a chapter; ParameterError if it is somebody's, or of another sweep.

        What a former sweep left stays until all of the new one is there.
        """
        try:
            found = self.names("")
            if found and ASKED not in found:
                told = f"its {found[0]} was not made by a sweep; name another folder"
                raise ParameterError([f"out: got {self.address}; {told}"])
            if not found:
                self.write(ASKED, json.dumps({"of": of}).encode())
            elif (former := self._asked().get("of", "something else")) != of:
                raise ParameterError([f"out: got {self.address}; it holds a sweep of {former}; name another folder"])
        except OSError as error:
            told = f"cannot be written: {error.strerror or error}; name another folder"
            raise ParameterError([f"out: got {self.address}; {told}"]) from None

    def _asked(self):
        """What a former sweep was asked for; nothing if that cannot be read."""
        with contextlib.suppress(ValueError):
            found = json.loads(self.read(ASKED))
            return found if isinstance(found, dict) else {}
        return {}

    def close(self, asked):
        """Say what the results are of, and remove what stopped sweeps left half written."""
        self.write(ASKED, json.dumps(asked, indent=1).encode())
        for name in self.names("", hidden=True):
            self.remove(name)

    def path(self, name):
        """Address of a file on its file system."""
        return f"{self.root}/{name}" if name else self.root

    def names(self, folder, hidden=False):
        """Names in a folder that are whole, or those of what was left half written."""
        if not self.files.isdir(self.path(folder)):
            return []
        found = (
            one.rstrip("/").rpartition("/")[2] for one in self.files.ls(self.path(folder), detail=False, refresh=True)
        )
        return sorted(one for one in found if one.startswith(".") is hidden)

    def read(self, name):
        """Content of a file."""
        return self.files.cat_file(self.path(name))

    def remove(self, name):
        """Remove a file or a folder, if it is there."""
        with contextlib.suppress(FileNotFoundError):
            self.files.rm(self.path(name), recursive=True)

    @contextlib.contextmanager
    def writing(self, name):
        """A file to write to, which has its name when all is written."""
        place = self.path(name)
        part = self.path(f".{uuid.uuid4().hex}")
        self.files.makedirs(place.rpartition("/")[0], exist_ok=True)
        try:
            with self.files.open(part, "wb") as file:
                yield file
            self.files.mv(part, place)
        except BaseException:
            with contextlib.suppress(OSError):
                self.files.rm(part)
            raise

    def write(self, name, content):
        """Write a file."""
        with self.writing(name) as file:
            file.write(content)

    def move(self, old, new):
        """Give a folder another name, in place of what had it."""
        self.remove(new)
        self.files.mv(self.path(old), self.path(new), recursive=True)

    def free_bytes(self):
        """Room on a disk of this machine; None of anything else."""
        local = "file" in np.atleast_1d(self.files.protocol)
        return shutil.disk_usage(self.root).free if local else None

    def put(self, folder, name):
        """Copy a local folder; it has its name when all of it is there."""
        part = self.path(f".{uuid.uuid4().hex}")
        self.files.put(f"{folder}/", part, recursive=True)
        self.files.makedirs(self.path(name).rpartition("/")[0], exist_ok=True)
        self.move(part.rpartition("/")[2], name)


def write_results(store, records, numeric):
    """Write all numbers of all runs as a table in long form, twice, and the runs that failed; how many did.

    records: what runs left, in order, each read when it is needed.
    numeric: parameter -> whether its values are numbers.
    """
    fields = [("run", pyarrow.string())]
    fields += [(name, pyarrow.float64() if number else pyarrow.string()) for name, number in numeric.items()]
    of_number = dict(zip(_OF_NUMBER, "tfffTT"))
    fields += [(name, pyarrow.float64() if kind == "f" else pyarrow.string()) for name, kind in of_number.items()]
    schema, failed, rows = pyarrow.schema(fields), [], []
    with store.writing(RESULTS[0]) as parquet, _table(store, RESULTS[1]) as table:
        table.writerow(schema.names)
        with pyarrow.parquet.ParquetWriter(parquet, schema, compression="zstd") as writer:

            def flush():
                columns = dict(zip(schema.names, zip(*rows)))
                writer.write_table(pyarrow.table({name: list(columns[name]) for name in schema.names}, schema=schema))
                table.writerows([_plain(one) for one in row] for row in rows)
                rows.clear()

            for record in records:
                if "error" in record:
                    failed.append(record)
                    continue
                rows += _rows(record, numeric)
                if len(rows) > _ROWS:
                    flush()
            if rows:
                flush()
    return write_failed(store, failed)


def write_failed(store, failed):
    """Write the runs that failed, with their errors; returns how many there are."""
    failed = list(failed)
    with _table(store, RESULTS[2]) as table:
        table.writerow(["run", "parameters", "error"])
        table.writerows([one["run"], json.dumps(one["parameters"]), one["error"]] for one in failed)
    return len(failed)


@contextlib.contextmanager
def _table(store, name):
    """Writes rows into a CSV file."""
    with store.writing(name) as plain:
        text = io.TextIOWrapper(plain, encoding="utf-8", newline="", write_through=True)
        yield csv.writer(text, lineterminator="\n")
        text.detach()


def _plain(one):
    """A cell of the CSV file: whole numbers as such."""
    return "" if one is None else int(one) if isinstance(one, float) and one.is_integer() else one


def _rows(record, numeric):
    """Rows of the table of a run."""
    given = record["parameters"]
    first = [record["run"], *(_cell(given.get(name, ""), number) for name, number in numeric.items())]
    for name, one in record["numbers"].items():
        value = one["value"] if isinstance(one["value"], (int, float)) else None
        yield [*first, name, value, one.get("low"), one.get("high"), one["unit"], one["text"]]


def _cell(value, number):
    if number:
        return None if value == "" else float(value)
    return str(value)
