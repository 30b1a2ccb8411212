"""Lines of code against their budget."""

from llmpower.book import sizes

SOURCE = '''"""What it is.

Two lines more.
"""

import math  # counts


def area(r):
    """Area. [m2]"""
    # A comment.
    text = """

    three lines of a string, of which one is blank"""
    return math.pi * r**2, text
'''


def test_sizes_count_code_without_blanks_comments_and_docstrings(tmp_path):
    package = tmp_path / "llmpower"
    for place in ("facts/a", "facts/deeper/b", "estimate", "cli"):
        (package / place).parent.mkdir(parents=True, exist_ok=True)
        (package / f"{place}.py").write_text(SOURCE)
    assert sizes.against_budget(tmp_path) == ([], [])
    (tmp_path / "pyproject.toml").write_text(
        "[tool.llmpower.budget]\nfacts = [30, 9]\ncli = [15, 5]\nspine = [44, 99]\n"
    )
    lines, problems = sizes.against_budget(tmp_path)
    assert [line.split()[:2] for line in lines] == [
        ["cli", "15"],
        ["estimate", "15"],
        ["facts", "30"],
        ["spine", "45"],
        ["package", "60"],
    ]
    assert [problem.partition(",")[0] for problem in problems] == ["facts: 30 lines", "spine: 45 lines"]
    assert "10 of code" in problems[0]
