"""What a file is: a result or one sentence with the way out, whatever its name says, and never a warning."""

import argparse
import gzip
import json
import os
import pickle
import random
import socket
import tarfile
import time
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save, save_file
from torch import Tensor, nn

from engine.config.errors import ConfigError
from engine.models import pretrained, weight_file
from engine.models.weight_sets import parts

STATE = {"0.weight": torch.arange(12.0).view(3, 4), "0.bias": torch.ones(3), "1.weight": torch.zeros(2, 3)}


def saved(path: Path, content: object = STATE, **options: Any) -> bytes:
    torch.save(content, path, **options)
    return path.read_bytes()


def is_state(content: object) -> bool:
    assert isinstance(content, dict)
    return content.keys() == STATE.keys() and all(torch.equal(content[name], value) for name, value in STATE.items())


READ: dict[str, Callable[[Path], bytes]] = {
    "torch": saved,
    "torch before 1.6": lambda path: saved(path, _use_new_zipfile_serialization=False),
    "safetensors": lambda path: save(STATE),
    "gzip of torch": lambda path: gzip.compress(saved(path)),
    "gzip of torch before 1.6": lambda path: gzip.compress(saved(path, _use_new_zipfile_serialization=False)),
    "gzip of safetensors": lambda path: gzip.compress(save(STATE)),
}


@pytest.mark.parametrize("kind", READ)
@pytest.mark.parametrize("name", ["w.pt", "w.safetensors", "w.bin", "w"])
def test_a_file_is_read_as_what_it_is_whatever_its_name(tmp_path: Path, kind: str, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(READ[kind](tmp_path / "made"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # no warning of a library reaches the user
        content, ordered = weight_file.load(path)
    assert is_state(content)
    assert ordered == ("safetensors" not in kind)


def zipped(path: Path, names: tuple[str, ...]) -> bytes:
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, "content")
    return path.read_bytes()


def arrays(path: Path) -> bytes:
    with path.open("wb") as file:
        np.savez(file, **{name.replace(".", "_"): value.numpy() for name, value in STATE.items()})
    return path.read_bytes()


def script(path: Path) -> bytes:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(nn.Linear(2, 2)).save(path)
    return path.read_bytes()


def tar(path: Path) -> bytes:
    (path.parent / "inside").write_bytes(b"content")
    with tarfile.open(path, "w") as archive:
        archive.add(path.parent / "inside", "inside")
    return path.read_bytes()


REFUSED: dict[str, tuple[Callable[[Path], bytes], str]] = {
    "empty": (lambda path: b"", "is empty"),
    "web page": (lambda path: b"\n<!DOCTYPE html><html><body>Sign in</body></html>", "is a web page, not weights"),
    "XML": (lambda path: b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "is a web page"),
    "Git LFS": (lambda path: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "run `git lfs pull`"),
    "text": (lambda path: "Schlüssel fehlt\n".encode() * 100, "is a text file, not weights"),
    "JSON": (lambda path: b'{"error": "not found"}', "is a JSON file, not weights"),
    "npz": (arrays, r"is an archive of NumPy arrays \(npz\); convert it"),
    "npy": (lambda path: b"\x93NUMPY\x01\x00" + bytes(200), "is one NumPy array"),
    "TorchScript": (script, "is a TorchScript program"),
    "zip": (lambda path: zipped(path, ("a/weights.pt", "b")), r"is a zip archive of 2 files, such as 'a/weights.pt'"),
    "empty zip": (lambda path: zipped(path, ()), "is a zip archive of no files"),
    "tar": (tar, "is a tar archive"),
    "tar.gz": (lambda path: gzip.compress(tar(path)), "is a tar archive"),
    "gzip twice": (lambda path: gzip.compress(gzip.compress(saved(path))), "is compressed twice by gzip"),
    "cut gzip": (lambda path: gzip.compress(saved(path))[:-40], "is a damaged gzip file"),
    "bzip2": (lambda path: b"BZh91AY&SY" + bytes(100), "unpack the file with `bunzip2`"),
    "xz": (lambda path: b"\xfd7zXZ\x00" + bytes(100), "unpack the file with `unxz`"),
    "zstd": (lambda path: b"\x28\xb5\x2f\xfd" + bytes(100), "unpack the file with `unzstd`"),
    "HDF5": (lambda path: b"\x89HDF\r\n\x1a\n" + bytes(100), "is an HDF5 file"),
    "picture": (lambda path: b"\x89PNG\r\n\x1a\n" + bytes(100), "is an image, not weights"),
    "cut torch": (lambda path: saved(path)[:-30], "is damaged or cut off"),
    "cut torch before 1.6": (
        lambda path: saved(path, _use_new_zipfile_serialization=False)[:-30],
        "damaged or cut off",
    ),
    "cut safetensors": (lambda path: save(STATE)[:-5], "is a safetensors file that is damaged or cut off"),
    "module": (lambda path: saved(path, nn.Linear(2, 2)), r"\(torch\.nn\.modules\.linear\.Linear\), which could run"),
    "old module": (
        lambda path: saved(path, nn.Linear(2, 2), _use_new_zipfile_serialization=False),
        "which could run code when it is read; save the network's tensors alone",
    ),
    "namespace": (
        lambda path: saved(path, {"state_dict": STATE, "args": argparse.Namespace(lr=0.1)}),
        r"holds more than tensors \(argparse\.Namespace\)",
    ),
    "old namespace": (
        lambda path: saved(path, {"args": argparse.Namespace(lr=0.1)}, _use_new_zipfile_serialization=False),
        r"holds more than tensors \(argparse\.Namespace\)",
    ),
    "plain pickle": (lambda path: pickle.dumps({"a": [1, 2]}), "was not written by torch.save"),
    "noise": (lambda path: bytes(range(7, 256)) * 9, "damaged or cut off, or was not written by torch.save"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_file_that_holds_no_weights_is_named_as_what_it_is(tmp_path: Path, kind: str) -> None:
    make, message = REFUSED[kind]
    path = tmp_path / "w.pt"
    path.write_bytes(make(tmp_path / "made"))
    with pytest.raises(ConfigError, match=message) as refused:
        weight_file.load(path)
    assert str(refused.value).startswith(f"{path} ")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("packed", [False, True])
def test_a_flipped_bit_never_gives_other_weights(tmp_path: Path, packed: bool) -> None:
    """The file carries checksums, which torch.load does not verify."""
    whole = saved(tmp_path / "made", {"w": torch.rand(20, 20, generator=torch.Generator().manual_seed(0))})
    wanted = torch.load(tmp_path / "made", weights_only=True)["w"]
    whole, rng = gzip.compress(whole) if packed else whole, random.Random(0)
    path, refused = tmp_path / "w.pt", 0
    for _ in range(60):
        damaged = bytearray(whole)
        damaged[rng.randrange(len(whole))] ^= 1 << rng.randrange(8)
        path.write_bytes(damaged)
        try:
            content, _ = weight_file.load(path)
        except ConfigError:
            refused += 1
        else:
            assert isinstance(content, dict)
            assert torch.equal(content["w"], wanted)
    assert refused > 30


@pytest.mark.skipif(not hasattr(torch.serialization, "set_crc32_options"), reason="this torch always writes checksums")
def test_a_file_that_was_saved_without_checksums_is_read(tmp_path: Path) -> None:
    torch.serialization.set_crc32_options(False)
    try:
        saved(tmp_path / "w.pt")
    finally:
        torch.serialization.set_crc32_options(True)
    assert is_state(weight_file.load(tmp_path / "w.pt")[0])


def test_a_gzip_file_that_is_too_large_in_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weight_file, "MAX_UNPACKED", 10_000)
    (tmp_path / "w.pt").write_bytes(gzip.compress(bytes(3 * weight_file.CHUNK)))
    with pytest.raises(ConfigError, match="unpack the file with `gunzip`"):
        weight_file.load(tmp_path / "w.pt")


def test_names_of_tensors_that_are_no_unicode_can_be_sent(tmp_path: Path) -> None:
    torch.save({"\ud800.weight": torch.ones(2), "m": {"\udfff": torch.ones(3)}}, tmp_path / "w.pt")
    sets = pretrained.read(tmp_path / "w.pt").sets
    assert [*sets[""], *sets["m"]] == [r"\ud800.weight", r"\udfff"]


def test_a_name_of_a_hundred_thousand_modules_takes_no_time(tmp_path: Path) -> None:
    torch.save({"a." * 100_000 + "weight": torch.ones(2), "b.weight": torch.ones(2)}, tmp_path / "w.pt")
    tensors = pretrained.read(tmp_path / "w.pt").sets[""]
    begun = time.process_time()
    assert len(parts(tensors, 1)) < 100
    assert time.process_time() - begun < 2


def pipe(path: Path) -> None:
    os.mkfifo(path)


def sock(path: Path) -> None:
    os.chdir(path.parent)  # the path of a socket is short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path.name)


def circle(path: Path) -> None:
    path.symlink_to(path.name)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (pipe, "is a named pipe"),
        (sock, "is a socket"),
        (lambda path: path.mkdir(), "is a folder"),
        (lambda path: path.symlink_to("/dev/zero"), "is a device"),
        (circle, "cannot be read: Too many levels"),
        (lambda path: path.symlink_to("nothing"), "does not exist"),
    ],
)
def test_only_plain_files_are_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], None], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    make(tmp_path / "w.pt")
    with pytest.raises(ConfigError, match=message):
        weight_file.load(tmp_path / "w.pt")


def shards(
    folder: Path, places: dict[str, str] | None = None, write: Callable[[dict[str, Tensor], Path], Any] = save_file
) -> Path:
    """An index of two shards, of which the second holds one tensor."""
    names = list(STATE)
    for file, inside in (("one", names[:2]), ("two", names[2:])):
        write({name: STATE[name] for name in inside}, folder / file)
    found = places or dict.fromkeys(names[:2], "one") | {names[2]: "two"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": found}))
    return folder / "model.safetensors.index.json"


@pytest.mark.parametrize("write", [save_file, torch.save])
def test_shards_are_read_through_their_index(tmp_path: Path, write: Callable[[dict[str, Tensor], Path], Any]) -> None:
    content, ordered = weight_file.load(shards(tmp_path, write=write))
    assert is_state(content)
    assert not ordered


@pytest.mark.parametrize(
    ("places", "message"),
    [
        ({"0.weight": "three"}, "its shard three is missing beside it"),
        ({"0.weight": "../one"}, r"names '\.\./one'; shards lie beside their index"),
        ({"0.weight": "one", "2.weight": "one"}, r"shards that lack 1 tensors, such as 2\.weight"),
        ({"0.weight": "model.safetensors.index.json"}, "is a text file, not weights"),
        ({"0.weight": "."}, r"names '\.'; shards lie beside their index"),
    ],
)
def test_an_index_of_shards_that_are_not_there_is_refused(tmp_path: Path, places: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        weight_file.load(shards(tmp_path, places))
