"""Packs runs into one file."""

import hashlib
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

import msgspec

from engine.protocol.files import FOR_ALL, WriteError, replacing
from engine.protocol.provenance import package_version
from engine.protocol.rundir import RunDir
from fastadv_tui.bundle.archive import (
    CHUNK,
    OCTAL_LIMIT,
    Advance,
    Counter,
    Progress,
    no_progress,
    read_manifest,
    read_members,
    write_end,
    write_member,
)
from fastadv_tui.bundle.compression import check_suffix, compressed, decompressed
from fastadv_tui.bundle.manifest import (
    LEFT_OUT,
    NAME,
    BundleError,
    FileEntry,
    Manifest,
    RunEntry,
    check_manifest,
    encode_manifest,
)
from fastadv_tui.runs.observe import observe
from fastadv_tui.supervise.locks import try_lock
from fastadv_tui.supervise.records import ExitRecord

PASSES = 3  # over all bytes: to hash them, to write them, and to read the bundle back


class RunFiles:
    """The files of a run that has ended. Holds the lock of the run, so that nobody resumes it meanwhile.

    Raises, when entered: BundleError, if the run is queued or running; OSError.
    """

    def __init__(self, rundir: RunDir) -> None:
        self.rundir = rundir
        self._extra: dict[str, bytes] = {}  # files that the bundle has and the folder has not
        self._lock: int | None = None

    def __enter__(self) -> "RunFiles":
        run_id = self.rundir.id
        self._lock = try_lock(self.rundir.lock)
        status = observe(self.rundir).status
        if self._lock is None or status.live:
            host = f" on {status.host}" if status.host else ""
            raise BundleError(f"{run_id} has not ended{host}; stop it first with `fastadv stop {run_id}`")
        if not self.rundir.config.is_file():
            raise BundleError(f"{run_id} has no config.json; only whole runs can be bundled")
        self._extra = _record_of_loss(self.rundir)
        return self

    def __exit__(self, *_: object) -> None:
        if self._lock is not None:
            os.close(self._lock)

    def names(self) -> list[str]:
        """The names of the files that go into the bundle. Links, pipes and hidden files stay out."""
        found = {name for path in self.rundir.path.rglob("*") if (name := self._name_of(path))}
        return sorted({*found, *self._extra})

    def total_size(self) -> int:
        return sum((self.rundir.path / name).stat().st_size for name in self.names() if name not in self._extra)

    def time(self, name: str) -> int:
        found = time.time() if name in self._extra else (self.rundir.path / name).stat().st_mtime
        return min(max(int(found), 0), OCTAL_LIMIT - 1)  # what the tar format has room for

    def chunks(self, name: str, advance: Advance) -> Iterator[bytes]:
        """The content of a file, in parts. Raises: OSError."""
        if name in self._extra:
            yield self._extra[name]
            return
        with (self.rundir.path / name).open("rb") as file:
            while chunk := file.read(CHUNK):
                yield chunk
                advance(len(chunk))

    def _name_of(self, path: Path) -> str:
        name = path.relative_to(self.rundir.path).as_posix()
        hidden = any(part.startswith(".") for part in name.split("/"))
        left_out = hidden or name in LEFT_OUT or path.is_symlink() or not path.is_file()
        return "" if left_out or self._below_a_link(path) else name

    def _below_a_link(self, path: Path) -> bool:
        return any(folder.is_symlink() for folder in path.parents if self.rundir.path in folder.parents)


def pack(runs: Sequence[RunDir], path: Path, progress: Progress = no_progress) -> Manifest:
    """Write runs into one file, read the file back, and compare. Only then the file gets its name.

    path: ends in .tar.zst or .tar.gz. progress: told the bytes of all PASSES passes, done and total.

    Raises: BundleError, also if the file exists or the disk does not take it; nothing is left then.
    """
    check_suffix(path.name)
    if path.exists():
        raise BundleError(f"{path} exists already; remove it, or choose another name with -o")
    try:
        with ExitStack() as stack:
            files = [stack.enter_context(RunFiles(rundir)) for rundir in runs]
            advance = Counter(PASSES * sum(run.total_size() for run in files), progress)
            manifest = Manifest(
                runs=tuple(_entries(run, advance) for run in files), version=package_version(), created=time.time()
            )
            check_manifest(manifest)
            with replacing(path, FOR_ALL) as file:
                _write(files, manifest, file, path.name, advance)
                file.flush()
                _compare(Path(os.fsdecode(file.name)), manifest, advance)
    except WriteError as error:
        raise BundleError(str(error)) from None
    except OSError as error:
        raise BundleError(f"cannot write {path}: {error.strerror or error} {error.filename or ''}".rstrip()) from None
    return manifest


def _entries(run: RunFiles, advance: Advance) -> RunEntry:
    entries = []
    for name in run.names():
        digest, size = hashlib.sha256(), 0
        for chunk in run.chunks(name, advance):
            digest.update(chunk)
            size += len(chunk)
        entries.append(FileEntry(name=name, size=size, sha256=digest.hexdigest(), time=run.time(name)))
    return RunEntry(id=run.rundir.id, files=tuple(entries))


def _write(files: Sequence[RunFiles], manifest: Manifest, file: BinaryIO, name: str, advance: Advance) -> None:
    head = encode_manifest(manifest)
    with compressed(file, name) as out:
        write_member(out, NAME, len(head), int(manifest.created), iter([head]))
        for run, entry in zip(files, manifest.runs, strict=True):
            for member in entry.files:
                chunks = run.chunks(member.name, advance)
                found = write_member(out, f"{entry.id}/{member.name}", member.size, member.time, chunks)
                if found != member.sha256:
                    raise BundleError(f"{entry.id}/{member.name} changed while it was read; is the run still at work?")
        write_end(out)


def _compare(path: Path, manifest: Manifest, advance: Advance) -> None:
    """Read a bundle as `unpack` does. Raises: BundleError, if it does not hold what the manifest says."""
    with path.open("rb") as file, decompressed(file) as stream:
        if read_manifest(stream) != manifest:
            raise BundleError(f"{path.name}: the disk gave back another manifest than was written")
        read_members(stream, manifest, lambda name: lambda chunk: None, advance)


def _record_of_loss(rundir: RunDir) -> dict[str, bytes]:
    """An exit record for a run whose processes left none. Elsewhere nobody could see that they are dead."""
    seen = observe(rundir)
    attempt = max([record.attempt for record in (seen.process, seen.queued) if record], default=0)
    if seen.status.status != "lost" or not attempt or (seen.exit and seen.exit.attempt >= attempt):
        return {}
    ending = ExitRecord(
        attempt=attempt,
        t=seen.status.ended or time.time(),
        code=None,
        lost=seen.status.reason,
        peak_memory=seen.exit.peak_memory if seen.exit else 0,
    )
    return {rundir.exit.name: msgspec.json.encode(ending) + b"\n"}
