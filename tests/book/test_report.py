"""How a chapter's sentences and alternative texts are printed, and what `show` refuses."""

import pytest

from llmpower.book import report
from llmpower.formulas import decode


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


def test_a_table_of_symbols_names_each_once_with_its_unit(monkeypatch):
    printed = []
    monkeypatch.setattr(report, "display", lambda what, **_: printed.append(what.data))
    report.equations(decode.energy_j, decode.power_w, notation=False)
    report.notation_table(decode.energy_j, decode.power_w)
    equations, symbols = printed
    assert "with $" not in equations and equations.count(":label:") == 2
    # E, P and t stand in both: three symbols, two a row, read down the columns.
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in symbols.splitlines()[2:]]
    assert [row[0] for row in rows] == ["$E$", "$P$"] and [row[2] for row in rows] == ["$t$", ""]
    assert "[J]" in rows[0][1] and "[W]" in rows[1][1] and "[s]" in rows[0][3]
