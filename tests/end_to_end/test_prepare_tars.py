"""`fastadv prepare` from the official tar files of ImageNet."""

import gzip
import io
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.preparing import (
    CLASSES,
    SIZES,
    done_well,
    encoded,
    finished,
    picture,
    prepare,
    put,
    refused,
    tar,
    tree,
)
from tests.support.shell import start
from tests.support.waiting import wait_until


@pytest.fixture(autouse=True)
def _home(home: Path) -> None:
    """No test touches the user's home."""


@pytest.fixture
def official(tmp_path: Path) -> Path:
    """Made-up tar files: two classes with three training images each, four validation images and a broken one."""
    folder = tmp_path / "official"
    inner = {
        f"{label}.tar": tar({f"{label}_{n}.JPEG": encoded(picture(seed=10 * k + n)) for n in range(3)})
        for k, label in enumerate(CLASSES)
    }
    put(folder / "ILSVRC2012_img_train.tar", tar(inner))
    names = [f"ILSVRC2012_val_{n:08d}.JPEG" for n in (3, 1, 4, 2)]  # the order of the files does not matter
    contents = {name: encoded(picture(seed=int(name[-6]))) for name in names}
    put(folder / "ILSVRC2012_img_val.tar", tar(contents | {"ILSVRC2012_val_00000005.JPEG": b"broken"}))
    return folder


TRUTH = (2, 1, 1, 2, 1)  # class numbers of the validation images, in the order of file names


def add_devkit(folder: Path) -> None:
    from scipy import io as matlab

    kinds = [("ILSVRC2012_ID", "O"), ("WNID", "O"), ("words", "O"), ("num_children", "O")]
    rows = [(1, CLASSES[0], "a cat", 0), (2, CLASSES[1], "a dog", 0), (3, "n00000009", "an animal", 2)]
    file = io.BytesIO()
    matlab.savemat(file, {"synsets": np.array(rows, dtype=kinds).reshape(-1, 1)})
    kit = {
        "ILSVRC2012_devkit_t12/data/ILSVRC2012_validation_ground_truth.txt": "\n".join(map(str, TRUTH)).encode(),
        "ILSVRC2012_devkit_t12/data/meta.mat": file.getvalue(),
    }
    put(folder / "ILSVRC2012_devkit_t12.tar.gz", gzip.compress(tar(kit)))


def add_text(folder: Path) -> None:
    lines = [f"ILSVRC2012_val_{n:08d}.JPEG {CLASSES[label - 1]}" for n, label in enumerate(TRUTH, start=1)]
    put(folder / "val_labels.txt", "\n".join(lines).encode())


@pytest.mark.parametrize("labels", [add_devkit, add_text])
def test_prepare_reads_the_official_tar_files_of_imagenet(tmp_path: Path, official: Path, labels: Any) -> None:
    labels(official)
    out = tmp_path / "out"
    prepared = done_well(official, out)
    assert (prepared.classes, prepared.counts) == (CLASSES, {"train": 6, "val": 4})
    assert prepared.broken == (f"val/{CLASSES[0]}/ILSVRC2012_val_00000005.JPEG",)
    full = {path.removeprefix("full/") for path in tree(out, ("full",))}
    assert full == {path.removeprefix("64/") for path in tree(out, ("64",))}
    assert {path for path in full if path.startswith("val")} == {
        f"val/{CLASSES[label - 1]}/ILSVRC2012_val_{n:08d}.JPEG" for n, label in enumerate(TRUTH[:4], start=1)
    }
    for k, label in enumerate(CLASSES):
        for n in range(3):
            path = out / "full" / "train" / label / f"{label}_{n}.JPEG"
            assert path.read_bytes() == encoded(picture(seed=10 * k + n))
    expected = tree(out, ("full", *SIZES))
    (out / "full" / "train" / CLASSES[0] / f"{CLASSES[0]}_1.JPEG").unlink()
    done_well(official, out)
    assert tree(out, ("full", *SIZES)) == expected


def test_prepare_refuses_faulty_tar_files_in_one_line(tmp_path: Path, official: Path) -> None:
    out = tmp_path / "out"
    refused(prepare(official, out), "add ILSVRC2012_devkit_t12.tar.gz or val_labels.txt")
    put(official / "ILSVRC2012_devkit_t12.tar.gz", b"no")
    refused(prepare(official, out), "not the development kit")
    add_text(official)
    for name in ("ILSVRC2012_img_train.tar", "ILSVRC2012_img_val.tar"):
        whole = (official / name).read_bytes()
        with tarfile.open(official / name) as archive:
            first, *_, last = archive.getmembers()
        for length in (0, 100, first.offset_data + 100, last.offset, last.offset_data + 100):
            (official / name).write_bytes(whole[:length])
            refused(prepare(official, out), "download it again")
        (official / name).write_bytes(tar({}))
        refused(
            prepare(official, out),
            "train lacks classes that val has" if "train" in name else "val lacks classes that train has",
        )
        (official / name).write_bytes(whole)
    (official / "val_labels.txt").write_text(f"ILSVRC2012_val_00000001.JPEG {CLASSES[0]}\n")
    refused(prepare(official, out), "no class is known for ILSVRC2012_val_0000000")
    (official / "ILSVRC2012_img_val.tar").unlink()
    refused(prepare(official, out), "no ILSVRC2012_img_val.tar")


def test_an_interrupted_extraction_of_tar_files_continues(tmp_path: Path, official: Path) -> None:
    add_text(official)
    inner = {
        f"{label}.tar": tar({f"{label}_{n}.JPEG": encoded(picture(mode="CMYK"), quality=95) for n in range(600)})
        for label in CLASSES
    }
    put(official / "ILSVRC2012_img_train.tar", tar(inner))
    out = tmp_path / "out"
    process = start("prepare", "imagenet", str(official), "--out", str(out), "--sizes", "32,64")
    wait_until(lambda: finished(out, "64") >= 30 or process.poll() is not None)
    process.kill()
    process.communicate()
    assert not (out / "prepared.json").exists()
    # The engine takes a moment to notice that its parent was killed.
    wait_until(lambda: prepare(official, out).returncode == 0)
    done_well(official, tmp_path / "undisturbed")
    assert tree(out, ("full", *SIZES)) == tree(tmp_path / "undisturbed", ("full", *SIZES))
