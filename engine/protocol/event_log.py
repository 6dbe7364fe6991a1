"""Write, follow and read `events.jsonl`: one JSON object per line. One process appends; others read."""

import io
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol, TypeVar

import msgspec

from engine.config.sendable import sendable
from engine.config.typed import decoder
from engine.protocol.events import AnyEvent, Event, Note
from engine.protocol.files import WriteError

TAIL_BYTES = 1 << 20  # a Follower reads slices of this many bytes
LAST_BYTES = 1 << 16  # `last` reads so many bytes at the end of a file: enough for the last events of any run

Kind = TypeVar("Kind", bound=Event)
_DECODER: msgspec.json.Decoder[AnyEvent] = decoder(AnyEvent)
_ENCODER = msgspec.json.Encoder()


class EventSink(Protocol):
    """Takes the events of a run as they come."""

    def write(self, event: AnyEvent, /) -> None: ...
    def close(self) -> None: ...


class Writer:
    """Append events to a file. Each event is written as one whole line. Use as a context manager, or call `close`."""

    def __init__(self, path: Path) -> None:
        self._path, self._file = path, path.open("ab", buffering=0)
        self._copy: EventSink | None = None
        self._copy_name = ""
        if self._file.tell() and not _ends_a_line(path):
            self._file.write(b"\n")  # half a line of a killed attempt must not swallow our first event

    def write(self, event: AnyEvent) -> None:
        """Append the event, with the present time unless the event has one. Raises: WriteError."""
        event.t = event.t or time.time()
        line = memoryview(_ENCODER.encode(event) + b"\n")
        try:
            while line:  # a raw write may write only a part, for example on a full disk
                line = line[self._file.write(line) :]
        except OSError as error:
            raise WriteError(self._path, error) from None
        if self._copy is not None:
            self._write_copy(event)

    def copy_to(self, copy: "EventSink", name: str) -> None:
        """Hand each event to `copy`, too, once it is written; close it with this writer. name: what the copy is.

        An error of the copy is no error of the run: a note with this name tells it, and the copy ends there.
        """
        self._copy, self._copy_name = copy, name

    def _write_copy(self, event: AnyEvent) -> None:
        assert self._copy is not None
        try:
            self._copy.write(event)
        except Exception as error:  # whatever is wrong with the copy, the training of hours must go on
            self._close_copy()
            reason = (isinstance(error, OSError) and error.strerror) or error
            self.write(
                Note(message=sendable(f"{self._copy_name} cannot be written ({reason}); the run goes on without"))
            )

    def _close_copy(self) -> None:
        copy, self._copy = self._copy, None
        if copy is not None:
            with suppress(OSError):
                copy.close()

    def close(self) -> None:
        self._close_copy()
        self._file.close()

    def __enter__(self) -> "Writer":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()


class Follower:
    """Read the events of a file that may still grow.

    If the file is missing, unreadable, cut or replaced, the Follower starts again at the beginning. `restarted` is True
    after a `poll` that started again: the events from before are void. `offset` is the number of bytes read so far.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.restarted = False
        self.offset = 0
        self._inode = 0
        self._rest = b""

    def poll(self, limit: int = TAIL_BYTES) -> list[AnyEvent]:
        """The events in the next `limit` bytes at most. Empty if there is no new event yet."""
        self.restarted = False
        try:
            with self.path.open("rb") as file:
                return self._read(file, limit)
        except OSError:  # an unreadable file of one run must not hide the other runs
            self._restart(0)
            return []

    def _read(self, file: io.BufferedReader, limit: int) -> list[AnyEvent]:
        size, inode = file.seek(0, io.SEEK_END), _inode(file)
        if inode != self._inode or size < self.offset:
            self._restart(inode)
        file.seek(self.offset)
        chunk = file.read(limit)
        self.offset += len(chunk)
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        return [event for line in lines if (event := decode(line)) is not None]

    def _restart(self, inode: int) -> None:
        self.restarted = self.offset > 0
        self.offset, self._inode, self._rest = 0, inode, b""


def decode(line: bytes) -> AnyEvent | None:
    """The event of one line. None if the line is torn, no event, or an event type of a later version."""
    try:
        event: AnyEvent = _DECODER.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):  # ValidationError is a DecodeError
        return None
    return event


def read(path: Path) -> Iterator[AnyEvent]:
    """All events of a file, read in slices of TAIL_BYTES to bound the memory."""
    follower = Follower(path)
    while True:
        offset = follower.offset
        yield from follower.poll()
        if follower.offset == offset:
            return


def last(path: Path, kind: type[Kind], since: int = 0) -> list[Kind]:
    """The events of one kind in the last LAST_BYTES of a file. since: skip the file's first `since` bytes."""
    tag = str(kind.__struct_config__.tag).encode()
    return [event for line in _last_lines(path, since) if tag in line and isinstance(event := decode(line), kind)]


def newest(path: Path, since: int = 0) -> AnyEvent | None:
    """The last whole event of a file. None if there is none. since: skip the file's first `since` bytes."""
    for line in reversed(_last_lines(path, since)):
        if (event := decode(line)) is not None:
            return event
    return None


def _last_lines(path: Path, since: int) -> list[bytes]:
    """The whole lines in the last LAST_BYTES of a file, without its first `since` bytes."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, io.SEEK_END)
            file.seek(max(since if since <= size else 0, size - LAST_BYTES))
            whole, _, _ = file.read().rpartition(b"\n")
    except OSError:
        return []
    return whole.split(b"\n")


def _ends_a_line(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, io.SEEK_END)
        return file.read(1) == b"\n"


def _inode(file: io.BufferedReader) -> int:
    return os.fstat(file.fileno()).st_ino
