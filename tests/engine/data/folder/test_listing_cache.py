"""Listings and fingerprints of image folders are kept from run to run, and a change of the files is noticed."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from engine.data.folder import file_facts, listing
from engine.data.folder.image_folder import ImageFolder
from tests.support.engine import ROOT
from tests.support.folders import tree


@pytest.fixture
def folder(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An image folder whose listing and fingerprint are kept, although it has just been made."""
    monkeypatch.setattr(listing, "YOUNG", -1)
    home.mkdir()
    root = tree(tmp_path / "data", ("a", "b", "c"), count=4)
    seen(root)
    return root


def seen(root: Path) -> tuple[list[bytes], str]:
    """The files and the fingerprint, as a new process finds them."""
    found = ImageFolder(root)
    return [path for split in ("train", "val") for path in found.files(split, 0)[0].tolist()], found.fingerprint()


def seen_without_home(root: Path) -> tuple[list[bytes], str]:
    """As `seen`, with nothing kept."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("FASTADV_HOME")
        return seen(root)


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Callable[[], tuple[list[str], list[str]]]:
    """A function that gives the folders that were listed and the files that were looked at since its last call."""
    lists: list[str] = []
    looks: list[str] = []
    listdir, stat = os.listdir, os.stat

    def count_list(path: Path) -> list[str]:
        lists.append(str(path))
        return listdir(path)

    def count_look(path: bytes) -> os.stat_result:
        looks.append(os.fsdecode(path))
        return stat(path)

    def since() -> tuple[list[str], list[str]]:
        found = [name for name in lists if Path(name).parent.name in ("train", "val")], looks.copy()
        lists.clear()
        looks.clear()
        return found

    class Counting:
        listdir, stat = staticmethod(count_list), staticmethod(count_look)

        def __getattr__(self, name: str) -> object:
            return getattr(os, name)

    monkeypatch.setattr(listing, "os", Counting())
    monkeypatch.setattr(file_facts, "os", Counting())
    return since


def test_a_known_folder_is_not_listed_again_and_its_files_are_only_compared(
    folder: Path, work: Callable[[], tuple[list[str], list[str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = seen(folder)
    assert before == seen_without_home(folder)
    work()
    monkeypatch.setattr(file_facts, "CHECK_SECONDS", 0)  # one pass of 4 for each of the two splits
    monkeypatch.setattr(file_facts, "PASSES", 4)
    assert seen(folder) == before
    listed, looked = work()
    assert (listed, len(looked)) == ([], 2 * 12 // 4)


def _write(path: Path) -> None:
    path.write_bytes(b"other")


CHANGES: dict[str, Callable[[Path], object]] = {
    "added": lambda root: _write(root / "train" / "b" / "9.JPEG"),
    "removed": lambda root: (root / "val" / "c" / "3.JPEG").unlink(),
    "renamed": lambda root: (root / "val" / "c" / "3.JPEG").rename(root / "val" / "c" / "4.JPEG"),
    "moved to another class": lambda root: (root / "train" / "a" / "3.JPEG").rename(root / "train" / "b" / "7.JPEG"),
    "replaced": lambda root: (_write(root / "x"), (root / "x").rename(root / "train" / "a" / "0.JPEG")),
    "rewritten in place": lambda root: _write(root / "train" / "a" / "0.JPEG"),
    "touched": lambda root: os.utime(root / "train" / "a" / "0.JPEG", (1, 1)),
    "added by a program that restores times": lambda root: _add_with_old_times(root / "train" / "a"),
    "a hidden file": lambda root: _write(root / "train" / "a" / ".x"),
    "two classes that change places": lambda root: _exchange(root / "train" / "a", root / "train" / "b"),
}


def _add_with_old_times(folder: Path) -> None:
    facts = folder.stat()
    _write(folder / "new.JPEG")
    os.utime(folder, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def _exchange(one: Path, other: Path) -> None:
    _write(one / "only here.JPEG")
    one.rename(one.parent.parent / "between")
    other.rename(one)
    (one.parent.parent / "between").rename(other)


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_noticed(folder: Path, change: str) -> None:
    before = seen(folder)
    CHANGES[change](folder)
    after = seen(folder)
    assert after[1] != before[1]
    assert after == seen_without_home(folder)
    assert seen(folder) == after


def test_only_the_changed_class_is_listed_again(
    folder: Path, work: Callable[[], tuple[list[str], list[str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    _write(folder / "train" / "b" / "9.JPEG")
    work()
    monkeypatch.setattr(file_facts, "_sample_differs", lambda listing, paths: False)
    seen(folder)
    listed, looked = work()
    assert listed == [str(folder / "train" / "b")]
    assert {Path(path).parent for path in looked} == {folder / "train" / "b"}


def test_a_folder_that_has_just_changed_is_listed_again(
    folder: Path, work: Callable[[], tuple[list[str], list[str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its clock may not have ticked since: a file that was added after the listing would not be seen."""
    monkeypatch.setattr(listing, "YOUNG", 10**15)
    work()
    seen(folder)
    assert len(work()[0]) == 6


def test_every_class_that_comes_or_goes_is_noticed(folder: Path) -> None:
    for split in ("train", "val"):
        (folder / split / "b").rename(folder / split / "bb")
    assert seen(folder) == seen_without_home(folder)
    for split in ("train", "val"):
        (folder / split / "bb").rename(folder.parent / split)
    assert seen(folder) == seen_without_home(folder)


@pytest.mark.parametrize("kind", ["cut", "one bit", "empty", "text", "folder"])
def test_a_damaged_cache_is_built_again(folder: Path, home: Path, kind: str) -> None:
    before = seen(folder)
    files = sorted((home / "cache").iterdir())
    assert len(files) == 3  # the listings of train and val, and the fingerprint
    for file in files:
        content = file.read_bytes()
        middle = len(content) // 2
        damaged = {
            "cut": content[:middle],
            "one bit": content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :],
            "empty": b"",
            "text": b"hello\n",
        }
        file.unlink()
        if kind == "folder":
            file.mkdir()
        else:
            file.write_bytes(damaged[kind])
        assert seen(folder) == before
    if kind != "folder":
        assert all(file.stat().st_size > 20 for file in files)
        assert seen(folder) == before


@pytest.mark.parametrize("kind", ["missing", "a file", "of nobody"])
def test_without_a_usable_home_nothing_is_kept_and_nothing_fails(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    root = tree(tmp_path / "data")
    if kind == "a file":
        home.write_text("")
    if kind == "of nobody":
        monkeypatch.setenv("FASTADV_HOME", "~nosuchuser/home")
    assert seen(root) == seen(root) == seen_without_home(root)
    assert not home.is_dir()


READ_ONLY = 'mount -t tmpfs -o ro tmpfs "$FASTADV_HOME" && exec "$@"'


def test_a_home_that_is_read_only_is_no_error(tmp_path: Path, home: Path) -> None:
    home.mkdir()
    if subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode:
        pytest.skip("needs the right to mount a tmpfs in a namespace of its own")
    root = tree(tmp_path / "data")
    code = "import sys; sys.path.insert(0, sys.argv[2]); from pathlib import Path; "
    code += "from engine.data.folder.image_folder import ImageFolder as I; print(I(Path(sys.argv[1])).fingerprint())"
    command = ["unshare", "-m", "sh", "-c", READ_ONLY, "sh", sys.executable, "-c", code, str(root), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == (seen_without_home(root)[1], "")


def test_names_that_are_not_utf8_and_links_are_kept(folder: Path) -> None:
    for split in ("train", "val"):
        (folder / split / os.fsdecode(b"\xff class")).mkdir()
        _write(folder / split / os.fsdecode(b"\xff class") / os.fsdecode(b"\xfe\n.JPEG"))
        (folder / split / "a" / "nowhere.JPEG").symlink_to("nothing")
    wanted = seen_without_home(folder)
    assert seen(folder) == seen(folder) == wanted
    _write(folder / "train" / "a" / "nothing")  # what the link points to
    assert seen(folder) == seen_without_home(folder) != wanted


def test_a_sample_of_files_finds_a_folder_in_which_all_were_rewritten(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_facts, "CHECK_SECONDS", 0)
    monkeypatch.setattr(file_facts, "PASSES", 4)
    for path in (folder / "train").glob("*/*"):
        _write(path)
    assert seen(folder) == seen_without_home(folder)


def test_files_of_a_slow_file_system_are_looked_at_by_threads_with_the_same_result(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = np.concatenate([ImageFolder(folder).files(split, 0)[0] for split in ("train", "val")])
    wanted = file_facts.look(paths)
    assert wanted[0].tolist() == [os.stat(path).st_size for path in paths.tolist()]  # noqa: PTH116
    assert wanted[1].tolist() == [os.stat(path).st_mtime_ns for path in paths.tolist()]  # noqa: PTH116
    monkeypatch.setattr(file_facts, "SLOW", 0)
    monkeypatch.setattr(file_facts, "PROBED", 3)
    monkeypatch.setattr(file_facts, "CHUNK", 2)
    for one, other in zip(file_facts.look(paths), wanted, strict=True):
        assert one.tolist() == other.tolist()


@pytest.mark.parametrize(
    "nanoseconds", [0, 1_999_999_999, 10**18 + 999_999_999, 1_700_000_000_999_999_950, -1, -(10**9)]
)
def test_seconds_are_those_of_the_fingerprints_of_earlier_versions(tmp_path: Path, nanoseconds: int) -> None:
    file = tmp_path / "file"
    file.touch()
    os.utime(file, ns=(0, nanoseconds))
    facts = file.stat()
    assert file_facts.seconds(np.array([facts.st_mtime_ns])) == [int(facts.st_mtime)]
