"""Reads files of weights. The first bytes of a file say what the file is, whatever its name is.

Only tensors are ever unpickled.
"""

import gzip
import io
import json
import re
import warnings
import zipfile
import zlib
from pathlib import Path
from typing import BinaryIO

import torch

from engine.config.errors import ConfigError
from engine.config.plain_file import not_plain
from engine.runtime.zip_checksums import verify_checksums

HEAD = 512  # bytes that are enough to tell the kinds apart
GZIP, ZIP = b"\x1f\x8b", (b"PK\x03\x04", b"PK\x05\x06")  # a zip archive with files, and one without
UNSAFE_CLASS = re.compile(r"(?:GLOBAL|[Cc]lass) ([A-Za-z_]\w*(?:\.\w+)*)")  # in the messages of torch
MAX_UNPACKED = 8 * 2**30  # bytes of a gzip file when unpacked, because they are held in memory
CHUNK = 2**20  # bytes that are unpacked at once
MAX_JSON = 64 * 2**20  # bytes of an index of shards
MAX_SAFETENSORS_HEADER = 100 * 2**20  # bytes, as in the safetensors library
STATE_DICT_ALONE = "save the network's tensors alone: torch.save(model.state_dict(), FILE)"

# Beginnings of files that hold no weights, or hold them in a form that is not read; and what to do.
SIGNS = (
    (b"version https://git-lfs", "is a pointer of Git LFS, not the weights; run `git lfs pull` in its repository"),
    (b"\x89HDF", "is an HDF5 file, as Keras writes; convert its tensors to a PyTorch state dict"),
    (b"\x93NUMPY", "is one NumPy array, not the weights of a network; save a PyTorch state dict"),
    (b"GGUF", "is a GGUF file of a language model; save a PyTorch state dict"),
    (GZIP, "is compressed twice by gzip; unpack the file with `gunzip`"),
    (b"BZh", "is compressed by bzip2; unpack the file with `bunzip2`"),
    (b"\xfd7zXZ", "is compressed by xz; unpack the file with `unxz`"),
    (b"\x28\xb5\x2f\xfd", "is compressed by Zstandard; unpack the file with `unzstd`"),
    (b"7z\xbc\xaf\x27\x1c", "is a 7z archive; unpack it, and name the file of weights inside"),
    (b"Rar!", "is a RAR archive; unpack it, and name the file of weights inside"),
    (b"%PDF", "is a PDF document, not weights"),
    (b"\x89PNG", "is an image, not weights"),
    (b"\xff\xd8\xff", "is an image, not weights"),
)
WEB_PAGE = (b"<!doctype", b"<html", b"<head", b"<?xml")


class FileKindError(ConfigError):
    """The file is no file of weights that can be read. The message begins with a verb, after the name of the file."""


def load(path: Path, is_shard: bool = False) -> tuple[object, bool]:
    """The content of a file, and whether the file keeps the order of the network's modules (safetensors does not).

    is_shard: whether an index of shards named the file, which is then no index itself.

    Raises: ConfigError, if the file is missing, damaged, or holds anything but tensors.
    """
    try:
        if instead := not_plain(path):
            raise FileKindError(f"is {instead}, not a file of weights; name a file")
        with path.open("rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch, about pickles
            if file.peek(len(GZIP)).startswith(GZIP):
                return _load(_unpacked(file), path, is_shard)
            return _load(file, path, is_shard)
    except FileNotFoundError:
        raise ConfigError(f"{path} does not exist; type the path of a file of weights") from None
    except FileKindError as error:
        raise ConfigError(f"{path} {error}") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror or error}") from None


def _load(file: BinaryIO, path: Path, is_shard: bool) -> tuple[object, bool]:
    head = file.read(HEAD)
    file.seek(0)
    if not head:
        raise FileKindError("is empty; download or copy the file again")
    if head.startswith(ZIP):
        _check_zip(file)
        return _unpickled(file), True
    if _begins_like_safetensors(head):
        return _safetensors(file), False
    if head.lstrip()[:1] == b"{" and not is_shard:
        return _shards(file, path), False
    _refuse_by_sign(head)
    return _unpickled(file), True


def _unpacked(file: BinaryIO) -> BinaryIO:
    content = io.BytesIO()
    try:
        with gzip.open(file) as packed:
            while part := packed.read(CHUNK):
                if content.tell() > MAX_UNPACKED:
                    size = f"{MAX_UNPACKED >> 30} GiB"
                    raise FileKindError(f"is a gzip file of more than {size}; unpack the file with `gunzip`")
                content.write(part)
    except (OSError, EOFError, zlib.error) as error:
        raise FileKindError(f"is a damaged gzip file ({error}); download or copy the file again") from None
    content.seek(0)
    return content


def _begins_like_safetensors(head: bytes) -> bool:
    """The format begins with the length of its header, in 8 bytes, and the header is JSON."""
    return head[8:9] == b"{" and 2 <= int.from_bytes(head[:8], "little") <= MAX_SAFETENSORS_HEADER


def _safetensors(file: BinaryIO) -> dict[str, torch.Tensor]:
    from safetensors.torch import load as load_bytes

    try:
        return load_bytes(file.read())
    except Exception as error:  # the library's errors have no common class
        raise FileKindError(f"is a safetensors file that is damaged or cut off ({error}); download it again") from None


def _check_zip(file: BinaryIO) -> None:
    """Raises: FileKindError, if a zip archive is not what torch.save writes, or is damaged."""
    try:
        with zipfile.ZipFile(file) as archive:
            _refuse_by_names(archive.namelist())
        verify_checksums(file)
    except FileKindError:
        raise
    except Exception as error:  # a damaged archive can raise nearly any exception
        raise FileKindError(f"is damaged or cut off ({_reason(error)}); download or copy the file again") from None
    file.seek(0)


def _reason(error: Exception) -> str:
    return str(error).partition("\n")[0] or type(error).__name__


def _refuse_by_names(names: list[str]) -> None:
    """Raises: FileKindError, if these are not the names of the files in an archive of torch.save."""
    last = [name.rpartition("/")[2] for name in names]
    if "constants.pkl" in last or any("/code/" in name for name in names):
        raise FileKindError(
            f"is a TorchScript program, which holds code; load it with torch.jit.load and {STATE_DICT_ALONE}"
        )
    if any(name.endswith(".npy") for name in names):
        raise FileKindError(
            "is an archive of NumPy arrays (npz); convert it: torch.save({name: torch.from_numpy(array) "
            "for name, array in numpy.load(FILE).items()}, 'weights.pt')"
        )
    if "data.pkl" not in last:
        found = f"{len(names):,} files, such as {names[0]!r}" if names else "no files"
        raise FileKindError(f"is a zip archive of {found}; unpack it, and name the file of weights inside")


def _refuse_by_sign(head: bytes) -> None:
    for sign, message in SIGNS:
        if head.startswith(sign):
            raise FileKindError(message)
    if head[257:262] == b"ustar":
        raise FileKindError("is a tar archive; unpack it with `tar -xf`, and name the file of weights inside")
    if head.lstrip().lower().startswith(WEB_PAGE):
        raise FileKindError("is a web page, not weights; the link led to a page, so download the file itself")
    if _is_text(head):
        raise FileKindError("is a text file, not weights")


def _is_text(head: bytes) -> bool:
    try:
        text = head[: HEAD - 4].decode()  # the cut may be in the middle of a character
    except UnicodeDecodeError:
        return False
    return all(letter.isprintable() or letter.isspace() for letter in text)


def _unpickled(file: BinaryIO) -> object:
    try:
        return torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file can raise nearly any exception
        if found := UNSAFE_CLASS.search(str(error)):
            raise FileKindError(
                f"holds more than tensors ({found[1]}), which could run code when it is read; {STATE_DICT_ALONE}"
            ) from None
        raise FileKindError(
            "is damaged or cut off, or was not written by torch.save; download the file again, or name another"
        ) from None


def _shards(file: BinaryIO, path: Path) -> dict[str, torch.Tensor]:
    """All tensors of an index of shards: JSON with `weight_map`, from the name of a tensor to the name of a file."""
    try:
        index = json.loads(file.read(MAX_JSON))
        places = {str(name): str(shard) for name, shard in index["weight_map"].items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise FileKindError("is a JSON file, not weights") from None
    found: dict[str, torch.Tensor] = {}
    for shard in sorted(set(places.values())):
        if Path(shard).name != shard:
            raise FileKindError(f"is an index of shards that names {shard!r}; shards lie beside their index")
        if not (path.parent / shard).exists():
            raise FileKindError(f"is an index of shards, and its shard {shard} is missing beside it; download it, too")
        content, _ = load(path.parent / shard, is_shard=True)
        if not isinstance(content, dict):
            raise FileKindError(f"is an index of shards, and its shard {shard} holds no tensors")
        found |= {name: value for name, value in content.items() if places.get(name) == shard}
    if lacking := sorted(places.keys() - found.keys()):
        raise FileKindError(f"is an index of shards that lack {len(lacking)} tensors, such as {lacking[0]}")
    return found
