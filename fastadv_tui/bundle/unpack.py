"""Unpacks the runs of a bundle into the home folder: all of them, or none.

The files go into a hidden folder first, which is no run. The folders of the runs get their names when every file has
been compared with the manifest, and the runs have been looked at.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from engine.config.plain_file import not_plain
from engine.config.typed import decode
from engine.protocol.files import write_atomic
from engine.protocol.rundir import RunDir, SubmissionError
from fastadv_tui.bundle.archive import Advance, Counter, Progress, Sink, no_progress, read_manifest, read_members
from fastadv_tui.bundle.compression import decompressed
from fastadv_tui.bundle.manifest import BundleError, Manifest
from fastadv_tui.paths import data_dir, ensure_home, runs_dir
from fastadv_tui.runs.create import unused_path
from fastadv_tui.runs.observe import observe
from fastadv_tui.text.quantities import format_bytes

MAX_RATIO = 200  # of the files to the bundle; logs shrink to a twentieth, weights hardly
FREE_OF_RATIO = 64 << 20  # bytes that a bundle may hold whatever its size


def unpack(path: Path, new_ids: bool = False, data: str = "", progress: Progress = no_progress) -> list[RunDir]:
    """Unpack the runs of a bundle, and return their folders.

    new_ids: give the runs new ids; they then count as copies. data: folder of the data sets; empty: the one that a run
    names if it is there, else that of this home. progress: told the bytes done and in total.

    Raises: BundleError, in one line that names the file; nothing is left then. HomeError.
    """
    ensure_home()
    try:
        if instead := not_plain(path):
            raise BundleError(f"is {instead}, not a bundle")
        with path.open("rb") as file, decompressed(file) as stream:
            manifest = read_manifest(stream)
            targets = _targets(manifest, new_ids)
            _check_room(manifest, path.stat().st_size)
            with _staging() as folder:
                _extract(stream, manifest, folder, Counter(manifest.size, progress))
                for run in manifest.runs:
                    _check_run(RunDir(folder / run.id))
                    _point_to_data(RunDir(folder / run.id), data)
                _put_in_place([(folder / run.id, target) for run, target in zip(manifest.runs, targets, strict=True)])
    except BundleError as error:
        raise BundleError(f"{path.name} {error}") from None
    except OSError as error:
        raise BundleError(f"cannot unpack {path}: {error.strerror or error}") from None
    return [RunDir(target) for target in targets]


def _targets(manifest: Manifest, new_ids: bool) -> list[Path]:
    """Where the runs go. Raises: BundleError, if a run is here already."""
    if new_ids:
        return [unused_path(runs_dir()) for _ in manifest.runs]
    if here := [run.id for run in manifest.runs if os.path.lexists(runs_dir() / run.id)]:
        raise BundleError(
            f"holds {', '.join(here[:8])}, which this home has already; remove it first with `fastadv rm {here[0]}`, "
            "or unpack a copy with --new-ids"
        )
    return [runs_dir() / run.id for run in manifest.runs]


def _check_room(manifest: Manifest, packed: int) -> None:
    """Raises: BundleError, if the files are too large for the bundle or for the disk. packed: size of the bundle."""
    if manifest.size > MAX_RATIO * packed + FREE_OF_RATIO:
        raise BundleError(
            f"says that its {format_bytes(packed)} hold {format_bytes(manifest.size)} of files; no run shrinks so much"
        )
    if manifest.size > (free := shutil.disk_usage(runs_dir()).free):
        raise BundleError(f"needs {format_bytes(manifest.size)}, but {runs_dir()} has {format_bytes(free)} free")


@contextmanager
def _staging() -> Iterator[Path]:
    """A hidden folder beside the runs, which goes at the end with all that is still in it."""
    folder = Path(tempfile.mkdtemp(prefix=".unbundle-", dir=runs_dir()))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _extract(stream: BinaryIO, manifest: Manifest, folder: Path, advance: Advance) -> None:
    """Write the files below a folder that is empty. Raises: BundleError; OSError."""
    times = {f"{run.id}/{file.name}": file.time for run in manifest.runs for file in run.files}
    with ExitStack() as stack:

        def sink_of(name: str) -> Sink:
            stack.close()  # the file before
            target = folder / name
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            file = stack.enter_context(_new_file(target, times[name]))
            return file.write

        read_members(stream, manifest, sink_of, advance)


@contextmanager
def _new_file(path: Path, time: int) -> Iterator[BinaryIO]:
    """A file that does not exist yet, readable by this user only. It gets its old time: `last` means the newest run."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "wb") as file:
        yield file
    if 0 <= time < 1 << 40:
        os.utime(path, (time, time))


def _check_run(rundir: RunDir) -> None:
    """Raises: BundleError, if this version cannot read a run, or if its records say that it is at work."""
    try:
        rundir.submission()
    except SubmissionError as error:
        raise BundleError(f"holds {error}") from None
    if observe(rundir).status.live:
        raise BundleError(f"holds {rundir.id}, whose records say that it has not ended")


def _point_to_data(rundir: RunDir, data: str) -> None:
    """Let the run read its data from a folder of this machine. Raises: OSError."""
    config = rundir.submission().config
    folder = data or (config.data_dir if config.data_dir and Path(config.data_dir).is_dir() else str(data_dir()))
    if folder == config.data_dir:
        return
    time = rundir.config.stat().st_mtime
    content: dict[str, Any] = decode(rundir.config.read_bytes(), dict[str, Any])
    content["config"]["data_dir"] = folder
    write_atomic(rundir.config, msgspec.json.format(msgspec.json.encode(content), indent=2))
    os.utime(rundir.config, (time, time))


def _put_in_place(moves: Sequence[tuple[Path, Path]]) -> None:
    """Give every folder its name, or none. Raises: BundleError, if one has come into being meanwhile; OSError."""
    done: list[Path] = []
    try:
        for source, target in moves:
            if os.path.lexists(target):
                raise BundleError(f"holds {target.name}, which has appeared in this home meanwhile")
            source.rename(target)
            done.append(target)
    except BaseException:
        for target in done:
            shutil.rmtree(target, ignore_errors=True)
        raise
