"""What other programs leave in a data set: training and `fastadv prepare` leave the same out, and refuse the same."""

from pathlib import Path

import pytest

from engine.config.errors import DataError
from engine.data.folder.dataset import FolderDataset
from engine.data.folder.image_folder import ImageFolder
from engine.data.folder.layout import nested_images
from engine.data.prepare.source import SourceError, image_folder
from tests.support.folders import picture, tree

FILES = ("Thumbs.db", "ehthumbs.db", "desktop.ini", "Desktop.ini", ".DS_Store", "._a")
FOLDERS = ("@eaDir", "#recycle", "lost+found", "__MACOSX", ".ipynb_checkpoints", "$RECYCLE.BIN", ".Trash-1000")


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_a_file_manager_left_is_left_out_and_noted(tmp_path: Path, name: str) -> None:
    root = tree(tmp_path)
    for folder in ("train", "val", "train/a"):
        (root / folder / name).write_bytes(b"left behind")
    _both_take(root, [f"train/{name}", f"train/a/{name}", f"val/{name}"])


@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder_that_a_file_system_left_is_left_out_with_its_thumbnails(tmp_path: Path, name: str) -> None:
    root = tree(tmp_path)
    for folder in ("train", "val", "train/a"):
        picture(root / folder / name / "0.JPEG")
    _both_take(root, [f"train/{name}", f"train/a/{name}", f"val/{name}"])


def _both_take(root: Path, noted: list[str]) -> None:
    """Hidden names are left out without a note, because every tool leaves them out."""
    visible = [place for place in noted if not place.rpartition("/")[2].startswith(".")]
    dataset, source = FolderDataset(root), image_folder(root)
    assert (dataset.train_images, dataset.test_images) == (6, 6)
    assert source.labels() == ("a", "b")
    assert source.counts() == {"train": 6, "val": 6}
    assert sorted(source.ignored()) == sorted(visible)
    found = ImageFolder(root)
    assert found.classes == ("a", "b")
    for split in ("train", "val"):
        found.files(split, 0)
    assert sorted(place for places in found.ignored.values() for place in places) == sorted(visible)


def test_a_folder_of_images_inside_a_class_is_refused_with_its_count_by_both(tmp_path: Path) -> None:
    root = tree(tmp_path)
    for number in range(3):
        picture(root / "train" / "b" / "more" / "deeper" / f"{number}.JPEG")
    said = r"/train/b/more is a folder with 3 images inside a class; move its images up into the class, or move it away"
    with pytest.raises(DataError, match=said):
        ImageFolder(root).files("train", 0)
    with pytest.raises(SourceError, match=said):
        image_folder(root)


def test_a_folder_without_images_inside_a_class_is_noted_by_both(tmp_path: Path) -> None:
    root = tree(tmp_path)
    (root / "val" / "a" / "notes").mkdir()
    (root / "val" / "a" / "notes" / "read.txt").write_text("no image")
    assert image_folder(root).ignored() == ["val/a/notes"]
    found = ImageFolder(root)
    found.files("val", 0)
    assert found.ignored["val"] == ["val/a/notes"]
    assert nested_images(root / "val" / "a" / "notes") == 0
