"""Minibatches from image files: equal for any number of workers, each image once per epoch, no worker left behind."""

import itertools
import os
import re
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch

from engine.config.errors import DataError
from engine.data.folder.batches import FolderBatches
from engine.data.folder.dataset import FolderDataset
from engine.data.folder.decode import _decoded
from engine.data.folder.image_folder import ImageFolder
from engine.data.folder.images import FolderImages
from tests.support.engine import ROOT
from tests.support.folders import batches, picture, tree
from tests.support.minibatches import pairs
from tests.support.networks import CPU
from tests.support.waiting import seconds


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tree(tmp_path / "data", ("a", "b", "c"), count=5)


def test_a_minibatch_depends_neither_on_workers_nor_on_where_its_epoch_was_resumed(folder: Path) -> None:
    whole = list(pairs(batches(folder).epoch(2)))
    assert [tuple(x.shape) for x, _ in whole] == [(4, 3, 16, 16)] * 3 + [(3, 3, 16, 16)]
    assert all(x.is_contiguous(memory_format=torch.channels_last) for x, _ in whole)
    for first, workers in ((0, 1), (0, 2), (2, 1)):
        for (x, y), (wanted, labels) in zip(
            pairs(batches(folder, workers).epoch(2, first)), whole[first:], strict=True
        ):
            assert torch.equal(x, wanted)
            assert torch.equal(y, labels)
    assert torch.equal(batches(folder).batch(2, 3).x, whole[3][0])
    assert not torch.equal(next(batches(folder).epoch(3)).x, whole[0][0])


def test_decoding_workers_live_from_the_first_epoch_to_the_last(folder: Path) -> None:
    loader = batches(folder, workers=2, end=3)
    list(loader.epoch(0))
    workers = psutil.Process().children()
    assert len(workers) == 2
    for epoch in (1, 2):
        for (x, y), (wanted, labels) in zip(
            pairs(loader.epoch(epoch)), pairs(batches(folder).epoch(epoch)), strict=True
        ):
            assert torch.equal(x, wanted)
            assert torch.equal(y, labels)
        if epoch == 1:
            assert psutil.Process().children() == workers
    _, alive = psutil.wait_procs(workers, timeout=seconds(20))
    assert not alive


def test_a_loader_can_be_asked_for_any_epoch_in_any_order(folder: Path) -> None:
    loader = batches(folder, workers=1, end=7)
    list(loader.epoch(0))
    for epoch, first in ((0, 0), (5, 2), (6, 1)):
        wanted = list(pairs(batches(folder).epoch(epoch)))[first:]
        assert all(torch.equal(x, w) for (x, _), (w, _) in zip(pairs(loader.epoch(epoch, first)), wanted, strict=True))


def test_every_image_comes_once_an_epoch_and_ranks_share_them_evenly(folder: Path) -> None:
    labels = torch.cat([y for _, y in pairs(batches(folder).epoch(0))])
    assert labels.bincount().tolist() == [5, 5, 5]
    shares = [np.concatenate(batches(folder, rank=rank, world=2)._indices(0)).tolist() for rank in (0, 1)]
    assert [len(share) for share in shares] == [7, 7]
    assert len({*shares[0], *shares[1]}) == 14
    assert [len(batches(folder, rank=rank, world=2)) for rank in (0, 1)] == [2, 2]


def test_half_of_the_training_images_are_mirrored(folder: Path) -> None:
    loader = batches(folder)
    ramp = torch.arange(16, dtype=torch.uint8).expand(1000, 16, 16).unsqueeze(3)
    flipped = loader._flipped(0, 0, ramp.contiguous(), torch.zeros(1000), torch.arange(1000)).x
    mirrored = (flipped[:, 0, 0, 0] > flipped[:, 0, 0, -1]).float().mean().item()
    assert mirrored == pytest.approx(0.5, abs=0.06)


def test_an_unreadable_training_image_is_grey_and_listed_and_a_test_image_has_no_class(folder: Path) -> None:
    bad = folder / "train" / "b" / "3.JPEG"
    bad.write_bytes(b"torn")
    loader = batches(folder, workers=1)
    greys = sum(int((x == 128 / 255).flatten(1).all(1).sum()) for x, _ in pairs(loader.epoch(0)))
    assert (greys, loader.unreadable) == (1, {str(bad)})
    (folder / "val" / "a" / "0.JPEG").write_bytes(b"torn")
    images = FolderImages(*ImageFolder(folder).files("val", 0), 18, 16, CPU)
    x, y = images.first(15)[torch.arange(15)]
    (place,) = (y == -1).nonzero().flatten().tolist()
    assert torch.equal(x[place], torch.full_like(x[place], 128 / 255))
    assert sorted(y.tolist()) == [-1, *[0] * 4, *[1] * 5, *[2] * 5]
    assert images.unreadable == {str(folder / "val" / "a" / "0.JPEG")}


@pytest.mark.parametrize("workers", [0, 1])
def test_a_file_that_has_changed_since_the_fingerprint_is_used_and_named_once(folder: Path, workers: int) -> None:
    data = FolderDataset(folder)
    data.fingerprint()
    forgotten: list[str] = []
    for split in ("train", "val"):
        for number in (2, 3):
            picture(folder / split / "b" / f"{number}.JPEG", seed=99 + number)
    known = {split: data.folder.known_files(split, 0) for split in ("train", "val")}
    for split, files in known.items():
        assert files is not None
        files.forget = partial(forgotten.append, split)
    loader = FolderBatches(*data.folder.files("train", 0), 16, 4, 7, CPU, workers, known=known["train"])
    found, wanted = list(pairs(loader.epoch(0))), list(pairs(batches(folder).epoch(0)))
    assert all(torch.equal(x, other) for (x, _), (other, _) in zip(found, wanted, strict=True))
    images = FolderImages(*data.folder.files("val", 0), 18, 16, CPU, known["val"])
    images[torch.arange(len(images))]
    images.first(10)[torch.arange(10)]
    for split, remarks in (("train", loader.remarks), ("val", images.remarks)):
        assert remarks
        for remark in remarks:
            assert re.match(rf"{folder}/{split}/b/[23].JPEG has changed since the data set was fingerprinted;", remark)
    assert len(loader.remarks) == 1
    assert loader.unreadable == images.unreadable == set()
    assert {*forgotten} == {"train", "val"}


@pytest.mark.parametrize(
    ("minibatches", "processes", "said"),
    [
        (100, 3, ""),
        (8, 3, ""),
        (
            7,
            2,
            "2 of 3 processes decode images, which is slower: memory is short of room for more minibatches",
        ),
        (3, 0, "the training process decodes the images itself, which is slower: memory is short of room"),
    ],
)
def test_memory_that_is_short_lowers_the_number_of_workers_and_is_told_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch, minibatches: int, processes: int, said: str
) -> None:
    monkeypatch.setattr("engine.data.folder.batches.free_memory", lambda: 2 * minibatches * 4 * (3 * 16 * 16 + 1))
    monkeypatch.delenv("FASTADV_RUNS_ON_HOST", raising=False)
    loader, wanted = batches(folder, workers=3), list(pairs(batches(folder).epoch(0)))
    epoch = loader.epoch(0)
    found = [next(epoch).x]
    assert len(psutil.Process().children()) == processes
    found += [batch.x for batch in epoch]
    list(loader.epoch(1))
    assert all(torch.equal(x, other) for x, (other, _) in zip(found, wanted, strict=True))
    assert len({*loader.remarks}) == bool(said)
    for remark in loader.remarks:
        assert remark.startswith(said)
        assert remark.endswith("lower batch_size, or raise the limit of the container (docker run --memory)")


def test_files_of_another_size_are_not_compared_with_the_fingerprint(folder: Path) -> None:
    tree(folder / "24", ("a", "b", "c"), count=5)
    data = FolderDataset(folder)
    assert data.folder.known_files("train", 0) is None  # not fingerprinted yet
    data.fingerprint()
    assert data.folder.known_files("train", 24) is None
    assert data.folder.known_files("train", 0) is not None


def test_training_fails_if_its_images_are_deleted(folder: Path) -> None:
    loader = batches(folder, workers=1)
    for path in (folder / "train").glob("*/*"):
        path.unlink()
    with pytest.raises(DataError, match=r"4 of 4 images are missing, such as .*JPEG; restore them"):
        next(loader.epoch(0))


def test_an_input_output_error_of_the_disk_is_raised_and_gives_no_grey_image(folder: Path) -> None:
    odd = folder / "train" / "b" / "3.JPEG"
    loader = batches(folder, workers=1)
    odd.unlink()
    odd.symlink_to("/proc/self/mem")  # reading its first byte is an input/output error
    with pytest.raises(OSError, match="Input/output error"):
        list(loader.epoch(0))


def test_no_decoding_worker_is_left_when_an_epoch_is_abandoned(folder: Path) -> None:
    epoch = batches(folder, workers=2, size=1).epoch(0)
    next(epoch)
    workers = psutil.Process().children()
    assert workers
    epoch.close()  # type: ignore[attr-defined]
    _, alive = psutil.wait_procs(workers, timeout=seconds(20))
    assert not alive


PARENT = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from tests.support.folders import batches
epoch = batches(Path(sys.argv[1]), workers=2, size=1).epoch(0)
next(epoch)
print("ready", flush=True)
time.sleep(600)
"""


def test_decoding_workers_die_when_their_parent_is_killed(folder: Path) -> None:
    command = [sys.executable, "-c", PARENT, str(folder), str(ROOT)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "ready\n"
        workers = psutil.Process(parent.pid).children()
        assert len(workers) == 2
        for worker in workers:
            os.kill(worker.pid, signal.SIGINT)  # what a Ctrl-C at the terminal does to all of them
        parent.kill()
    _, alive = psutil.wait_procs(workers, timeout=seconds(30))
    assert not alive


@pytest.mark.parametrize("free", [0, 3])
def test_without_open_files_to_spare_the_engine_decodes_and_says_so_or_says_what_to_do(folder: Path, free: int) -> None:
    loader, wanted = batches(folder, workers=2), list(pairs(batches(folder).epoch(0)))
    with open_files_to_spare(free):
        if not free:
            with pytest.raises(DataError, match=r"Too many open files: allow more open files with `ulimit -n`"):
                list(loader.epoch(0))
        else:
            found = list(pairs(loader.epoch(0)))
            assert all(torch.equal(x, other) for (x, _), (other, _) in zip(found, wanted, strict=True))
    (remark,) = loader.remarks
    assert remark.startswith("the training process decodes the images itself, which is slower: cannot start")
    assert remark.endswith("(Too many open files); allow more open files with `ulimit -n`")
    assert not psutil.Process().children()


@contextmanager
def open_files_to_spare(count: int) -> Iterator[None]:
    """Lower the limit of this process, so that it can open only `count` more files."""
    used = {number for number in map(int, os.listdir("/proc/self/fd")) if Path(f"/proc/self/fd/{number}").exists()}
    numbers = (number for number in itertools.count() if number not in used)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (next(itertools.islice(numbers, count, None)), before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_a_large_jpeg_is_decoded_no_larger_than_needed(tmp_path: Path) -> None:
    picture(tmp_path / "large.jpg", (2000, 1500))
    path = os.fsencode(tmp_path / "large.jpg")
    for side, size in ((128, (188, 250, 3)), (188, (375, 500, 3)), (375, (375, 500, 3)), (1400, (1500, 2000, 3))):
        pixels, box = _decoded(path, lambda width, height: (0, 0, width, height), side)
        assert pixels.shape == size
        assert box == (0, 0, size[1], size[0])
