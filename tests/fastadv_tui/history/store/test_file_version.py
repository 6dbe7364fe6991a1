"""The version of a file, by which readers notice that somebody has written."""

import os
from pathlib import Path

from fastadv_tui.history.store.file_version import file_version


def test_a_file_that_is_replaced_within_a_tick_of_the_clock_has_another_version(tmp_path: Path) -> None:
    path, beside = tmp_path / "history.json", tmp_path / "beside"
    path.write_text("one")
    before = file_version(path)
    beside.write_text("two")
    os.utime(beside, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    beside.replace(path)
    assert file_version(path) != before


def test_a_file_that_is_not_there_has_no_version(tmp_path: Path) -> None:
    assert file_version(tmp_path / "gone") is None
