"""How a notebook keeps the numbers that it showed."""

import math

import nbformat
import pytest

from llmpower.book import records
from llmpower.ranges import Range


@pytest.mark.parametrize(
    ("value", "unit", "line"),
    [
        (700.0, "W", "700.0 W"),
        (-0.0025, "1", "-0.0025"),
        (1e-17, "J", "1e-17 J"),
        (6.02e23, "1", "6.02e+23"),
        (10_737_418_240, "B", "10737418240 B"),
        (0.1 + 0.2, "", "0.30000000000000004 "),
        (float("inf"), "operations/s", "null operations/s"),
        (Range(4.36, 13.0, 20.0), "J", "13.0 (4.36 to 20.0) J"),
        (Range(-2e-9, 3, float("inf")), "1", "3 (-2e-09 to null)"),
        (Range(1.0, float("inf"), float("inf")), "1", "null (1.0 to null)"),
        ("none", "%", '"none" %'),
        ("8 (4 to 9) W", "1", '"8 (4 to 9) W"'),
        ('a "quoted" name of 5 mm²', "", '"a \\"quoted\\" name of 5 mm²" '),
    ],
)
def test_a_raw_value_is_one_line_that_gives_it_back(value, unit, line):
    assert records.raw_line(value, unit) == line

    def kept(one):
        return None if isinstance(one, float) and math.isinf(one) else one

    expected = {"value": kept(getattr(value, "central", value)), "unit": unit}
    if isinstance(value, Range):
        expected |= {"low": kept(value.low), "high": kept(value.high)}
    found = records.raw(line)
    assert found == expected and type(found["value"]) is type(expected["value"])


CELLS = (
    "from llmpower import Range, report",
    """
report.show("W", rated=700, idle=Range(60.0, 70.5, float("inf")))
report.alt("fig-x", "A text that is long enough.")
report.say("It idles at {glue:text}`idle`.")
report.show("", name="H100")
report.show("5 W", "5 W", "")
report.show("years", "unknown")
""",
    'report.show("leaked", 1)\nraise ValueError("on purpose")',
    "pass",
    'report.show("last", 2)\nreport.show("last", 3)',
    'report.in_plain_jupyter({"glue": {}})\nreport.show("W", a=1, b=2)',
)


@pytest.fixture(scope="module")
def executed():
    """A notebook of such cells, run in a kernel and written to a file, as it were."""
    from nbclient import NotebookClient

    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source.strip()) for source in CELLS])
    NotebookClient(notebook, kernel_name="python3", allow_errors=True).execute()
    return nbformat.reads(nbformat.writes(notebook), as_version=4)


def test_a_cell_has_one_record_of_all_its_numbers(executed):
    kept = [
        [one.data[records.NUMBERS] for one in cell.outputs if records.NUMBERS in one.get("data", {})]
        for cell in executed.cells
    ]
    texts = {"rated": "700 W", "idle": "70.5 W (60.0 to ∞ W)", "name": "H100", "5 W": "5 W", "years": "unknown"}
    # A cell that failed showed nothing, neither in its own record nor in the next.
    assert kept == [[], [texts], [], [], [{"last": "3"}], []]
    assert records.shown(executed) == {
        "rated": {"value": 700, "unit": "W", "text": "700 W"},
        "idle": {"value": 70.5, "low": 60, "high": None, "unit": "W", "text": "70.5 W (60.0 to ∞ W)"},
        "name": {"value": "H100", "unit": "", "text": "H100"},
        "5 W": {"value": "5 W", "unit": "", "text": "5 W"},
        "years": {"value": "unknown", "unit": "1", "text": "unknown"},
        "last": {"value": 3, "unit": "1", "text": "3"},
    }


def test_in_the_file_a_number_is_two_lines_and_a_name_is_one(executed):
    lines = nbformat.writes(executed).splitlines()
    found = [line.strip().rstrip(",") for line in lines if '"idle": ' in line or '"name": "H100"' in line]
    assert found == ['"idle": "70.5 W (60.0 to ∞ W)"', '"name": "H100"', '"idle": "70.5 (60.0 to null) W"']


def test_a_staged_page_has_glue_and_alternative_texts_instead(executed):
    notebook = nbformat.from_dict(executed)
    notebook.cells[1].metadata["mystnb"] = {"figure": {"name": "fig-x"}}
    cell = records.glued(notebook).cells[1]
    said, *glue = cell.outputs
    assert said.data["text/markdown"] == "It idles at {glue:text}`idle`."
    assert {one.metadata.scrapbook.name: [*one.data.items()] for one in glue}["idle"] == [
        # No line ends between a number and its unit.
        ("application/papermill.record/text/plain", "'70.5\xa0W (60.0 to ∞ W)'")
    ]
    assert len(glue) == 5 and cell.metadata.mystnb.image.alt == "A text that is long enough."


def test_values_of_results_are_in_the_unit_that_stands_there():
    """An energy that is printed in watt-hours is joules behind, and a percentage a share."""
    cell = nbformat.v4.new_code_cell("")
    behind = {"wh": "3600.0 Wh", "share": "0.5 %", "w": "7.0 W"}
    texts = {"wh": "1.00 Wh", "share": "50.0 %", "w": "7.00 W"}
    cell.outputs = [
        nbformat.v4.new_output("display_data", {records.NUMBERS: texts}, metadata={records.NUMBERS: behind})
    ]
    found = records.in_si(records.shown(nbformat.v4.new_notebook(cells=[cell])))
    assert {name: (one["value"], one["unit"], one["text"]) for name, one in found.items()} == {
        "wh": (3600, "J", "1.00 Wh"), "share": (0.5, "1", "50.0 %"), "w": (7, "W", "7.00 W"),
    }  # fmt: skip
