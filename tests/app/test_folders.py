"""A folder is there whole under its name, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ingest.home.whole_folders import FolderError, check_new_folder, new_folder


def make(path: Path, fill: Callable[[Path], object]) -> None:
    with new_folder(path) as folder:
        fill(folder)


def test_a_folder_has_its_name_once_it_is_whole(tmp_path: Path) -> None:
    wanted = tmp_path / "deeper" / "made"
    with new_folder(wanted) as folder:
        (folder / "file").write_text("text")
        assert not wanted.exists()
    assert [path.name for path in wanted.iterdir()] == ["file"]
    assert list(wanted.parent.iterdir()) == [wanted]


def test_nothing_is_left_of_a_folder_that_could_not_be_filled(tmp_path: Path) -> None:
    def fill(folder: Path) -> None:
        (folder / "file").touch()
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        make(tmp_path / "made", fill)
    assert list(tmp_path.iterdir()) == []


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    check_new_folder(tmp_path)
    with new_folder(tmp_path / "made") as folder:
        (tmp_path / "made").mkdir()
        (folder / "file").touch()
    assert (tmp_path / "made" / "file").exists()


@pytest.mark.parametrize("taken", ["a file", "a folder with a file"])
def test_what_is_there_already_stays(taken: str, tmp_path: Path) -> None:
    path = tmp_path / "made"
    if taken == "a file":
        path.touch()
    else:
        path.mkdir()
        (path / "file").touch()
    with pytest.raises(FolderError, match=r"made exists already; choose a new folder"):
        make(path, lambda _: pytest.fail("nothing is made"))
    assert path.exists()


def test_what_something_else_made_meanwhile_stays(tmp_path: Path) -> None:
    path = tmp_path / "made"

    def meanwhile(_: Path) -> None:
        path.mkdir()
        (path / "theirs").touch()

    with pytest.raises(FolderError, match=r"cannot create the folder .*not empty; choose another"):
        make(path, meanwhile)
    assert [each.name for each in tmp_path.iterdir()] == ["made"]
    assert (path / "theirs").exists()


def test_looking_leaves_only_the_folder_around_it(tmp_path: Path) -> None:
    check_new_folder(tmp_path / "new" / "made")
    assert list(tmp_path.rglob("*")) == [tmp_path / "new"]
    (tmp_path / "file").touch()
    with pytest.raises(FolderError, match=r"cannot create the folder .*Not a directory; choose another"):
        check_new_folder(tmp_path / "file" / "made")
