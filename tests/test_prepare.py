"""`fastadv prepare` as a shell sees it: what the copies are, what is refused, what stops, kills and full disks do."""

import gzip
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import psutil
import pytest
from helpers import gone, wait_for
from PIL import Image
from preparing_helpers import CLASSES, encoded, few_real_ones, finished, image_folder, picture, put, tar, tree
from test_cli import FASTADV, fastadv, start

from engine.data.resizing import smaller
from engine.prepare_request import Planned, Prepared
from fastadv_tui.preparation import planned

SIZES = ("32", "64")


@pytest.fixture(autouse=True)
def _home(home: Path) -> None:
    """No test touches the user's home."""


def prepare(source: Path, out: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    return fastadv("prepare", "imagenet", str(source), "--out", str(out), *(words or ("--sizes", "32,64")))


def done_well(source: Path, out: Path, *words: str) -> Prepared:
    done = prepare(source, out, *words)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return msgspec.json.decode((out / "prepared.json").read_bytes(), type=Prepared)


def opened(content: Path | bytes) -> Image.Image:
    """A picture, whole in memory."""
    with Image.open(content if isinstance(content, Path) else io.BytesIO(content)) as image:
        image.load()
        return image


def pixels(path: Path) -> Any:
    return np.asarray(opened(path)).astype(float)


def halved(image: Any, factor: int) -> Any:
    """Smaller by a whole factor, by means over squares: a resize that shares nothing with Pillow's."""
    height, width = image.shape[0] // factor, image.shape[1] // factor
    return image[: height * factor, : width * factor].reshape(height, factor, width, factor, -1).mean((1, 3))


# What the copies are


def test_copies_have_the_size_and_the_pixels_of_their_source(tmp_path: Path) -> None:
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


def test_real_photographs_are_close_to_an_independent_resize(tmp_path: Path) -> None:
    source = few_real_ones(tmp_path / "source", train=3, val=1)
    prepared = done_well(source, tmp_path / "out", "--sizes", "112,352")
    assert prepared.counts == {"train": 12, "val": 4}
    for path in tree(source, ("train", "val")):
        original = source / path
        if opened(original).mode == "RGB":
            assert (tmp_path / "out" / "352" / path).read_bytes() == original.read_bytes()
            assert abs(pixels(tmp_path / "out" / "112" / path) - halved(pixels(original), 2)).mean() < 6


@pytest.mark.parametrize("size", [(500, 375), (375, 500), (33, 32), (3000, 40), (32, 32), (31, 900)])
def test_the_shorter_side_is_as_torchvision_has_it(size: tuple[int, int]) -> None:
    from torchvision.transforms import Resize

    image = Image.new("RGB", size)
    assert smaller(size, 32) == (Resize(32)(image).size if min(size) > 32 else size)


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


def test_everything_becomes_an_rgb_jpeg_of_the_same_name(tmp_path: Path) -> None:
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


def test_a_small_sound_jpeg_is_copied_and_no_rotation_is_applied(tmp_path: Path) -> None:
    source = image_folder(tmp_path / "source", width=40, height=30)
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    put(source / "train" / CLASSES[0] / "turned.JPEG", encoded(picture(80, 40), exif=exif))
    done_well(source, tmp_path / "out", "--sizes", "32")
    small = f"train/{CLASSES[1]}/train_0.JPEG"
    assert (tmp_path / "out" / "32" / small).read_bytes() == (source / small).read_bytes()
    turned = opened(tmp_path / "out" / "32" / "train" / CLASSES[0] / "turned.JPEG")
    assert turned.size == (64, 32)
    assert not turned.getexif()


def test_broken_images_are_left_out_and_named(tmp_path: Path) -> None:
    source, whole = image_folder(tmp_path / "source"), encoded(picture(30, 20), quality=95)
    folder = source / "train" / CLASSES[0]
    for name, content in {"cut": whole[:-60], "empty": b"", "text": b"<html>not found"}.items():
        put(folder / f"{name}.JPEG", content)
    (folder / "nowhere.JPEG").symlink_to(tmp_path / "nothing")
    expected = tuple(f"train/{CLASSES[0]}/{name}.JPEG" for name in ("cut", "empty", "nowhere", "text"))
    prepared = done_well(source, tmp_path / "out")
    assert prepared.broken == expected
    assert prepared.counts == {"train": 6, "val": 4}
    assert finished(tmp_path / "out", "32") == 10
    again = prepare(source, tmp_path / "out")
    assert "4 broken images" in again.stdout
    assert f"{expected[0]}: image file is truncated" in again.stdout
    assert f"{expected[2]}: a link that leads to no file" in again.stdout


def test_only_twenty_broken_images_are_on_the_screen(tmp_path: Path) -> None:
    source = image_folder(tmp_path / "source", train=1, val=1)
    for number in range(23):
        put(source / "train" / CLASSES[0] / f"broken{number}.JPEG", b"")
    done = prepare(source, tmp_path / "out")
    assert "23 broken images" in done.stdout
    assert done.stdout.count("not an image") == 20
    assert "and 3 more" in done.stdout


def test_a_class_with_nothing_but_broken_images_is_a_failure(tmp_path: Path) -> None:
    source = image_folder(tmp_path / "source", val=1)
    put(source / "val" / CLASSES[1] / "val_0.JPEG", b"")
    done = prepare(source, tmp_path / "out")
    assert done.returncode == 1
    assert f"all images of val/{CLASSES[1]} are broken" in done.stderr
    assert not (tmp_path / "out" / "prepared.json").exists()


def test_a_split_of_another_name_is_linked_as_val(tmp_path: Path) -> None:
    source = image_folder(tmp_path / "source")
    (source / "val").rename(source / "validation")
    done_well(source, tmp_path / "out")
    assert (tmp_path / "out" / "full" / "val").resolve() == source / "validation"
    assert finished(tmp_path / "out", "full") == finished(tmp_path / "out", "64") == 10


# A second start


def test_a_second_start_does_nothing_and_another_size_is_added(tmp_path: Path) -> None:
    source, out = image_folder(tmp_path / "source"), tmp_path / "out"
    first = done_well(source, out)
    before = {path: (out / path).stat().st_mtime_ns for path in tree(out, SIZES)}
    assert done_well(source, out) == first
    assert before == {path: (out / path).stat().st_mtime_ns for path in tree(out, SIZES)}
    assert done_well(source, out, "--sizes", "48").sizes == (32, 48, 64)
    assert finished(out, "48") == 10


def test_what_is_missing_is_made_again_and_what_is_too_much_is_named(tmp_path: Path) -> None:
    source, out = image_folder(tmp_path / "source"), tmp_path / "out"
    done_well(source, out)
    expected = tree(out, SIZES)
    folder = out / "64" / "val" / CLASSES[1]
    (folder / "val_0.JPEG").unlink()
    (folder / "val_1.JPEG").write_bytes(b"")  # what a machine that loses power leaves
    (folder / ".123.part").write_bytes(b"half")
    done_well(source, out)
    assert tree(out, SIZES) == expected
    put(folder / "stranger.JPEG", b"?")
    done = prepare(source, out)
    assert done.returncode == 1
    assert "stranger.JPEG" in done.stderr


def test_json_is_the_answers_and_nothing_else(tmp_path: Path) -> None:
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


def test_it_goes_to_the_folder_of_the_data_by_default(tmp_path: Path, home: Path) -> None:
    done = fastadv("prepare", "flowers", str(image_folder(tmp_path / "source")), "--sizes", "32", "--workers", "1")
    assert done.returncode == 0, done.stderr
    assert (home / "data" / "flowers" / "prepared.json").exists()
    assert "100%" in done.stderr
    assert "\x1b" not in done.stderr + done.stdout


# What is refused


def test_bad_words_are_one_line(tmp_path: Path) -> None:
    source = image_folder(tmp_path / "source")
    file = tmp_path / "file"
    file.write_text("")
    for words, message in [
        ([str(tmp_path / "none")], "does not exist"),
        ([str(file)], "is no folder"),
        ([str(source / "train")], "no data set in"),
        ([str(source), "--sizes", "big"], "numbers of pixels"),
        ([str(source), "--sizes", "15"], "16 to 1024"),
        ([str(source), "--sizes", "160,1025"], "16 to 1024"),
        ([str(source), "--sizes", ","], "16 to 1024"),
        ([str(source), "--quality", "101"], "--quality 101"),
        ([str(source), "--workers", "0"], "--workers 0"),
        ([str(source), "--out", str(source)], "which is in the source"),
        ([str(source), "--out", str(source / "deep" / "er")], "which is in the source"),
        ([str(source), "--out", str(file)], "there is a file in its place"),
    ]:
        refused(fastadv("prepare", "imagenet", *words), message)
    refused(fastadv("prepare", "../up", str(source)), "is no name")


def refused(done: "subprocess.CompletedProcess[str]", message: str) -> None:
    assert done.returncode == 2, done.stderr
    (text,) = done.stderr.splitlines()
    assert message in text


def test_a_source_with_something_amiss_is_one_line(tmp_path: Path) -> None:
    for number, (change, message) in enumerate(
        [
            (lambda at: (at / "train" / "n3").mkdir(), "train/n3"),
            (lambda at: (at / "train" / "n3.txt").write_text(""), "n3.txt is a file"),
            (lambda at: put(at / "train" / "n3" / "x.jpg", KINDS["grey.jpg"]), "in train but not in val: n3"),
            (lambda at: put(at / "val" / "n3" / "x.jpg", KINDS["grey.jpg"]), "in val but not in train: n3"),
            (lambda at: (at / "val" / CLASSES[0] / "images").mkdir(), "images is a folder"),
            (lambda at: (at / "train" / CLASSES[0] / os.fsdecode(b"\xff.jpg")).touch(), "not UTF-8"),
        ]
    ):
        source = image_folder(tmp_path / f"source{number}", train=1, val=1)
        change(source)
        refused(prepare(source, tmp_path / f"out{number}"), message)


def test_a_folder_of_another_source_or_quality_or_of_somebody_else(tmp_path: Path) -> None:
    source, out = image_folder(tmp_path / "source", 1, 1), tmp_path / "out"
    done_well(source, out)
    refused(prepare(image_folder(tmp_path / "other", 1, 1), out), f"was prepared from {source}; remove {out}")
    refused(prepare(source, out, "--sizes", "32", "--quality", "80"), "--quality 90; remove")
    put(tmp_path / "mine" / "64" / "precious", b"")
    refused(prepare(source, tmp_path / "mine"), "did not make it")
    (out / "prepared.json").write_text("{")
    refused(prepare(source, out), "damaged")


# Stops, kills, full disks


def begun(source: Path, out: Path, copies: int, **options: Any) -> "subprocess.Popen[str]":
    """A preparation that has made so many copies, and is still at work."""
    words = ["prepare", "imagenet", str(source), "--out", str(out), "--sizes", "160,200", "--workers", "2"]
    process = subprocess.Popen([*FASTADV, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)
    wait_for(lambda: (out.exists() and finished(out) >= copies) or process.poll() is not None)
    return process


@pytest.fixture
def photographs(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """Real ones, and the copies that an undisturbed preparation makes of them."""
    source = few_real_ones(tmp_path / "source", train=100, val=5)
    done_well(source, tmp_path / "undisturbed", "--sizes", "160,200")
    return source, tree(tmp_path / "undisturbed", ("160", "200"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_what_was_interrupted_goes_on_and_ends_the_same(
    tmp_path: Path, photographs: tuple[Path, dict[str, str]], number: signal.Signals
) -> None:
    source, expected = photographs
    out = tmp_path / "out"
    for copies in (0, 1, 120):
        process = begun(source, out, copies, start_new_session=True)
        everybody = psutil.Process(process.pid).children(recursive=True)
        os.killpg(process.pid, number) if number == signal.SIGINT else process.send_signal(number)
        _, message = process.communicate(timeout=30)
        assert "Traceback" not in message
        if number == signal.SIGKILL:
            wait_for(lambda: all(gone(child.pid) for child in everybody))  # noqa: B023 - it is called here
        else:
            assert process.returncode == 130
            assert message.splitlines()[-1] == "stopped; the same command goes on from here"
            assert not [child for child in everybody if not gone(child.pid)]
        assert not (out / "prepared.json").exists()
        known = {path: digest for path, digest in tree(out, ("160", "200")).items() if "/." not in path}
        assert known.items() <= expected.items()  # nothing half-written has a name
    done_well(source, out, "--sizes", "160,200")
    assert tree(out, ("160", "200")) == expected
    assert (out / "prepared.json").read_bytes() == (tmp_path / "undisturbed" / "prepared.json").read_bytes()


@pytest.mark.parametrize("whose", ["engine", "worker"])
def test_a_process_killed_from_within(tmp_path: Path, photographs: tuple[Path, dict[str, str]], whose: str) -> None:
    source, expected = photographs
    out = tmp_path / "out"
    process = begun(source, out, 50)
    (engine,) = psutil.Process(process.pid).children()
    everybody = engine.children(recursive=True)
    workers = [child for child in everybody if "spawn_main" in " ".join(child.cmdline())]
    assert len(workers) == 2
    (engine if whose == "engine" else workers[0]).kill()
    _, message = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "killed (signal 9)" in message if whose == "engine" else "a worker died (signal 9" in message
    wait_for(lambda: all(gone(child.pid) for child in everybody))
    done_well(source, out, "--sizes", "160,200")
    assert tree(out, ("160", "200")) == expected


def test_two_at_once_are_one_too_many(tmp_path: Path) -> None:
    source, out = few_real_ones(tmp_path / "source", train=150), tmp_path / "out"
    process = begun(source, out, 1)
    refused(prepare(source, out, "--sizes", "160,200"), "another `fastadv prepare` is at work")
    process.terminate()
    process.communicate()
    assert process.returncode == 130


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 600 kB."""
    folder = tmp_path / "small"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", folder], capture_output=True).returncode:
        pytest.skip("needs the right to mount a tmpfs")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_a_full_disk_is_one_line_and_after_room_is_made_it_goes_on(tmp_path: Path, small_disk: Path) -> None:
    source, out = image_folder(tmp_path / "source", train=40, val=10), small_disk / "out"
    (small_disk / "ballast").write_bytes(b"x" * 400_000)
    done = prepare(source, out)
    assert done.returncode == 1
    assert "WARNING: the disk will be full before the end" in done.stderr
    error = done.stderr.splitlines()[-1]
    assert "the disk is full" in error
    assert "the same command goes on from here" in error
    assert "Traceback" not in done.stderr
    assert not (out / "prepared.json").exists()
    subprocess.run(["mount", "-o", "remount,size=4m", small_disk], check=True)
    done_well(source, out)
    done_well(source, tmp_path / "undisturbed")
    assert tree(out, SIZES) == tree(tmp_path / "undisturbed", SIZES)


def test_the_warning_is_only_for_a_disk_that_is_too_small() -> None:
    plan = {"kind": "", "source": "", "out": "", "classes": 1, "images": {"train": 1, "val": 1}, "sizes": [32]}
    plan |= {"quality": 90, "workers": 1, "there": 0, "type": "Planned"}
    for needed, free, warned in ((10, 9, True), (9, 10, False)):
        lines = planned(msgspec.convert(plan | {"needed": needed, "free": free}, Planned))
        assert any("WARNING" in text for text in lines) == warned


def test_nothing_here_loads_torch() -> None:
    code = "import engine.data.preparing, sys; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"


# The official tar files


@pytest.fixture
def official(tmp_path: Path) -> Path:
    """Made-up tars of two classes, with three training images and two validation images each; one is broken."""
    folder = tmp_path / "official"
    inner = {
        f"{label}.tar": tar({f"{label}_{n}.JPEG": encoded(picture(seed=10 * k + n)) for n in range(3)})
        for k, label in enumerate(CLASSES)
    }
    put(folder / "ILSVRC2012_img_train.tar", tar(inner))
    names = [f"ILSVRC2012_val_{n:08d}.JPEG" for n in (3, 1, 4, 2)]  # in no order
    contents = {name: encoded(picture(seed=int(name[-6]))) for name in names}
    put(folder / "ILSVRC2012_img_val.tar", tar(contents | {"ILSVRC2012_val_00000005.JPEG": b"broken"}))
    return folder


TRUTH = (2, 1, 1, 2, 1)  # of the validation images in order of their names


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
def test_the_official_tars(tmp_path: Path, official: Path, labels: Any) -> None:
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


def test_tars_with_something_amiss_are_one_line(tmp_path: Path, official: Path) -> None:
    out = tmp_path / "out"
    refused(prepare(official, out), "ILSVRC2012_devkit_t12.tar.gz nor val_labels.txt")
    put(official / "ILSVRC2012_devkit_t12.tar.gz", b"no")
    refused(prepare(official, out), "not the development kit")
    add_text(official)
    for name in ("ILSVRC2012_img_train.tar", "ILSVRC2012_img_val.tar"):
        whole = (official / name).read_bytes()
        with tarfile.open(official / name) as archive:
            first, *_, last = archive.getmembers()
        for length in (0, 100, first.offset_data + 100, last.offset, last.offset_data + 100):
            (official / name).write_bytes(whole[:length])
            refused(prepare(official, out), "fetch it anew")
        (official / name).write_bytes(tar({}))
        refused(prepare(official, out), "in val but not in train" if "train" in name else "in train but not in val")
        (official / name).write_bytes(whole)
    (official / "val_labels.txt").write_text(f"ILSVRC2012_val_00000001.JPEG {CLASSES[0]}\n")
    refused(prepare(official, out), "no class is known for ILSVRC2012_val_0000000")
    (official / "ILSVRC2012_img_val.tar").unlink()
    refused(prepare(official, out), "no ILSVRC2012_img_val.tar")


def test_an_interrupted_extraction_goes_on(tmp_path: Path, official: Path) -> None:
    add_text(official)
    inner = {f"{label}.tar": tar({f"{label}_{n}.JPEG": KINDS["cmyk.JPEG"] for n in range(600)}) for label in CLASSES}
    put(official / "ILSVRC2012_img_train.tar", tar(inner))
    out = tmp_path / "out"
    process = start("prepare", "imagenet", str(official), "--out", str(out), "--sizes", "32,64")
    wait_for(lambda: finished(out, "64") >= 30 or process.poll() is not None)
    process.kill()
    process.communicate()
    assert not (out / "prepared.json").exists()
    wait_for(lambda: prepare(official, out).returncode == 0)  # the engine may take a moment to see that it is alone
    done_well(official, tmp_path / "undisturbed")
    assert tree(out, ("full", *SIZES)) == tree(tmp_path / "undisturbed", ("full", *SIZES))
