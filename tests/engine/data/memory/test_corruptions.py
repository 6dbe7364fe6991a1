"""CIFAR-10-C: small files in the official layout are read, and all others are refused in one line."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.config.datasets import DatasetFacts
from engine.config.errors import DataError
from engine.data.memory.corruptions import CORRUPTIONS, open_corruptions
from tests.support.own_data import made_up, write_corruptions

FACTS = DatasetFacts(3, 32, 32, 10, 50_000, (0.5,), (0.5,))
IMAGES, LABELS, *_ = made_up(train=4, shape=(32, 32, 3), classes=4)


def test_the_15_corruptions_of_the_benchmark_are_meant() -> None:
    # Hendrycks and Dietterich, 2019, section 3: noise, blur, weather and digital
    assert len(set(CORRUPTIONS)) == 15
    noise, blur = {"gaussian_noise", "shot_noise", "impulse_noise"}, {"defocus_blur", "glass_blur", "motion_blur"}
    weather, digital = {"snow", "frost", "fog", "brightness"}, {"contrast", "elastic_transform", "pixelate"}
    assert {*CORRUPTIONS} == noise | blur | {"zoom_blur"} | weather | digital | {"jpeg_compression"}


def test_each_severity_is_a_fifth_of_a_file(tmp_path: Path) -> None:
    write_corruptions(tmp_path, IMAGES, LABELS)
    np.save(tmp_path / "saturate.npy", np.zeros(3))  # one of the four further corruptions, which are not read
    data = open_corruptions(tmp_path, FACTS)
    assert len(data) == 4
    assert data.labels.tolist() == LABELS.tolist()
    for severity in (1, 5):
        wanted = np.maximum(IMAGES.astype(int) - 9 - 10 * severity, 0)  # fog is number 9
        assert np.array_equal(data.images("fog", severity), wanted)


def test_the_fingerprint_follows_pixels_and_labels(tmp_path: Path) -> None:
    write_corruptions(tmp_path / "a", IMAGES, LABELS)
    write_corruptions(tmp_path / "b", IMAGES, LABELS)
    write_corruptions(tmp_path / "c", IMAGES, LABELS[::-1])
    other = np.zeros((20, 32, 32, 3), np.uint8)
    write_corruptions(tmp_path / "d", IMAGES, LABELS, fog=other)
    prints = [open_corruptions(tmp_path / name, FACTS).fingerprint for name in "abcd"]
    assert prints[0] == prints[1]
    assert len(set(prints)) == 3


def _replace(name: str, array: Any) -> Callable[[Path], Any]:
    return lambda folder: np.save(folder / f"{name}.npy", array, allow_pickle=True)


def _pipe(folder: Path) -> None:
    (folder / "fog.npy").unlink()
    os.mkfifo(folder / "fog.npy")


BROKEN: dict[str, tuple[Callable[[Path], Any], str]] = {
    "a missing corruption": (lambda folder: (folder / "fog.npy").unlink(), "fog.npy is missing"),
    "missing labels": (lambda folder: (folder / "labels.npy").unlink(), "labels.npy is missing"),
    "a pipe": (_pipe, "fog.npy is a named pipe, not a file"),
    "text": (lambda folder: (folder / "fog.npy").write_text("hello"), "fog.npy is no array of numbers"),
    "cut": (lambda folder: os.truncate(folder / "fog.npy", 1000), "fog.npy is no array of numbers"),
    "objects": (_replace("fog", np.array([None])), "fog.npy is no array of numbers"),
    "floats": (_replace("fog", np.zeros((20, 32, 32, 3))), r"fog.npy is float64 \(20, 32, 32, 3\); it must be uint8"),
    "one severity": (_replace("fog", IMAGES), r"fog.npy is uint8 \(4, 32, 32, 3\); it must be uint8 \(20, 32, 32, 3\)"),
    "channels first": (
        _replace("fog", np.zeros((20, 3, 32, 32), np.uint8)),
        r"it must be uint8 \(20, 32, 32, 3\); unpack the official",
    ),
    "labels of one severity": (_replace("labels", LABELS), r"labels.npy is int64 \(4,\); it must be integers, five"),
    "labels of floats": (_replace("labels", np.zeros(20)), r"labels.npy is float64 \(20,\)"),
    "other labels": (_replace("labels", np.arange(20) % 3), "the labels of the five severities differ"),
    "too many classes": (_replace("labels", np.tile([0, 99, 1, 1], 5)), "labels from 0 to 99, but the network has 10"),
}


@pytest.mark.parametrize("how", BROKEN)
def test_another_layout_is_refused_with_the_file(tmp_path: Path, how: str) -> None:
    write_corruptions(tmp_path, IMAGES, LABELS)
    break_, message = BROKEN[how]
    break_(tmp_path)
    with pytest.raises(DataError, match=message) as caught:
        open_corruptions(tmp_path, FACTS)
    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def test_a_folder_that_is_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none is no folder; name the one with labels.npy and gaussian_noise.npy"):
        open_corruptions(tmp_path / "none", FACTS)
