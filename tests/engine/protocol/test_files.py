"""Atomic files are whole or absent after failed writes, after SIGKILL, on a full disk and in a read-only folder."""

import errno
import os
import resource
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.protocol.files import WriteError, replacing, write_atomic
from tests.support.engine import ROOT
from tests.support.small_disk import small_disk
from tests.support.waiting import wait_until

WRITES_FOREVER = """
import sys
from pathlib import Path
from engine.protocol.files import write_atomic
path, n = Path(sys.argv[1]), 0
while True:
    write_atomic(path, bytes([n % 256]) * 300_000)
    n += 1
"""


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 kB."""
    with small_disk(tmp_path / "tiny", "256k") as folder:
        yield folder


def test_an_atomic_write_creates_and_replaces_a_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomic(path, b"old")
    write_atomic(path, b"new")
    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["file"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_a_write_that_fails_leaves_the_old_file_and_no_temporary_file(
    tmp_path: Path, error: type[BaseException]
) -> None:
    path = tmp_path / "file"
    write_atomic(path, b"old")
    with pytest.raises(error), replacing(path) as file:
        file.write(b"half of the n")
        raise error
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_a_new_file_has_its_name_only_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with replacing(path) as file:
        file.write(b"x" * 100_000)
        file.flush()
        assert not path.exists()
    assert path.stat().st_size == 100_000


def test_a_writer_killed_at_any_moment_leaves_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for _ in range(5):
        path.unlink(missing_ok=True)
        writer = subprocess.Popen([sys.executable, "-c", WRITES_FOREVER, path], cwd=ROOT)
        wait_until(path.exists)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        content = path.read_bytes()
        assert len(content) == 300_000
        assert len(set(content)) == 1


def test_a_full_disk_leaves_the_old_file(tiny_disk: Path) -> None:
    path = tiny_disk / "file"
    write_atomic(path, b"old")
    with pytest.raises(WriteError, match=r"cannot write .*/file: No space left on device \(2\d\d kB free\)") as full:
        write_atomic(path, b"x" * 1_000_000)
    assert (full.value.errno, "\n" in str(full.value)) == (errno.ENOSPC, False)
    assert path.read_bytes() == b"old"
    assert os.listdir(tiny_disk) == ["file"]
    write_atomic(path, b"new")
    assert path.read_bytes() == b"new"


def test_a_writer_that_hides_the_error_of_the_disk_is_told_it(tiny_disk: Path) -> None:
    """As torch.save does, which raises an error of its own."""
    with pytest.raises(WriteError, match="No space left"), replacing(tiny_disk / "file") as file:
        try:
            file.write(b"x" * 1_000_000)
        except OSError:
            raise RuntimeError("unexpected pos 64 vs 0") from None


def test_a_file_above_the_limit_of_a_process_is_an_error_of_the_disk(tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(WriteError, match="File too large"):
            write_atomic(tmp_path / "file", b"x" * 1_000_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    assert os.listdir(tmp_path) == []


def test_writing_to_a_folder_that_is_gone_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_atomic(tmp_path / "gone" / "file", b"x")


def test_writing_to_a_folder_that_takes_no_files_is_an_error(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write into any folder")
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(PermissionError):
            write_atomic(tmp_path / "file", b"x")
    finally:
        tmp_path.chmod(0o700)
