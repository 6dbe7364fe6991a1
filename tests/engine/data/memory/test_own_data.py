"""Data sets of a user's own: arrays of every allowed form are read, and all others are refused in one line."""

import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.config.errors import ConfigError
from engine.config.presets import build
from engine.data.dataset import open_dataset
from engine.data.memory.datasets import open_arrays
from engine.data.memory.own_arrays import own_arrays
from tests.support.own_data import FIFTEEN_LINES, made_up, write_npz

X, Y, TEST_X, TEST_Y = made_up()


def refused(dataset: str) -> str:
    """The message of the ConfigError, which must be one line."""
    with pytest.raises(ConfigError) as caught:
        open_arrays(dataset, "/nowhere")
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 600
    return message


@pytest.mark.parametrize(
    ("images", "as_read"),
    [
        (X, X),
        (X.transpose(0, 3, 1, 2), X),
        (X[..., :1], X[..., :1]),
        (X[..., 0], X[..., :1]),
        (X.transpose(0, 3, 1, 2)[:, :1], X[..., :1]),
        (np.asfortranarray(X), X),
        (X.tolist(), None),
    ],
)
def test_images_of_every_order_become_the_same_pixels(images: Any, as_read: Any) -> None:
    if as_read is None:
        with pytest.raises(ConfigError, match="x_train has the type int64; it must be uint8"):
            own_arrays("here", images, Y, images, Y)
        return
    arrays = own_arrays("here", images, Y, images, Y[:, None])
    assert np.array_equal(arrays.train_images, as_read)
    assert arrays.train_images.flags.c_contiguous
    assert arrays.train_labels.tolist() == Y.tolist() == arrays.test_labels.tolist()
    assert arrays.train_labels.dtype == np.int64
    assert arrays.official is None


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "floats": ({"x_train": X / 255}, "x_train has the type float64; it must be uint8, with values 0 to 255: multiply"),
    "wide integers": ({"x_train": X.astype(np.int16)}, "x_train has the type int16; it must be uint8"),
    "flat images": ({"x_train": X.reshape(12, -1)}, r"x_train has the shape \(12, 90\); it must be \(N, H, W\), "),
    "five channels": ({"x_train": np.zeros((9, 6, 6, 5), np.uint8)}, "x_train has the shape .* with 1 or 3 channels"),
    "no images": ({"x_train": X[:0]}, r"x_train has the shape \(0, 6, 5, 3\)"),
    "other sizes": ({"x_test": TEST_X[:, :4]}, "training images are 6 x 5 x 3 but test images 4 x 5 x 3"),
    "grey and colour": ({"x_test": TEST_X[..., 0]}, "training images are 6 x 5 x 3 but test images 6 x 5 x 1"),
    "labels of floats": ({"y_train": Y / 1}, "y_train has the type float64; labels must be integers from 0 on"),
    "labels of words": ({"y_test": np.array(["a"] * 6)}, "y_test is no array of numbers"),
    "booleans": ({"y_train": Y > 0}, "y_train has the type bool"),
    "one hot": (
        {"y_train": np.eye(3, dtype=int)[Y]},
        r"y_train has the shape \(12, 3\); for 12 images it must be \(12,\)",
    ),
    "a label short": ({"y_test": TEST_Y[:5]}, r"y_test has the shape \(5,\); for 6 images"),
    "below zero": ({"y_train": Y - 1}, "y_train has labels from -1 to 1"),
    "huge": ({"y_train": Y + 2**40}, "y_train has labels from 1099511627776"),
    "from one on": (
        {"y_train": Y + 1, "y_test": TEST_Y + 1},
        "class 0 of 4 has no training images; number the classes",
    ),
    "gaps": ({"y_train": Y * 2, "y_test": TEST_Y * 2}, "class 1 and 1 more of 5 has no training images"),
    "only in the test": ({"y_test": TEST_Y + 3}, "class 3 and 2 more of 6 has no training images"),
    "one class": ({"y_train": Y * 0, "y_test": TEST_Y * 0}, "all labels are 0"),
    "a missing array": (
        {"y_test": None},
        "has no array y_test, only x_test, x_train, y_train; write it with numpy.savez",
    ),
    "objects": ({"x_train": np.array([None, 1])}, "x_train holds Python objects, which are not read"),
}


@pytest.mark.parametrize("how", WRONG)
def test_wrong_arrays_in_a_file_are_refused_by_name(tmp_path: Path, how: str) -> None:
    changed, message = WRONG[how]
    write_npz(tmp_path / "a.npz", **changed)
    found = refused(f"npz:{tmp_path / 'a.npz'}")
    assert str(tmp_path / "a.npz") in found
    with pytest.raises(ConfigError, match=message):
        open_arrays(f"npz:{tmp_path / 'a.npz'}", "/nowhere")


def test_an_npz_file_gives_its_arrays_and_facts(tmp_path: Path) -> None:
    x, *_ = write_npz(tmp_path / "a.npz")
    dataset = open_dataset(build(f"npz:{tmp_path / 'a.npz'}", {"batch_size": 4}))
    facts = dataset.facts
    assert (facts.channels, facts.height, facts.width, facts.classes, facts.train_images) == (3, 6, 5, 3, 12)
    assert facts.mean == pytest.approx((x / 255).mean((0, 1, 2)), abs=1e-4)
    assert facts.std == pytest.approx((x / 255).std((0, 1, 2)), abs=1e-4)
    assert (facts.padding, facts.flip) == (0, False)
    assert (dataset.train_images, dataset.test_images, dataset.official) == (12, 6, None)
    augmented = open_dataset(build(f"npz:{tmp_path / 'a.npz'}", {"flip": "on", "crop_padding": 2})).facts
    assert (augmented.padding, augmented.flip) == (2, True)


def test_a_channel_without_contrast_is_not_divided_by_zero() -> None:
    from engine.data.memory.facts import facts_from

    flat = np.full((4, 3, 3, 1), 51, np.uint8)
    facts = facts_from(own_arrays("here", flat, [0, 1, 0, 1], flat, [0, 1, 0, 1]))
    assert (facts.mean, facts.std) == ((0.2,), (1.0,))


def _not_a_zip(path: Path) -> None:
    path.write_bytes(pickle.dumps({"x_train": 1}))


def _cut(path: Path) -> None:
    write_npz(path)
    path.write_bytes(path.read_bytes()[:-200])


def _flipped_bit(path: Path) -> None:
    write_npz(path)
    content = bytearray(path.read_bytes())
    content[len(content) // 4] ^= 1
    path.write_bytes(bytes(content))


def _no_header(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as file:
        for name in ("x_train", "y_train", "x_test", "y_test"):
            file.writestr(f"{name}.npy", b"hello")


BROKEN: dict[str, Callable[[Path], Any]] = {
    "missing": lambda path: None,
    "no zip": _not_a_zip,
    "cut": _cut,
    "a flipped bit": _flipped_bit,
    "no header": _no_header,
    "a folder": Path.mkdir,
    "a pipe": os.mkfifo,
    "a single array": lambda path: (np.save(path.with_suffix(".npy"), X), path.with_suffix(".npy").rename(path)),
    "empty": Path.touch,
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_npz_file_is_refused_by_name(tmp_path: Path, how: str) -> None:
    path = tmp_path / "a.npz"
    BROKEN[how](path)
    assert str(path) in refused(f"npz:{path}")


class Bomb:
    def __init__(self, proof: Path) -> None:
        self._proof = proof

    def __reduce__(self) -> Any:
        return exec, (f"open({str(self._proof)!r}, 'w')",)


def test_an_npz_file_runs_no_code(tmp_path: Path) -> None:
    bomb = np.array([Bomb(tmp_path / "it ran")], dtype=object)
    write_npz(tmp_path / "a.npz", x_train=bomb)
    assert "holds Python objects" in refused(f"npz:{tmp_path / 'a.npz'}")
    assert not (tmp_path / "it ran").exists()


def _file(tmp_path: Path, body: str) -> str:
    """The name of a data set that a function with this body gives."""
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    start = "import numpy as np\nimport torch\nfrom tests.support.own_data import made_up\n\ndef data():\n"
    (tmp_path / "mine.py").write_text(f"{start}    x, y, a, b = made_up()\n{lines}\n")
    return f"{tmp_path / 'mine.py'}:data"


TORCH = """
class Pairs(torch.utils.data.Dataset):
    def __init__(self, x, y):
        self.x, self.y = x, y
    def __len__(self):
        return len(self.y)
    def __getitem__(self, n):
        return self.x[n], self.y[n]
"""
FORMS = {
    "pairs": "return (x, y), (a, b)",
    "a dict": "return dict(x_train=x, y_train=y, x_test=a, y_test=b)",
    "lists of labels": "return [x, y.tolist()], [a, b.tolist()]",
    "tensors": "return (torch.tensor(x), torch.tensor(y)), (torch.tensor(a), torch.tensor(b))",
    "torch datasets": f"{TORCH}\nreturn Pairs(x, y), Pairs(torch.tensor(a), torch.tensor(b))",
    "channels first": "return (x.transpose(0, 3, 1, 2), y), (a.transpose(0, 3, 1, 2), b)",
    "Pillow": f"{TORCH}\nfrom PIL.Image import fromarray as f\nreturn Pairs([*map(f, x)], y), Pairs([*map(f, a)], b)",
}


@pytest.mark.parametrize("form", FORMS)
def test_a_function_may_return_its_data_in_several_forms(tmp_path: Path, form: str) -> None:
    arrays = open_arrays(_file(tmp_path, FORMS[form]), "/nowhere")
    for found, wanted in zip(
        (arrays.train_images, arrays.train_labels, arrays.test_images, arrays.test_labels), made_up(), strict=True
    ):
        assert found.dtype == wanted.dtype
        assert np.array_equal(found, wanted)


FAULTS = {
    "nothing": ("return None", "mine.py:data returns a NoneType, not a pair; return ((x_train, y_train), "),
    "four": ("return x, y, a, b", "mine.py:data returns a tuple, not a pair"),
    "half a dict": ("return dict(x_train=x)", "returns a dict without y_train and x_test and y_test"),
    "raises": ("raise ValueError('no such thing')", "mine.py line 7: ValueError: no such thing"),
    "exits": ("import sys\nsys.exit(3)", "mine.py line 8: exits"),
    "prints": ("print('hello')\nreturn (x, y), (a, b)", "mine.py line 7: prints 'hello'"),
    "dies": ("import os\nos._exit(0)", "ends its process"),
    "floats": ("return (x / 255, y), (a, b)", "x_train has the type float64"),
    "ToTensor": (
        f"{TORCH}\nreturn Pairs(torch.tensor(x) / 255, y), Pairs(a, b)",
        "leave transforms such as ToTensor out",
    ),
    "unequal images": (
        f"{TORCH}\nreturn Pairs([x[0], x[1, :3]], y[:2]), Pairs(a, b)",
        "training image 1 has the shape",
    ),
    "no pairs": ("return list(x), list(a)", "training item 0 is a ndarray, not a pair of image and label"),
}


@pytest.mark.parametrize("how", FAULTS)
def test_a_function_at_fault_is_refused_in_one_line(tmp_path: Path, how: str) -> None:
    body, message = FAULTS[how]
    assert message in refused(_file(tmp_path, body))


def test_a_name_that_is_no_function_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("data = 3\n")
    assert "is a int; it must be a function" in refused(f"{tmp_path / 'mine.py'}:data")
    assert "mine.py has no other; it defines no function and no class" in refused(f"{tmp_path / 'mine.py'}:other")
    assert "does not exist" in refused(f"{tmp_path / 'yours.py'}:data")


def test_the_copy_of_a_run_is_used_and_a_change_of_the_original_is_said(tmp_path: Path) -> None:
    from engine.config.user_code import DATASET_COPY, fingerprint_of

    original, folder = tmp_path / "mine.py", tmp_path / "run"
    folder.mkdir()
    original.write_text(FIFTEEN_LINES)
    (folder / DATASET_COPY).write_text(FIFTEEN_LINES)
    code = fingerprint_of(original.read_bytes())
    config = build(f"{original}:data", {"data_code": code})
    before = open_dataset(config, folder=folder)
    assert before.remarks == []
    original.write_text("raise ValueError\n")
    after = open_dataset(config, folder=folder)
    assert after.fingerprint() == before.fingerprint()
    assert "mine.py has changed" in after.remarks[0]
    assert "uses its copy" in after.remarks[0]
    with pytest.raises(ConfigError, match=r"mine.py has changed .*; restore the file, or submit it as it is now"):
        open_dataset(config)


def test_a_file_finds_what_lies_beside_it_also_from_the_copy(tmp_path: Path) -> None:
    from engine.config.user_code import DATASET_COPY

    write_npz(tmp_path / "beside.npz")
    text = "import numpy as np\nfrom pathlib import Path\n\ndef data():\n"
    text += "    return dict(np.load(Path(__file__).with_name('beside.npz')))\n"
    (tmp_path / "mine.py").write_text(text)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / DATASET_COPY).write_text(text)
    arrays = open_arrays(f"{tmp_path / 'mine.py'}:data", "/nowhere", folder=tmp_path / "run")
    assert np.array_equal(arrays.train_images, X)
