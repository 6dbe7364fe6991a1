"""Readers and downloads of data sets: the official layouts are read, and damaged files are refused."""

import gzip
import os
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.config.errors import ConfigError, DataError
from engine.config.phases import Phase
from engine.config.presets import build
from engine.data.dataset import open_dataset
from engine.data.folder.image_folder import ImageFolder
from engine.data.memory.datasets import arrays_fingerprint, hold_out, open_arrays
from engine.data.memory.digits import TEST_IMAGES
from tests.support.official_data import MNIST_FILES, idx, python2_pickle, write_cifar10, write_mnist

INNER = "cifar-10-batches-py"
REAL = os.environ.get("FASTADV_TEST_DATA", "")
needs_real_data = pytest.mark.skipif(not REAL, reason="needs the real data in $FASTADV_TEST_DATA")


def refused(dataset: str, folder: Path, fetch: bool = False) -> str:
    """The message of the DataError, which must be one line."""
    with pytest.raises(DataError) as caught:
        open_arrays(dataset, str(folder), fetch)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 500 + len(str(folder))
    return message


def batch(**changed: Any) -> dict[str, Any]:
    return {"labels": [1, 2], "data": np.zeros((2, 3072), np.uint8)} | changed


def test_digits_need_no_folder_and_keep_their_official_order() -> None:
    from sklearn.datasets import load_digits

    arrays = open_arrays("digits", "/nowhere")
    original = load_digits()
    assert (len(arrays.train_labels), len(arrays.test_labels)) == (1797 - TEST_IMAGES, TEST_IMAGES)
    images = np.concatenate((arrays.train_images, arrays.test_images))
    assert np.abs(images[..., 0] / 255 - original.images / 16).max() < 0.5 / 255
    assert np.concatenate((arrays.train_labels, arrays.test_labels)).tolist() == original.target.tolist()
    assert arrays.official


@pytest.mark.parametrize("inside", [False, True])
def test_cifar10_files_of_python_2_are_read(tmp_path: Path, inside: bool) -> None:
    pixels, labels = write_cifar10(tmp_path)
    arrays = open_arrays("cifar10", str(tmp_path / INNER if inside else tmp_path))
    assert arrays.train_images.shape == (20, 32, 32, 3)
    assert arrays.train_labels.tolist() == labels[:20]
    assert arrays.test_labels.tolist() == labels[20:]
    for image, row in zip(np.concatenate((arrays.train_images, arrays.test_images)), pixels, strict=True):
        for channel in range(3):  # the official description: 1024 red, then green, then blue; row by row
            assert image[..., channel].flatten().tolist() == row[1024 * channel : 1024 * (channel + 1)].tolist()
    assert not arrays.official


def test_cifar100_files_of_python_3_are_read(tmp_path: Path) -> None:
    inner = tmp_path / "cifar-100-python"
    inner.mkdir()
    for name in ("train", "test"):
        content = {b"data": np.full((3, 3072), 7, np.uint8), b"fine_labels": [0, 50, 99], b"coarse_labels": [1, 2, 3]}
        (inner / name).write_bytes(pickle.dumps(content, protocol=2))
    arrays = open_arrays("cifar100", str(tmp_path))
    assert arrays.train_labels.tolist() == [0, 50, 99]


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])


BREAKAGES: dict[str, Callable[[Path], Any]] = {
    "missing": Path.unlink,
    "truncated": _cut,
    "empty": lambda path: path.write_bytes(b""),
    "a text": lambda path: path.write_text("hello\nworld\n"),
    "zeros": lambda path: path.write_bytes(bytes(5000)),
    "a list": lambda path: path.write_bytes(pickle.dumps([1, 2], protocol=2)),
    "no data": lambda path: path.write_bytes(python2_pickle({"labels": [1]})),
    "wrong width": lambda path: path.write_bytes(python2_pickle(batch(data=np.zeros((2, 100), np.uint8)))),
    "floats": lambda path: path.write_bytes(pickle.dumps({b"labels": [1], b"data": np.zeros((1, 3072))}, 2)),
    "no labels": lambda path: path.write_bytes(python2_pickle({"data": np.zeros((2, 3072), np.uint8)})),
    "label 100": lambda path: path.write_bytes(python2_pickle(batch(labels=[1, 100]))),
    "label -1": lambda path: path.write_bytes(python2_pickle(batch(labels=[1, -1]))),
    "huge label": lambda path: path.write_bytes(pickle.dumps({b"labels": [2**80, 1], b"data": batch()["data"]}, 2)),
    "words": lambda path: path.write_bytes(pickle.dumps({b"labels": ["a", "b"], b"data": batch()["data"]}, 2)),
    "a label short": lambda path: path.write_bytes(python2_pickle(batch(labels=[1]))),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
    "a pipe": lambda path: (path.unlink(), os.mkfifo(path)),  # to open one would wait for its writer for ever
    "endless": lambda path: (path.unlink(), path.symlink_to("/dev/zero")),
    "an object of a huge number": lambda path: path.write_bytes(b"\x80\x02}r\x00\x00\x00\x70."),  # 30 GB, in C
}


@pytest.mark.parametrize("name", ["data_batch_3", "test_batch"])
@pytest.mark.parametrize("how", BREAKAGES)
def test_a_broken_cifar_file_is_refused_by_name(tmp_path: Path, how: str, name: str) -> None:
    write_cifar10(tmp_path)
    BREAKAGES[how](tmp_path / INNER / name)
    assert str(tmp_path / INNER / name) in refused("cifar10", tmp_path)


def test_cifar10_labels_above_nine_are_refused_with_the_folder(tmp_path: Path) -> None:
    write_cifar10(tmp_path)
    (tmp_path / INNER / "test_batch").write_bytes(python2_pickle(batch(labels=[1, 10])))
    message = refused("cifar10", tmp_path)
    assert str(tmp_path) in message
    assert "10" in message


class Bomb:
    """An object whose pickle calls a given function when it is loaded."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self.call


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize("function", ["system", "eval", "exec", "fromfile", "loads", "getattr"])
def test_a_malicious_pickle_runs_no_code(tmp_path: Path, protocol: int, function: str) -> None:
    proof = tmp_path / "it ran"
    touch = f"open({str(proof)!r}, 'w')"
    bombs = {
        "system": Bomb(os.system, f"touch '{proof}'"),
        "eval": Bomb(eval, touch),
        "exec": Bomb(exec, touch),
        "fromfile": Bomb(np.fromfile, "/etc/passwd"),
        "loads": Bomb(pickle.loads, pickle.dumps(Bomb(eval, touch))),
        "getattr": Bomb(getattr, np.ndarray, "tofile"),
    }
    write_cifar10(tmp_path)
    path = tmp_path / INNER / "data_batch_1"
    path.write_bytes(pickle.dumps({b"data": bombs[function]}, protocol=protocol))
    assert "no data file needs" in refused("cifar10", tmp_path)
    assert not proof.exists()


@pytest.mark.parametrize("codec", ["zlib", "utf_8", "rot13"])
def test_a_pickle_may_not_look_up_codecs(tmp_path: Path, codec: str) -> None:
    import codecs

    write_cifar10(tmp_path)
    path = tmp_path / INNER / "data_batch_1"
    path.write_bytes(pickle.dumps({b"data": Bomb(codecs.encode, "x", codec)}, protocol=2))
    assert str(path) in refused("cifar10", tmp_path)


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("inner", ["", "MNIST/raw", "mnist"])
def test_mnist_files_are_read_packed_and_raw(tmp_path: Path, packed: bool, inner: str) -> None:
    pixels = write_mnist(tmp_path / "data" / inner, packed)
    arrays = open_arrays("mnist", str(tmp_path / "data"))
    found = np.concatenate((arrays.train_images, arrays.test_images))
    assert found.shape == (12, 28, 28, 1)
    assert np.array_equal(found[..., 0], pixels)
    assert np.concatenate((arrays.train_labels, arrays.test_labels)).tolist() == [n % 10 for n in range(12)]
    assert arrays.train_images.flags.writeable  # torch warns of arrays that are not writeable
    assert not arrays.official


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("file", [0, 1, 3])
@pytest.mark.parametrize("how", ["missing", "truncated", "empty", "text", "other dimensions", "label 10"])
def test_a_broken_mnist_file_is_refused_by_name(tmp_path: Path, packed: bool, file: int, how: str) -> None:
    write_mnist(tmp_path / "data", packed)
    path = tmp_path / "data" / (MNIST_FILES[file] + ".gz" * packed)
    wrong: dict[str, NDArray[np.uint8]] = {
        "other dimensions": np.zeros((6, 2), np.uint8),
        "label 10": np.full(6, 10, np.uint8) if file else np.zeros((6, 28, 27), np.uint8),
    }
    if how == "missing":
        path.unlink()
    elif how in wrong:
        path.write_bytes(gzip.compress(idx(wrong[how])) if packed else idx(wrong[how]))
    else:
        path.write_bytes({"truncated": path.read_bytes()[:-3], "empty": b"", "text": b"hello\nworld"}[how])
    message = refused("mnist", tmp_path / "data")
    assert (str(tmp_path / "data") if how == "label 10" else str(path).removesuffix(".gz")) in message


def test_mnist_sizes_whose_product_overflows_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    write_mnist(folder, packed=False)
    (folder / MNIST_FILES[0]).write_bytes(bytes((0, 0, 8, 3)) + struct.pack(">3I", 2**31, 2**31, 4))  # 2**64 bytes
    assert "is truncated or damaged: 0 bytes for (2147483648, 2147483648, 4)" in refused("mnist", folder)


@pytest.mark.parametrize("dataset", ["cifar10", "cifar100", "mnist"])
def test_a_missing_data_set_is_refused_with_the_folder_where_it_belongs(tmp_path: Path, dataset: str) -> None:
    missing, empty = refused(dataset, tmp_path / "gone"), refused(dataset, tmp_path)
    assert "does not exist" in missing
    assert "fastadv run digits" in empty
    assert "official layout" in empty


def test_a_file_in_the_place_of_the_data_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    assert str(tmp_path / "data") in refused("mnist", tmp_path / "data")


def _fails(*_: Any, **__: Any) -> None:
    raise URLError("Name or service not known")


def _fails_halfway(root: str, download: bool) -> None:
    for part in (Path(root) / INNER, Path(root) / "MNIST" / "raw"):
        part.mkdir(parents=True)
        (part / "data_batch_1").write_bytes(b"half")
    raise RuntimeError("File not found or corrupted.")


def _is_interrupted(root: str, download: bool) -> None:
    (Path(root) / "part").write_bytes(b"half")
    raise KeyboardInterrupt


@pytest.mark.parametrize(("dataset", "name"), [("cifar10", "CIFAR10"), ("cifar100", "CIFAR100"), ("mnist", "MNIST")])
@pytest.mark.parametrize("failing", [_fails, _fails_halfway])
def test_a_failed_download_is_one_clear_line_and_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dataset: str, name: str, failing: Callable[..., None]
) -> None:
    monkeypatch.setattr(f"torchvision.datasets.{name}", failing)
    message = refused(dataset, tmp_path, fetch=True)
    assert message.startswith(f"cannot download {dataset} (")
    assert str(tmp_path) in message
    assert "fastadv run digits" in message
    assert [path for path in tmp_path.iterdir() if path.suffix != ".lock"] == []


def test_an_interrupted_download_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torchvision.datasets.CIFAR10", _is_interrupted)
    with pytest.raises(KeyboardInterrupt):
        open_arrays("cifar10", str(tmp_path), fetch=True)
    assert [path for path in tmp_path.iterdir() if path.suffix != ".lock"] == []


def test_a_download_is_used_only_when_it_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    def fetch(root: str, download: bool) -> None:
        calls.append(root)
        print("a progress bar")
        write_cifar10(Path(root))

    monkeypatch.setattr("torchvision.datasets.CIFAR10", fetch)
    assert len(open_arrays("cifar10", str(tmp_path), fetch=True).train_labels) == 20
    assert len(open_arrays("cifar10", str(tmp_path), fetch=True).train_labels) == 20
    assert len(calls) == 1


def test_a_download_prints_nothing_on_standard_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fetch(root: str, download: bool) -> None:
        print("a progress bar")
        write_cifar10(Path(root))

    monkeypatch.setattr("torchvision.datasets.CIFAR10", fetch)
    open_arrays("cifar10", str(tmp_path), fetch=True)
    assert capsys.readouterr().out == ""


def test_data_that_exists_is_never_downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torchvision.datasets.CIFAR10", _fails)
    write_cifar10(tmp_path)
    open_arrays("cifar10", str(tmp_path), fetch=True)


def test_fingerprints_are_equal_exactly_when_the_data_are_equal(tmp_path: Path) -> None:
    write_mnist(tmp_path / "a", packed=True)
    write_mnist(tmp_path / "b", packed=False)
    one, two = (open_arrays("mnist", str(tmp_path / name)) for name in "ab")
    assert arrays_fingerprint(one) == arrays_fingerprint(two)
    two.train_images[0, 0, 0] ^= 1
    assert arrays_fingerprint(one) != arrays_fingerprint(two)
    two.train_images[0, 0, 0] ^= 1
    two.test_labels[-1] = 0
    assert arrays_fingerprint(one) != arrays_fingerprint(two)


def test_held_out_images_are_always_the_same_and_are_not_trained_on() -> None:
    arrays = open_arrays("digits", "")
    held = hold_out(arrays, 300)
    assert (len(held.train_labels), len(held.test_labels)) == (1137, 300)
    together = np.concatenate((held.train_images, held.test_images)).reshape(1437, -1)
    assert np.array_equal(np.sort(together, 0), np.sort(arrays.train_images.reshape(1437, -1), 0))
    assert np.array_equal(hold_out(arrays, 300).test_images, held.test_images)
    assert len(set(held.test_labels[:100].tolist())) == 10  # from all parts of the file, not from one end
    assert arrays_fingerprint(held) != arrays_fingerprint(arrays)  # so comparisons warn
    assert hold_out(arrays, 0) is arrays
    with pytest.raises(ConfigError, match="holdout = 1437: the data has only 1437"):
        hold_out(arrays, 1437)


def test_a_minibatch_must_not_be_larger_than_the_data() -> None:
    source = open_dataset(build("digits"))
    assert source.filled(Phase(0, 1, batch_size=1437)).crop == 8
    with pytest.raises(ConfigError, match="batch_size = 1438: the data has only 1437 training images"):
        source.filled(Phase(0, 1, batch_size=1438))


@needs_real_data
@pytest.mark.parametrize(("dataset", "train"), [("cifar10", 50_000), ("mnist", 60_000)])
def test_the_real_cifar10_and_mnist_have_their_known_counts_and_means(dataset: str, train: int) -> None:
    arrays = open_arrays(dataset, REAL)
    assert len(arrays.train_labels) == train
    assert len(arrays.test_labels) >= 1000
    assert len(np.unique(arrays.train_labels)) == 10
    mean = arrays.train_images.mean((0, 1, 2)) / 255
    known = {"cifar10": [0.4914, 0.4822, 0.4465], "mnist": [0.1307]}[dataset]
    assert mean == pytest.approx(known, abs=1e-3)


def test_a_data_folder_that_cannot_be_searched_is_refused_in_one_line(tmp_path: Path) -> None:
    """The folder name is too long for the system. Missing permissions would not fail if the tests run as root."""
    folder = tmp_path / ("long" * 100)
    with pytest.raises(DataError, match=r"File name too long.*--data-dir"):
        open_arrays("cifar10", str(folder))
    with pytest.raises(DataError, match="File name too long"):
        ImageFolder(folder)
