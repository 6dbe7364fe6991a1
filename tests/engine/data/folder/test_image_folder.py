"""Image folders: listing, errors, and crops that agree with torchvision."""

import hashlib
import os
import random
import statistics
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from engine.config.errors import DataError
from engine.data.folder.dataset import FolderDataset
from engine.data.folder.decode import DecodeError, eval_crop, random_box, train_crop
from engine.data.folder.image_folder import ImageFolder
from engine.data.folder.layout import EXTENSIONS
from tests.support.folders import picture, tree
from tests.support.official_data import IMAGENET_SAMPLE, needs_imagenet_sample


def test_an_image_folder_lists_classes_sizes_and_files_in_the_order_of_their_names(tmp_path: Path) -> None:
    tree(tmp_path / "full", ("dog", "ant"))
    tree(tmp_path / "32", ("dog", "ant"))
    (tmp_path / "full" / "train" / "ant" / "notes.txt").write_text("no image")
    (tmp_path / "prepared.json").write_text('{"broken": ["train/dog/1.JPEG"]}')
    folder = ImageFolder(tmp_path)
    assert (folder.classes, folder.sizes) == (("ant", "dog"), (32,))
    paths, labels = folder.files("train", 0)
    names = [os.fsdecode(path).removeprefix(f"{tmp_path}/full/train/") for path in paths]
    assert names == ["ant/0.JPEG", "ant/1.JPEG", "ant/2.JPEG", "dog/0.JPEG", "dog/2.JPEG"]
    assert labels.tolist() == [0, 0, 0, 1, 1]
    assert [path.rpartition(b"/")[2] for path in folder.files("val", 32)[0].tolist()] == [
        b"0.JPEG",
        b"1.JPEG",
        b"2.JPEG",
    ] * 2


def test_ignored_files_are_listed(tmp_path: Path) -> None:
    tree(tmp_path)
    assert FolderDataset(tmp_path).remarks == []
    picture(tmp_path / "train" / "a" / "moving.gif", format="GIF")
    (tmp_path / "train" / "b" / "deeper").mkdir()
    (tmp_path / "val" / "a" / "notes.txt").write_text("no image")
    (tmp_path / "val" / "a" / ".DS_Store").write_text("hidden files are not listed")
    source = FolderDataset(tmp_path)
    train, val = (remark.partition("; the names of images end in .jpg")[0] for remark in source.remarks)
    assert (train, val) == (
        "ignored: train/a/moving.gif and 1 more",
        "ignored: val/a/notes.txt",
    )
    assert (source.train_images, source.test_images, source.official) == (6, 6, None)


@pytest.mark.parametrize("name", ["valid", "validation", "test"])
def test_a_plain_folder_may_use_another_name_for_its_val_split(tmp_path: Path, name: str) -> None:
    (tree(tmp_path) / "val").rename(tmp_path / name)
    assert len(ImageFolder(tmp_path).files("val", 0)[0]) == 6


def test_the_fingerprint_of_a_folder_changes_when_its_files_change(tmp_path: Path) -> None:
    before = ImageFolder(tree(tmp_path)).fingerprint()
    assert ImageFolder(tmp_path).fingerprint() == before
    os.utime(tmp_path / "val" / "a" / "0.JPEG", (1, 1))
    assert ImageFolder(tmp_path).fingerprint() != before


def test_the_fingerprint_is_that_of_earlier_versions(tmp_path: Path) -> None:
    root = tree(tmp_path, count=2)
    (root / "val" / "b" / ".hidden").write_text("files of all names count")
    (root / "train" / "a" / "z.JPEG").symlink_to("nothing")
    os.utime(root / "val" / "a" / "0.JPEG", ns=(0, 1_700_000_000_999_999_950))  # a float rounds it to the next second
    lines = []
    for path in (*sorted(root.glob("train/*/*")), *sorted(root.glob("val/*/*"))):
        facts = f"{path.stat().st_size} {int(path.stat().st_mtime)}" if path.exists() else "a link that leads nowhere"
        lines.append(f"{path.relative_to(root)} {facts}\n")
    assert ImageFolder(root).fingerprint() == hashlib.blake2b("".join(lines).encode(), digest_size=6).hexdigest()


def _file_for_class(root: Path) -> None:
    (root / "train" / "c").write_text("")


def _empty_class(root: Path) -> None:
    for split in ("train", "val"):
        (root / split / "c").mkdir()


def _class_without_val(root: Path) -> None:
    picture(root / "train" / "c" / "0.jpg")


def _no_val(root: Path) -> None:
    (root / "val").rename(root / "other")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_file_for_class, "train/c is a file; expected a folder for each class"),
        (_empty_class, "train/c has no images"),
        (_class_without_val, "the class c is only in train"),
        (_no_val, "has no val folder; expected train/CLASS/FILE and val/CLASS/FILE"),
        (lambda root: root.rename(root.with_name("gone")), "does not exist"),
        (lambda root: (root / "prepared.json").write_text("{"), r"prepared.json is unreadable; remove it"),
        (lambda root: (root / "prepared.json").write_text("[" * 100_000), r"prepared.json is unreadable; remove it"),
        (lambda root: os.mkfifo(root / "prepared.json"), r"prepared.json is a named pipe; remove it"),
        (lambda root: (root / ".preparing.json").write_text("{}"), "is not complete: run `fastadv prepare` again"),
    ],
)
def test_a_folder_that_is_no_data_set_is_refused(tmp_path: Path, damage: object, message: str) -> None:
    root = tree(tmp_path / "data")
    damage(root)  # type: ignore[operator]
    with pytest.raises(DataError, match=message):
        ImageFolder(root).files("train", 0)


def test_a_size_that_is_not_prepared_is_refused_with_the_prepared_sizes(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"not prepared in size 160 \(it has only the full size\); make it with `fastadv prepare"
    ):
        ImageFolder(tree(tmp_path)).files("train", 160)


def test_the_error_for_a_moved_source_folder_names_it(tmp_path: Path) -> None:
    root = tree(tmp_path / "source").parent / "data"
    root.mkdir()
    (root / "full").symlink_to(tmp_path / "source")
    assert len(ImageFolder(root).classes) == 2
    (tmp_path / "source").rename(tmp_path / "elsewhere")
    with pytest.raises(DataError, match=r"data/full is a link to .*/source, which does not exist; restore that folder"):
        ImageFolder(root)


def test_a_grey_image_of_16_bits_keeps_its_shades(tmp_path: Path) -> None:
    ramp = np.linspace(0, 65535, 64 * 64).reshape(64, 64)
    Image.fromarray(ramp.astype(np.uint16)).save(tmp_path / "grey.png")
    found = eval_crop(os.fsencode(tmp_path / "grey.png"), 64, 64).astype(float)
    assert abs(found - (ramp / 257)[:, :, None]).max() <= 1


def test_a_size_whose_preparation_is_unfinished_is_refused(tmp_path: Path) -> None:
    root = tree(tmp_path / "data")
    (root / "prepared.json").write_text('{"broken": []}')
    (root / "160" / "train").mkdir(parents=True)
    with pytest.raises(DataError, match=r"160/train/a has no images \(run `fastadv prepare` again"):
        ImageFolder(root).files("train", 160)


def test_every_image_format_that_can_be_prepared_can_be_trained_on(tmp_path: Path) -> None:
    root = tree(tmp_path / "data", count=1)
    for ending in EXTENSIONS:
        picture(root / "train" / "a" / f"x{ending}", format="PNG", quality=None)
    assert len(ImageFolder(root).files("train", 0)[0]) == 2 + len(EXTENSIONS)


def test_a_broken_link_does_not_break_the_fingerprint_of_its_folder(tmp_path: Path) -> None:
    root = tree(tmp_path / "data")
    (root / "val" / "a" / "circle.JPEG").symlink_to("circle.JPEG")
    (root / "val" / "a" / "lost.JPEG").symlink_to(tmp_path / "nothing")
    before = ImageFolder(root).fingerprint()
    picture(tmp_path / "nothing", format="JPEG")
    assert ImageFolder(root).fingerprint() != before


@pytest.mark.parametrize(("width", "height"), [(224, 224), (500, 375), (300, 60)])
def test_training_crops_are_distributed_as_in_torchvision(width: int, height: int) -> None:
    from torchvision import transforms  # takes seconds, so not where every worker of pytest-xdist imports it

    torch.manual_seed(0)
    blank = torch.zeros(3, height, width)
    theirs = [transforms.RandomResizedCrop.get_params(blank, [0.08, 1.0], [3 / 4, 4 / 3]) for _ in range(4000)]
    ours = [random_box(width, height, random.Random(n)) for n in range(4000)]
    for mine, other in (
        ([(b[3] - b[1]) * (b[2] - b[0]) for b in ours], [h * w for _, _, h, w in theirs]),
        ([(b[2] - b[0]) / (b[3] - b[1]) for b in ours], [w / h for _, _, h, w in theirs]),
        ([b[0] for b in ours], [left for _, left, _, _ in theirs]),
        ([b[1] for b in ours], [top for top, _, _, _ in theirs]),
    ):
        spread = statistics.pstdev(other) or 1.0
        assert abs(statistics.fmean(mine) - statistics.fmean(other)) < 0.1 * spread  # four standard errors
        assert abs(statistics.pstdev(mine) - statistics.pstdev(other)) < 0.1 * spread
    assert all(0 <= b[0] < b[2] <= width and 0 <= b[1] < b[3] <= height for b in ours)


def test_a_training_crop_is_the_drawn_part_of_the_image_and_depends_on_its_key_alone(tmp_path: Path) -> None:
    picture(tmp_path / "x.jpg", (224, 160))
    path = os.fsencode(tmp_path / "x.jpg")
    crop = train_crop(path, 64, 1, 2, 3)
    assert crop.shape == (64, 64, 3)
    assert crop.dtype == torch.uint8
    assert torch.equal(crop, train_crop(path, 64, 1, 2, 3))
    assert not torch.equal(crop, train_crop(path, 64, 1, 2, 4))


@pytest.mark.parametrize("size", [(224, 224), (500, 375), (375, 500), (1600, 1200), (150, 400)])
def test_evaluation_pixels_of_made_up_images_are_those_of_torchvision(tmp_path: Path, size: tuple[int, int]) -> None:
    picture(tmp_path / "x.jpg", size)
    assert_like_torchvision(tmp_path / "x.jpg", 146, 128)


@needs_imagenet_sample
def test_evaluation_pixels_of_real_images_are_those_of_torchvision() -> None:
    for path in sorted((IMAGENET_SAMPLE / "val").glob("*/*"))[::20]:
        assert_like_torchvision(path, 146, 128)
        assert_like_torchvision(path, 224, 224)
        assert_like_torchvision(path, 73, 64)


def assert_like_torchvision(path: Path, resize: int, crop: int) -> None:
    """The mean difference is below 2, in units of 1/255."""
    from torchvision import transforms

    theirs = transforms.Compose([transforms.Resize(resize), transforms.CenterCrop(crop)])
    wanted = np.asarray(theirs(Image.open(path).convert("RGB")), dtype=float)
    assert np.abs(eval_crop(os.fsencode(path), resize, crop) - wanted).mean() < 2.0


@pytest.mark.parametrize(
    ("mode", "options"),
    [("L", {}), ("CMYK", {}), ("RGB", {"format": "PNG"}), ("RGBA", {"format": "PNG"}), ("P", {"format": "PNG"})],
)
def test_an_image_of_any_mode_and_format_becomes_rgb_whatever_its_name(
    tmp_path: Path, mode: str, options: dict[str, str]
) -> None:
    path = tmp_path / "x.JPEG"  # the name says JPEG, whatever the format is
    picture(path, (60, 50), mode, **options)
    wanted = np.asarray(Image.open(path).convert("RGB").resize((48, 40), Image.Resampling.BILINEAR), dtype=float)
    found = eval_crop(os.fsencode(path), 40, 40)
    assert np.abs(found - wanted[:, 4:44]).mean() < 4
    assert train_crop(os.fsencode(path), 16, 0).shape == (16, 16, 3)


@pytest.mark.parametrize("content", [b"", b"no image", "half"])
def test_an_image_that_cannot_be_decoded_is_named(tmp_path: Path, content: bytes | str) -> None:
    path = tmp_path / "x.JPEG"
    picture(path, (200, 200))
    path.write_bytes(path.read_bytes()[:1500] if isinstance(content, str) else content)
    for read in (lambda p: train_crop(p, 16, 0), lambda p: eval_crop(p, 20, 16)):
        with pytest.raises(DecodeError, match=r"x\.JPEG cannot be read as an image"):
            read(os.fsencode(path))
