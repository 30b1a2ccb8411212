"""The quiz of a page computes what Python does, says what went wrong, and can be used from the keyboard."""

import itertools
import random

import pytest

from llmpower import questions
from llmpower.book import files, quiz
from tests.book.browser import NEEDS_CHROMIUM, Reader
from tests.conftest import BOOK

CHAPTERS = {name: listed for name, path in files.chapters(BOOK).items() if (listed := quiz.asked(path))}
pytestmark = NEEDS_CHROMIUM


def asks(reader, site, name):
    """A page from disk, with its quiz in sight."""
    reader.open((site / "chapters" / f"{name}.html").as_uri())
    form = reader.page.locator("form.quiz")
    form.locator("input").first.focus()
    reader.page.wait_for_function(
        f"() => globalThis.livingQuiz && document.querySelector('script[src$=\"{name}.quiz.js\"]')"
    )
    return form


@pytest.mark.parametrize("name", CHAPTERS)
def test_the_page_computes_what_python_does(reader, site, name):
    asks(reader, site, name)
    script = (site / "_static" / "living" / f"{name}.quiz.js").read_text(encoding="utf-8").strip()
    assert script.startswith("livingQuiz.define(") and script.endswith(");")
    reader.page.evaluate(
        f"() => {{ globalThis.kept = [{script.removeprefix('livingQuiz.define(').removesuffix(');')}]; }}"
    )
    for at, one in enumerate(CHAPTERS[name]):
        options = [options for _, options in one.draw.values()]
        every = [dict(zip(one.draw, picked)) for picked in itertools.product(*options)]
        for values in random.Random(1).sample(every, min(len(every), 15)):
            given = {at: questions.si(value, one.draw[at][0]) for at, value in values.items()}
            found = reader.page.evaluate("([at, given]) => kept[2][at](given)", [at, given])
            asked = questions.asked(one, values)
            if one.answer:
                expected = [asked.answer, *(value for value, _ in asked.slips)]
                assert found[len(one.also) :] == pytest.approx(expected, rel=1e-12), (one.id, values)
            # What is told besides stands in the words as Python prints it.
            words = asked.text + asked.how + "".join(asked.choices.values())
            for value, (name_of, (_, unit)) in zip(found, one.also.items()):
                printed = reader.page.evaluate("([value, unit]) => livingNumbers.text(value, unit)", [value, unit])
                assert printed in words or not _told(one, name_of), (one.id, values)


def _told(one, name):
    return f"{{{name}}}" in one.ask + one.how + "".join(words for words, _ in one.choices)


def test_a_slip_is_named_and_other_numbers_come(browser, site):
    reader = Reader(browser)
    name = "decode-breakdown"
    field = asks(reader, site, name).locator("fieldset").first
    one = CHAPTERS[name][0]
    assert one.id == "read-once"
    # 14 GB at 2.04 TB/s: 14e9 / 2.04e12 = 6.863 ms.
    told = field.locator("output")
    for given, words in (
        ("0.006863", "a factor of 1,000"), ("6.86", "Right."), ("6,86 ms", "Right."), ("1e9", "Not yet."),
        ("6863 us", "Write a number in ms"), ("145.7", "how many steps a second"), ("", "Write a number"),
    ):  # fmt: skip
        field.locator("input").fill(given)
        field.locator("input").press("Enter")
        told.filter(has_text=words).wait_for(timeout=5000)
    before = field.locator(".ask").inner_text()
    seen = set()
    for _ in range(12):
        field.get_by_role("button", name="Other numbers").press("Enter")
        reader.page.wait_for_timeout(30)
        seen.add(field.locator(".ask").inner_text())
        assert told.inner_text() == "" and field.locator("input").input_value() == ""
    assert len(seen | {before}) > 3 and not reader.wrong
    reader.context.close()


_FIELD = "fieldset[data-question='more-at-once']"


def test_each_choice_is_judged(browser, site):
    reader = Reader(browser)
    form = asks(reader, site, "decode-breakdown")
    one = next(one for one in CHAPTERS["decode-breakdown"] if one.id == "more-at-once")
    field = form.locator(_FIELD)
    verdicts = {}
    # By the keyboard: the arrows go from one choice to the next.
    field.locator("input").first.focus()
    reader.page.keyboard.press("Space")
    for _ in field.locator("label.choice").all():
        chosen = field.locator("label.choice:has(input:checked)").inner_text().strip()
        reader.page.keyboard.press("Enter")
        reader.page.wait_for_function("name => document.querySelector(name).dataset.verdict", arg=_FIELD)
        verdicts[chosen] = field.get_attribute("data-verdict")
        field.evaluate("one => { one.dataset.verdict = ''; }")
        reader.page.keyboard.press("ArrowDown")
    assert [words for words, verdict in verdicts.items() if verdict == "right"] == [one.choices[0][0]]
    assert sorted(verdicts.values()) == ["right", "wrong", "wrong", "wrong"]
    reader.context.close()


def test_without_a_script_the_questions_can_be_read(browser, site):
    reader = Reader(browser, java_script_enabled=False)
    reader.page.goto((site / "chapters" / "decode-breakdown.html").as_uri())
    assert reader.page.locator("form.quiz fieldset").count() == 5
    assert "14 GB" in reader.page.locator("form.quiz .ask").first.inner_text()
    reader.context.close()
