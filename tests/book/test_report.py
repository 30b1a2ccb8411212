"""How numbers, tables and alternative texts are printed, and how a notebook keeps them."""

import math

import nbformat
import pytest

from llmpower.book import check, records, report
from llmpower.ranges import Range


@pytest.mark.parametrize(
    ("value", "unit", "printed"),
    [
        (140e9, "B", "140 GB"),
        (10_737_418_240, "B", "10.7 GB"),
        (22.4, "J", "22.4 J"),
        (0.042, "J", "0.0420 J"),
        (536.2, "W", "536 W"),
        (2700e3, "W", "2.70 MW"),
        (0.0418, "s", "41.8 ms"),
        (3.6e6 * 35e6, "Wh", "35.0 GWh"),
        (864, "Wh", "0.240 Wh"),
        (1.75e6, "usd", "1.75 million USD"),
        (4.8e-5, "usd", "0.0000480 USD"),
        (12_000, "kg", "12.0 t"),
        (9e-8, "m", "90.0 nm"),
        (1.5e-15, "J", "1.50 fJ"),
        (0.0595, "V", "59.5 mV"),
        (3.8e9, "Hz", "3.80 GHz"),
        (0, "J", "0 J"),
        (0.998, "%", "99.80 %"),
        (0.5, "%", "50.0 %"),
        (1, "%", "100 %"),
        (1.28, "%", "128 %"),
        (Range(0.978, 0.9945, 0.998), "%", "99.45 % (97.80 to 99.80 %)"),
        (85.9e9, "FLOP", "85.9 GFLOP"),
        (533.33, "1", "533"),
        (32768, "1", "32,768"),
        (float("inf"), "1", "∞"),
        (Range(0.14, 0.41, 0.66), "%", "41.0 % (14.0 to 66.0 %)"),
        (Range(4.36e0, 13.0, 20.0), "J", "13.0 J (4.36 to 20.0 J)"),
        (Range(44.3, 180, float("inf")), "1", "180 (44.3 to ∞)"),
    ],
)
def test_numbers(value, unit, printed):
    assert report.text(value, unit) == printed


def test_a_range_is_printed_on_one_scale():
    assert report.text(Range(0.5e9, 2e9, 4e12), "B") == "2.00 GB (0.500 to 4,000 GB)"


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


@pytest.mark.parametrize("misused", ['"W"', '"W", 700, rated=700', '"W", None'])
def test_show_says_how_it_is_called(misused):
    with pytest.raises(TypeError, match=r"show\('W', …\) takes a name, .*, or a unit and name=value"):
        eval(f"report.show({misused})")


def test_where_no_sentence_holds_nothing_is_printed(monkeypatch):
    printed = []
    monkeypatch.setattr(report, "display", lambda what, **_: printed.append(what.data))
    report.say("", "")
    report.say("", "One holds.")
    assert printed == ["One holds."]


def test_alternative_texts_have_a_length():
    with pytest.raises(ValueError, match="has 5 characters, allowed are 20 to 250"):
        report.alt("fig-x", "short")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("reading takes 22.4 J a token", ["22.4 J"]),
        ("a share of 99.8 %", ["99.8 %"]),
        ("a board of 700 watts", ["700 watts"]),
        ("quoted: “22.4 mJ/token” and `700 W` and $5\\,W$", []),
        ("70 billion parameters at 16 bit, batch 32", []),
        ("{glue:text}`weights` of them", []),
    ],
)
def test_typed_numbers(text, found):
    assert check.typed_numbers(text) == found


def chapter(tmp_path, *cells):
    notebook = nbformat.v4.new_notebook()
    parameters = nbformat.v4.new_code_cell("batch: int = 1  # sequences decoded together [count]")
    parameters.metadata["tags"] = ["parameters"]
    notebook.cells = [parameters, *cells]
    path = tmp_path / "made.ipynb"
    nbformat.write(notebook, path)
    return path


def test_check_finds_what_an_author_gets_wrong(tmp_path):
    path = chapter(
        tmp_path,
        nbformat.v4.new_markdown_cell("It takes 5 W, see {glue:text}`nowhere` and {glue:text}`used`."),
        nbformat.v4.new_code_cell('report.show("unused", 1)\nreport.show("twice", 1)\nreport.show("twice", 2)'),
        nbformat.v4.new_code_cell(
            'if batch:\n    report.show(\n        "W",\n        used=1,\n        idle_too=2,\n    )'
        ),
        nbformat.v4.new_code_cell(
            'report.show("1", used_2=1)\nreport.show("B", used_2=f(b=2))\nreport.show("W", **more)'
        ),
        nbformat.v4.new_code_cell('report.say("about 7 W")\nreport.show("broken", 1'),
        nbformat.v4.new_code_cell("plt.show()"),
    )
    problems = "\n".join(check.chapter_problems(path))
    for expected in (
        "unused is shown but no text uses it",
        "the text uses nowhere, which nothing shows",
        "twice is shown twice",
        "idle_too is shown but no text uses it",
        "used_2 is shown twice",
        "typed number '5 W'",
        "typed number '7 W'",
        "cell 6: line 2: '(' was never closed",
        "a figure needs a name and a caption",
        "a figure needs report.alt",
        "no stored outputs",
    ):
        assert expected in problems
    # A unit is no name, and two strings are no number with a unit.
    for fine in (": used is", ": W is", ": 1 is", ": B is", ": b is", "None is", r"1\n"):
        assert fine not in problems


def test_check_compares_comments_with_the_table(tmp_path):
    path = chapter(tmp_path)
    path.write_text(path.read_text().replace("sequences decoded together", "whatever"))
    assert "the comment of batch should read" in "\n".join(check.chapter_problems(path))


def test_the_numbers_of_the_committed_chapter_can_be_collected():
    from tests.conftest import BOOK

    numbers = records.shown(nbformat.read(BOOK / "chapters" / "decode-breakdown.ipynb", as_version=4))
    assert numbers["article_weights"]["text"] == "22.4 J"
    assert numbers["cache_case"]["value"] == 10_737_418_240
