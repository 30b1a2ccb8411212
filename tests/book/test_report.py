"""How a chapter's sentences and alternative texts are printed, and what `show` refuses."""

import pytest

from llmpower.book import report


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
