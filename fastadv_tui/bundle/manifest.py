"""The manifest of a bundle: its first file, which names every other file with size and SHA-256.

A bundle comes from anywhere. So the rules for names are here, and both sides check them.
"""

import unicodedata
from collections.abc import Iterable

import msgspec
from msgspec import Struct

from engine.config.typed import decode
from fastadv_tui.errors import UserError

NAME = "fastadv-bundle.json"  # of the manifest in the archive
SCHEMA = 1
MAX_MANIFEST = 4 << 20  # bytes
MAX_FILES = 10_000  # in all runs of a bundle
MAX_RUNS = 1_000
MAX_NAME, MAX_ID = 100, 80  # bytes; the tar format has room for 100 and 155
MAX_DEPTH = 4  # folders in a run directory
# Files of a run directory that only its processes need, or that would make the engine do something else.
LEFT_OUT = ("lock", "stop", "request.json")


class BundleError(UserError):
    """A bundle cannot be written, or a file is no bundle that can be unpacked."""


class FileEntry(Struct, frozen=True, kw_only=True):
    """A file of a run. name: with `/` between folders. size: in bytes. sha256: hexadecimal. time: unix, in seconds."""

    name: str
    size: int
    sha256: str
    time: int = 0


class RunEntry(Struct, frozen=True, kw_only=True):
    """A run, and its files in the order of the archive."""

    id: str
    files: tuple[FileEntry, ...]

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)


class Manifest(Struct, frozen=True, kw_only=True):
    """The runs of a bundle. version: of the fastadv that wrote the bundle. created: unix time."""

    runs: tuple[RunEntry, ...]
    version: str = ""
    created: float = 0.0
    schema: int = SCHEMA

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(run.size for run in self.runs)

    def members(self) -> list[tuple[str, FileEntry]]:
        """The name in the archive and the entry of each file, in the order of the archive."""
        return [(f"{run.id}/{file.name}", file) for run in self.runs for file in run.files]


def encode_manifest(manifest: Manifest) -> bytes:
    return msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n"


def decode_manifest(content: bytes) -> Manifest:
    """Read and check a manifest. Raises: BundleError, for anything that `check_manifest` refuses."""
    try:
        manifest = decode(content, Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BundleError(f"has a bad manifest: its manifest cannot be read ({error})") from None
    if manifest.schema != SCHEMA:
        raise BundleError("was written by a newer version of fastadv; unpack it with that version")
    check_manifest(manifest)
    return manifest


def check_manifest(manifest: Manifest) -> None:
    """Raises: BundleError, if a name is unsafe or doubled, a size is negative, or there is too much of anything."""
    if not manifest.runs:
        raise BundleError("holds no runs")
    files = sum(len(run.files) for run in manifest.runs)
    if len(manifest.runs) > MAX_RUNS or files > MAX_FILES:
        raise BundleError(f"names {len(manifest.runs):,} runs with {files:,} files; {MAX_FILES:,} files are allowed")
    for run in manifest.runs:
        check_id(run.id)
        for file in run.files:
            check_name(file.name)
            if file.size < 0:
                raise BundleError(f"{run.id}/{file.name!r} has a negative size")
        if "config.json" not in {file.name for file in run.files}:
            raise BundleError(f"has a bad manifest: its run {run.id} has no config.json")
    _refuse_doubled([run.id for run in manifest.runs])
    for run in manifest.runs:
        _refuse_doubled([file.name for file in run.files])


def check_id(run_id: str) -> None:
    """Raises: BundleError, unless an id is the name of a folder, on every system."""
    if not _is_plain(run_id, MAX_ID) or run_id.startswith("-"):
        raise BundleError(f"{run_id!r} cannot be the id of a run")


def check_name(name: str) -> None:
    """Raises: BundleError, unless a name is that of a file inside a run directory, in folders or not."""
    parts = name.split("/")
    if len(name.encode(errors="replace")) > MAX_NAME or len(parts) > MAX_DEPTH:
        raise BundleError(f"{name!r} is too long for the name of a file")
    if not all(_is_plain(part, MAX_NAME) for part in parts):
        raise BundleError(f"{name!r} cannot be the name of a file in a run")
    if name.lower() in LEFT_OUT:
        raise BundleError(f"{name!r} must not be in a bundle: it tells the processes of a run what to do")


def _is_plain(name: str, longest: int) -> bool:
    """Whether a name is one step of a path: no dots at its beginning, no separators, nothing that does not print."""
    try:
        length = len(name.encode())
    except UnicodeEncodeError:
        return False
    return 0 < length <= longest and name.isprintable() and name[0] != "." and not set(name) & set('/\\:*?"<>|')


def _refuse_doubled(names: Iterable[str]) -> None:
    """Names that differ in case or in the form of an accent are one file on some systems."""
    seen: dict[str, str] = {}
    for name in names:
        if (form := unicodedata.normalize("NFC", name).casefold()) in seen:
            raise BundleError(f"names {name!r} twice")
        seen[form] = name
    for form, name in seen.items():
        if (folder := form.rpartition("/")[0]) and any(f"{folder}/".startswith(f"{file}/") for file in seen):
            raise BundleError(f"{name!r} cannot be the name of a file: one of its folders is a file, too")
