"""Two builds of one commit."""

from llmpower.book.files import chapters
from tests.conftest import BOOK, copy_book


def test_two_builds_in_two_folders_are_alike_to_the_byte(site, tmp_path):
    """Every file of the site, hidden ones too: executed anew, elsewhere, later, with other hashes and time zone."""
    other = copy_book(tmp_path / "a folder" / "deeper")
    done = other.llmpower("build", "--jobs", "2", env={"PYTHONHASHSEED": "77", "TZ": "Asia/Tokyo"})
    assert done.returncode == 0, done.stderr
    assert f"executing {len(chapters(BOOK))} of" in done.stdout
    first, second = (
        {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        for folder in (site, other.folder / "_build" / "html")
    )
    assert first.keys() == second.keys() and {"index.html", ".nojekyll"} <= first.keys()
    assert [name for name in first if first[name] != second[name]] == []
