"""How numbers, tables and alternative texts are printed."""

import nbformat
import pytest

from llmpower.book import check, report, run
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
        nbformat.v4.new_markdown_cell("It takes 5 W, see {glue:text}`nowhere`."),
        nbformat.v4.new_code_cell('report.show("unused", 1)\nreport.show("twice", 1)\nreport.show("twice", 2)'),
        nbformat.v4.new_code_cell("plt.show()"),
    )
    problems = "\n".join(check.chapter_problems(path))
    for expected in (
        "unused is shown but no text uses it",
        "the text uses nowhere, which nothing shows",
        "twice is shown twice",
        "typed number '5 W'",
        "a figure needs a name and a caption",
        "a figure needs report.alt",
        "no stored outputs",
    ):
        assert expected in problems


def test_check_compares_comments_with_the_table(tmp_path):
    path = chapter(tmp_path)
    path.write_text(path.read_text().replace("sequences decoded together", "whatever"))
    assert "the comment of batch should read" in "\n".join(check.chapter_problems(path))


def test_the_numbers_of_the_committed_chapter_can_be_collected():
    from tests.conftest import BOOK

    numbers = run.shown(nbformat.read(BOOK / "chapters" / "decode-breakdown.ipynb", as_version=4))
    assert numbers["article_weights"]["text"] == "22.4 J"
    assert numbers["cache_case"]["value"] == 10_737_418_240
