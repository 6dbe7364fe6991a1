"""`fastadv prepare` that is stopped or killed, or fills the disk: one clear line, and the same copies after all."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.preparing import SIZES, done_well, few_real_ones, finished, image_folder, prepare, refused, tree
from tests.support.runs import gone
from tests.support.shell import FASTADV
from tests.support.small_disk import small_disk
from tests.support.waiting import seconds, wait_until


@pytest.fixture(autouse=True)
def _home(home: Path) -> None:
    """No test touches the user's home."""


def start_preparing(source: Path, out: Path, copies: int, **options: Any) -> "subprocess.Popen[str]":
    """Start a preparation and wait until it has made `copies` copies."""
    words = ["prepare", "imagenet", str(source), "--out", str(out), "--sizes", "160,200", "--workers", "2"]
    process = subprocess.Popen([*FASTADV, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)
    wait_until(lambda: (out.exists() and finished(out) >= copies) or process.poll() is not None)
    return process


@pytest.fixture
def photographs(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """Real photographs, and the hashes of the copies that an undisturbed preparation makes."""
    source = few_real_ones(tmp_path / "source", train=100, val=5)
    done_well(source, tmp_path / "undisturbed", "--sizes", "160,200")
    return source, tree(tmp_path / "undisturbed", ("160", "200"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_prepare_continues_and_ends_with_the_same_copies(
    tmp_path: Path, photographs: tuple[Path, dict[str, str]], number: signal.Signals
) -> None:
    source, expected = photographs
    out = tmp_path / "out"
    for copies in (0, 1, 120):
        process = start_preparing(source, out, copies, start_new_session=True)
        everybody = psutil.Process(process.pid).children(recursive=True)
        os.killpg(process.pid, number) if number == signal.SIGINT else process.send_signal(number)
        _, message = process.communicate(timeout=seconds(30))
        assert "Traceback" not in message
        if number == signal.SIGKILL:
            wait_until(lambda: all(gone(child.pid) for child in everybody))  # noqa: B023 - it is called here
        else:
            assert process.returncode == 130
            assert message.splitlines()[-1] == "stopped; run the same command again to continue"
            assert not [child for child in everybody if not gone(child.pid)]
        assert not (out / "prepared.json").exists()
        known = {path: digest for path, digest in tree(out, ("160", "200")).items() if "/." not in path}
        assert known.items() <= expected.items()  # no half-written file has its final name
    done_well(source, out, "--sizes", "160,200")
    assert tree(out, ("160", "200")) == expected
    assert (out / "prepared.json").read_bytes() == (tmp_path / "undisturbed" / "prepared.json").read_bytes()


@pytest.mark.parametrize("killed", ["engine", "worker"])
def test_prepare_fails_in_one_line_if_its_engine_or_a_worker_is_killed(
    tmp_path: Path, photographs: tuple[Path, dict[str, str]], killed: str
) -> None:
    source, expected = photographs
    out = tmp_path / "out"
    process = start_preparing(source, out, 50)
    (engine,) = psutil.Process(process.pid).children()
    everybody = engine.children(recursive=True)
    workers = [child for child in everybody if "spawn_main" in " ".join(child.cmdline())]
    assert len(workers) == 2
    (engine if killed == "engine" else workers[0]).kill()
    _, message = process.communicate(timeout=seconds(30))
    assert process.returncode == 1
    assert "killed (signal 9)" in message if killed == "engine" else "a worker died (signal 9" in message
    wait_until(lambda: all(gone(child.pid) for child in everybody))
    done_well(source, out, "--sizes", "160,200")
    assert tree(out, ("160", "200")) == expected


def test_a_second_prepare_into_the_same_folder_is_refused(tmp_path: Path) -> None:
    source, out = few_real_ones(tmp_path / "source", train=150), tmp_path / "out"
    process = start_preparing(source, out, 1)
    refused(prepare(source, out, "--sizes", "160,200"), "another `fastadv prepare` is at work")
    process.terminate()
    process.communicate()
    assert process.returncode == 130


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 600 kB."""
    with small_disk(tmp_path / "small", "600k") as folder:
        yield folder


def test_prepare_on_a_full_disk_says_so_in_one_line_and_continues_after_room_is_made(
    tmp_path: Path, disk: Path
) -> None:
    source, out = image_folder(tmp_path / "source", train=40, val=10), disk / "out"
    (disk / "ballast").write_bytes(b"x" * 400_000)
    done = prepare(source, out)
    assert done.returncode == 1
    assert "WARNING: the disk will be full before the end" in done.stderr
    error = done.stderr.splitlines()[-1]
    assert "the disk is full" in error
    assert "run the same command again to continue" in error
    assert "Traceback" not in done.stderr
    assert not (out / "prepared.json").exists()
    subprocess.run(["mount", "-o", "remount,size=4m", disk], check=True)
    done_well(source, out)
    done_well(source, tmp_path / "undisturbed")
    assert tree(out, SIZES) == tree(tmp_path / "undisturbed", SIZES)
