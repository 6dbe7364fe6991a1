"""`fastadv prepare` as a command: the copies that it makes, and the input that it refuses."""

import io
import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from PIL import Image

from engine.data.prepare.resize import smaller_size
from engine.protocol.requests import Planned
from fastadv_tui.terminal.prepare_text import planned
from tests.support.preparing import (
    CLASSES,
    SIZES,
    done_well,
    encoded,
    few_real_ones,
    finished,
    image_folder,
    picture,
    prepare,
    put,
    refused,
    tree,
)
from tests.support.shell import fastadv


@pytest.fixture(autouse=True)
def _home(home: Path) -> None:
    """No test touches the user's home."""


def opened(content: Path | bytes) -> Image.Image:
    """An image, decoded completely."""
    with Image.open(content if isinstance(content, Path) else io.BytesIO(content)) as image:
        image.load()
        return image


def pixels(path: Path) -> Any:
    return np.asarray(opened(path)).astype(float)


def halved(image: Any, factor: int) -> Any:
    """Shrink by an integer factor, with the mean of each square. It shares no code with Pillow's resize."""
    height, width = image.shape[0] // factor, image.shape[1] // factor
    return image[: height * factor, : width * factor].reshape(height, factor, width, factor, -1).mean((1, 3))


# The copies


def test_prepared_copies_have_the_asked_size_and_the_pixels_of_their_source(tmp_path: Path) -> None:
    source = image_folder(tmp_path / "source", width=160, height=128)
    prepared = done_well(source, tmp_path / "out")
    assert prepared.classes == CLASSES
    assert prepared.counts == {"train": 6, "val": 4}
    assert (prepared.sizes, prepared.quality, prepared.broken) == ((32, 64), 90, ())
    for size, factor in (("32", 4), ("64", 2)):
        assert {path.split("/", 1)[1] for path in tree(tmp_path / "out", (size,))} == {*tree(source, ("train", "val"))}
        for path in tree(source, ("train", "val")):
            copy, original = tmp_path / "out" / size / path, pixels(source / path)
            assert opened(copy).size == (160 // factor, 128 // factor)
            assert abs(pixels(copy) - halved(original, factor)).mean() < 4
    assert (tmp_path / "out" / "full").resolve() == source
    modes = {stat.S_IMODE((tmp_path / "out" / name).stat().st_mode) for name in ("prepared.json", "32/" + path)}
    assert len(modes) == 1  # other users can read the copies and their list


def test_prepared_photographs_are_close_to_an_independent_resize(tmp_path: Path) -> None:
    source = few_real_ones(tmp_path / "source", train=3, val=1)
    prepared = done_well(source, tmp_path / "out", "--sizes", "112,352")
    assert prepared.counts == {"train": 12, "val": 4}
    for path in tree(source, ("train", "val")):
        original = source / path
        if opened(original).mode == "RGB":
            assert (tmp_path / "out" / "352" / path).read_bytes() == original.read_bytes()
            assert abs(pixels(tmp_path / "out" / "112" / path) - halved(pixels(original), 2)).mean() < 6


@pytest.mark.parametrize("size", [(500, 375), (375, 500), (33, 32), (3000, 40), (32, 32), (31, 900)])
def test_the_shorter_side_of_a_copy_is_rounded_as_torchvision_does(size: tuple[int, int]) -> None:
    from torchvision.transforms import Resize

    image = Image.new("RGB", size)
    assert smaller_size(size, 32) == (Resize(32)(image).size if min(size) > 32 else size)


def test_a_large_jpeg_that_is_decoded_at_a_fraction_looks_the_same(tmp_path: Path) -> None:
    source = image_folder(tmp_path / "source", train=1, val=1, width=1280, height=1024)
    done_well(source, tmp_path / "out")
    for path in tree(source, ("train",)):
        assert opened(tmp_path / "out" / "64" / path).size == (80, 64)
        assert abs(pixels(tmp_path / "out" / "64" / path) - halved(pixels(source / path), 16)).mean() < 3


KINDS = {
    "grey.jpg": encoded(picture(mode="L")),
    "cmyk.JPEG": encoded(picture(mode="CMYK"), quality=95),
    "png.PNG": encoded(picture(), "PNG"),
    "called.JPEG": encoded(picture(), "PNG"),  # ImageNet has one of these
    "rgba.png": encoded(picture(mode="RGBA"), "PNG"),
    "palette.png": encoded(picture().quantize(64), "PNG"),
    "small-grey.png": encoded(picture(20, 16, mode="L"), "PNG"),
    "comment.jpg": encoded(picture(), comment=b"who took this"),
}


def test_an_image_of_any_format_becomes_an_rgb_jpeg_of_the_same_name(tmp_path: Path) -> None:
    source = image_folder(tmp_path / "source")
    for name, content in KINDS.items():
        put(source / "train" / CLASSES[0] / name, content)
    done_well(source, tmp_path / "out")
    for name in KINDS:
        image = opened(tmp_path / "out" / "32" / "train" / CLASSES[0] / name)
        assert (image.format, image.mode) == ("JPEG", "RGB")
        assert image.size == ((20, 16) if "small" in name else (40, 32))
        assert "comment" not in image.info
        expected = opened(KINDS[name]).convert("RGB").resize(image.size, Image.Resampling.BOX)
        assert abs(np.asarray(image).astype(float) - np.asarray(expected)).mean() < 8


def test_a_small_intact_jpeg_is_copied_byte_for_byte_without_rotation(tmp_path: Path) -> None:
    source = image_folder(tmp_path / "source", width=40, height=30)
    exif = Image.Exif()
    exif[0x0112] = 6  # EXIF orientation: rotated by 90 degrees
    put(source / "train" / CLASSES[0] / "turned.JPEG", encoded(picture(80, 40), exif=exif))
    done_well(source, tmp_path / "out", "--sizes", "32")
    small = f"train/{CLASSES[1]}/train_0.JPEG"
    assert (tmp_path / "out" / "32" / small).read_bytes() == (source / small).read_bytes()
    turned = opened(tmp_path / "out" / "32" / "train" / CLASSES[0] / "turned.JPEG")
    assert turned.size == (64, 32)
    assert not turned.getexif()


def test_prepare_leaves_out_broken_images_and_names_them(tmp_path: Path) -> None:
    source, whole = image_folder(tmp_path / "source"), encoded(picture(30, 20), quality=95)
    folder = source / "train" / CLASSES[0]
    for name, content in {"cut": whole[:-60], "empty": b"", "text": b"<html>not found"}.items():
        put(folder / f"{name}.JPEG", content)
    (folder / "nowhere.JPEG").symlink_to(tmp_path / "nothing")
    (folder / "round.JPEG").symlink_to(folder / "round.JPEG")
    os.mkfifo(folder / "pipe.JPEG")  # to open the pipe would wait for its writer for ever
    expected = tuple(f"train/{CLASSES[0]}/{name}.JPEG" for name in ("cut", "empty", "nowhere", "pipe", "round", "text"))
    prepared = done_well(source, tmp_path / "out")
    assert prepared.broken == expected
    assert prepared.counts == {"train": 6, "val": 4}
    assert finished(tmp_path / "out", "32") == 10
    again = prepare(source, tmp_path / "out")
    assert "6 broken images" in again.stdout
    assert f"{expected[0]}: image file is truncated" in again.stdout
    assert f"{expected[2]}: a link to a file that does not exist" in again.stdout
    assert f"{expected[3]}: a pipe, socket or device, not a file" in again.stdout


def test_prepare_lists_files_that_it_ignores_because_of_their_names(tmp_path: Path) -> None:
    source = image_folder(tmp_path / "source")
    assert "ignored: " not in prepare(source, tmp_path / "clean").stderr
    put(source / "val" / CLASSES[1] / "moving.gif", encoded(picture(30, 20)))
    put(source / "train" / CLASSES[0] / "notes.txt", b"mine")
    put(source / "train" / CLASSES[0] / ".DS_Store", b"")
    (source / "train" / CLASSES[0] / os.fsdecode(b"\xff.txt")).write_bytes(b"in no encoding")
    done = prepare(source, tmp_path / "out")
    assert f"ignored: train/{CLASSES[0]}/notes.txt and 2 more; the names of images end in .jpg" in done.stderr
    assert done.returncode == 0


def test_prepare_prints_at_most_twenty_broken_images(tmp_path: Path) -> None:
    source = image_folder(tmp_path / "source", train=1, val=1)
    for number in range(23):
        put(source / "train" / CLASSES[0] / f"broken{number}.JPEG", b"")
    done = prepare(source, tmp_path / "out")
    assert "23 broken images" in done.stdout
    assert done.stdout.count("not an image") == 20
    assert "and 3 more" in done.stdout


def test_prepare_fails_if_a_class_has_nothing_but_broken_images(tmp_path: Path) -> None:
    source = image_folder(tmp_path / "source", val=1)
    put(source / "val" / CLASSES[1] / "val_0.JPEG", b"")
    done = prepare(source, tmp_path / "out")
    assert done.returncode == 1
    assert f"all images of val/{CLASSES[1]} are broken" in done.stderr
    assert not (tmp_path / "out" / "prepared.json").exists()


def test_a_test_split_of_another_name_is_linked_as_val(tmp_path: Path) -> None:
    source = image_folder(tmp_path / "source")
    (source / "val").rename(source / "validation")
    done_well(source, tmp_path / "out")
    assert (tmp_path / "out" / "full" / "val").resolve() == source / "validation"
    assert finished(tmp_path / "out", "full") == finished(tmp_path / "out", "64") == 10


# A second start


def test_a_second_prepare_makes_only_the_sizes_that_are_new(tmp_path: Path) -> None:
    source, out = image_folder(tmp_path / "source"), tmp_path / "out"
    first = done_well(source, out)
    before = {path: (out / path).stat().st_mtime_ns for path in tree(out, SIZES)}
    assert done_well(source, out) == first
    assert before == {path: (out / path).stat().st_mtime_ns for path in tree(out, SIZES)}
    assert done_well(source, out, "--sizes", "48").sizes == (32, 48, 64)
    assert finished(out, "48") == 10


def test_prepare_makes_missing_copies_again_and_names_files_that_do_not_belong(tmp_path: Path) -> None:
    source, out = image_folder(tmp_path / "source"), tmp_path / "out"
    done_well(source, out)
    expected = tree(out, SIZES)
    folder = out / "64" / "val" / CLASSES[1]
    (folder / "val_0.JPEG").unlink()
    (folder / "val_1.JPEG").write_bytes(b"")  # a loss of power can leave an empty file
    (folder / ".123.part").write_bytes(b"half")
    done_well(source, out)
    assert tree(out, SIZES) == expected
    put(folder / "stranger.JPEG", b"?")
    done = prepare(source, out)
    assert done.returncode == 1
    assert "stranger.JPEG" in done.stderr


def test_prepare_copies_an_image_anew_that_was_replaced(tmp_path: Path) -> None:
    source, out = image_folder(tmp_path / "source"), tmp_path / "out"
    done_well(source, out)
    path = f"train/{CLASSES[0]}/train_1.JPEG"
    put(source / path, encoded(Image.new("RGB", (100, 80), "red")))
    done = prepare(source, out)
    assert "this call: 1 images" in done.stdout
    for size in SIZES:
        assert pixels(out / size / path).mean((0, 1)).round() == pytest.approx([254, 0, 0], abs=2)


def test_prepare_prints_the_command_that_trains_on_the_copies(tmp_path: Path, home: Path) -> None:
    source = image_folder(tmp_path / "source")
    assert f"fastadv run imagefolder:{tmp_path}/out\n" in prepare(source, tmp_path / "out").stdout
    done = fastadv("prepare", "imagenet", str(source), "--sizes", "32")
    assert "train on it: fastadv run imagenet\n" in done.stdout


def test_prepare_with_json_prints_the_answers_and_nothing_else(tmp_path: Path) -> None:
    source = image_folder(tmp_path / "source")
    done = prepare(source, tmp_path / "out", "--sizes", "32", "--json")
    answers = [json.loads(text) for text in done.stdout.splitlines()]
    assert done.stderr == ""
    assert {answer["type"] for answer in answers} == {"Planned", "Progress", "Completed"}
    plan = next(answer for answer in answers if answer["type"] == "Planned")
    assert (plan["images"], plan["classes"], plan["there"]) == ({"train": 6, "val": 4}, 2, 0)
    assert 10 * 4096 <= plan["needed"] <= 20 * 4096
    assert answers[-1] | {"seconds": 0} == {
        "type": "Completed",
        "out": str(tmp_path / "out"),
        "counts": {"train": 6, "val": 4},
        "sizes": [32],
        "images": 10,
        "resized": 10,
        "copied": 0,
        "seconds": 0,
        "broken": {},
    }


def test_prepare_writes_to_the_data_folder_by_default(tmp_path: Path, home: Path) -> None:
    done = fastadv("prepare", "flowers", str(image_folder(tmp_path / "source")), "--sizes", "32", "--workers", "1")
    assert done.returncode == 0, done.stderr
    assert (home / "data" / "flowers" / "prepared.json").exists()
    assert "100%" in done.stderr
    assert "\x1b" not in done.stderr + done.stdout


# Refused input


def test_prepare_refuses_bad_arguments_in_one_line(tmp_path: Path) -> None:
    source = image_folder(tmp_path / "source")
    file = tmp_path / "file"
    file.write_text("")
    for words, message in [
        ([str(tmp_path / "none")], "does not exist"),
        ([str(file)], "is not a folder"),
        ([str(source / "train")], "no data set in"),
        ([str(source), "--sizes", "big"], "numbers of pixels"),
        ([str(source), "--sizes", "15"], "16 to 1024"),
        ([str(source), "--sizes", "160,1025"], "16 to 1024"),
        ([str(source), "--sizes", ","], "16 to 1024"),
        ([str(source), "--quality", "101"], "--quality 101"),
        ([str(source), "--workers", "0"], "--workers 0"),
        ([str(source), "--out", str(source)], "which is inside the source"),
        ([str(source), "--out", str(source / "deep" / "er")], "which is inside the source"),
        ([str(source), "--out", str(file)], "there is a file in its place"),
    ]:
        refused(fastadv("prepare", "imagenet", *words), message)
    refused(fastadv("prepare", "../up", str(source)), "is no name")


def test_prepare_refuses_a_faulty_source_in_one_line(tmp_path: Path) -> None:
    for number, (change, message) in enumerate(
        [
            (lambda at: (at / "train" / "n3").mkdir(), "train/n3"),
            (lambda at: (at / "train" / "n3.txt").write_text(""), "n3.txt is a file"),
            (lambda at: put(at / "train" / "n3" / "x.jpg", KINDS["grey.jpg"]), "val lacks classes that train has: n3"),
            (lambda at: put(at / "val" / "n3" / "x.jpg", KINDS["grey.jpg"]), "train lacks classes that val has: n3"),
            (
                lambda at: put(at / "val" / CLASSES[0] / "more" / "x.jpg", b""),
                "more is a folder with 1 image inside a class",
            ),
            (lambda at: (at / "train" / CLASSES[0] / os.fsdecode(b"\xff.jpg")).touch(), "not UTF-8"),
        ]
    ):
        source = image_folder(tmp_path / f"source{number}", train=1, val=1)
        change(source)
        refused(prepare(source, tmp_path / f"out{number}"), message)


def test_prepare_refuses_a_folder_of_another_source_or_quality_or_with_foreign_files(tmp_path: Path) -> None:
    source, out = image_folder(tmp_path / "source", 1, 1), tmp_path / "out"
    done_well(source, out)
    refused(prepare(image_folder(tmp_path / "other", 1, 1), out), f"was prepared from {source}; remove {out}")
    refused(prepare(source, out, "--sizes", "32", "--quality", "80"), "--quality 90; remove")
    put(tmp_path / "mine" / "64" / "precious", b"")
    refused(prepare(source, tmp_path / "mine"), "did not make it")
    (out / "prepared.json").write_text("{")
    refused(prepare(source, out), "damaged")


def test_prepare_warns_only_of_a_disk_that_is_too_small() -> None:
    plan = {"kind": "", "source": "", "out": "", "classes": 1, "images": {"train": 1, "val": 1}, "sizes": [32]}
    plan |= {"quality": 90, "workers": 1, "there": 0, "type": "Planned"}
    for needed, free, warned in ((10, 9, True), (9, 10, False)):
        lines = planned(msgspec.convert(plan | {"needed": needed, "free": free}, Planned))
        assert any("WARNING" in text for text in lines) == warned


def test_preparing_images_does_not_load_torch() -> None:
    code = "import engine.data.prepare.preparation, sys; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"
