"""Hugging Face data sets on the disk, written by the package's own save_to_disk."""

import builtins
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from engine.config.errors import DataError
from engine.data.memory.datasets import open_arrays
from tests.support.own_data import made_up

pytestmark = pytest.mark.filterwarnings("ignore")  # of the package, which warns of its own use of others
X, Y, TEST_X, TEST_Y = made_up(shape=(8, 7, 3))


def test_without_the_package_one_line_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    true_import = builtins.__import__

    def fails(name: str, *rest: Any) -> Any:
        if name == "datasets":
            raise ModuleNotFoundError("No module named 'datasets'")
        return true_import(name, *rest)

    monkeypatch.setattr(builtins, "__import__", fails)
    with pytest.raises(DataError, match=r"needs the package datasets .*pip install 'fastadv\[datasets\]'"):
        open_arrays(f"hf-data:{tmp_path}", "/nowhere")


@pytest.fixture
def hf() -> Any:
    return pytest.importorskip("datasets", reason="needs the extra datasets")


def _save(hf: Any, folder: Path, splits: dict[str, dict[str, Any]], features: Any) -> str:
    dictionary = {name: hf.Dataset.from_dict(columns, features=features) for name, columns in splits.items()}
    hf.DatasetDict(dictionary).save_to_disk(str(folder))
    return f"hf-data:{folder}"


def _same(dataset: str) -> None:
    arrays = open_arrays(dataset, "/nowhere")
    for found, wanted in zip(
        (arrays.train_images, arrays.train_labels, arrays.test_images, arrays.test_labels),
        (X, Y, TEST_X, TEST_Y),
        strict=True,
    ):
        assert np.array_equal(found, wanted)


def _images(pixels: Any) -> list[Image.Image]:
    return [Image.fromarray(image) for image in pixels]


def test_a_column_of_images_and_one_of_classes_are_found_by_their_types(hf: Any, tmp_path: Path) -> None:
    features = hf.Features({"photo": hf.Image(), "kind": hf.ClassLabel(3), "id": hf.Value("string")})
    splits = {
        "train": {"photo": _images(X), "kind": Y.tolist(), "id": ["a"] * 12},
        "validation": {"photo": _images(TEST_X), "kind": TEST_Y.tolist(), "id": ["a"] * 6},
    }
    _same(_save(hf, tmp_path / "saved", splits, features))


def test_arrays_are_found_by_the_names_of_their_columns(hf: Any, tmp_path: Path) -> None:
    features = hf.Features({"img": hf.Array3D((8, 7, 3), "uint8"), "label": hf.Value("int32")})
    splits = {"train": {"img": X, "label": Y}, "test": {"img": TEST_X, "label": TEST_Y}}
    _same(_save(hf, tmp_path / "saved", splits, features))


def _refused(dataset: str) -> str:
    with pytest.raises(DataError) as caught:
        open_arrays(dataset, "/nowhere")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_other_folders_are_refused_in_one_line(hf: Any, tmp_path: Path) -> None:
    assert "there is no such folder" in _refused(f"hf-data:{tmp_path / 'none'}")
    assert "cannot be read" in _refused(f"hf-data:{tmp_path}")
    hf.Dataset.from_dict({"x": [1]}).save_to_disk(str(tmp_path / "single"))
    assert "is a single split; save a DatasetDict" in _refused(f"hf-data:{tmp_path / 'single'}")
    columns = {"image": _images(X), "label": Y.tolist()}
    features = hf.Features({"image": hf.Image(), "label": hf.Value("int64")})
    assert "has the splits train; it needs test" in _refused(_save(hf, tmp_path / "a", {"train": columns}, features))
    other = {"picture": [1.0] * 12, "label": Y.tolist()}
    found = _save(hf, tmp_path / "b", {"train": other, "test": other}, None)
    assert "has the columns picture, label; name one image" in _refused(found)
    bytes_only = {"image": X / 255, "label": Y}
    features = hf.Features({"image": hf.Array3D((8, 7, 3), "float32"), "label": hf.Value("int64")})
    found = _save(hf, tmp_path / "c", {"train": bytes_only, "test": bytes_only}, features)
    assert "has the type float32, not uint8" in _refused(found)


def test_images_of_several_sizes_are_refused(hf: Any, tmp_path: Path) -> None:
    columns = {"image": _images([X[0], X[1, :4]]), "label": [0, 1]}
    features = hf.Features({"image": hf.Image(), "label": hf.ClassLabel(2)})
    dataset = _save(hf, tmp_path / "saved", {"train": columns, "test": columns}, features)
    assert "training image 1 has the shape (4, 7, 3), the first one (8, 7, 3)" in _refused(dataset)
