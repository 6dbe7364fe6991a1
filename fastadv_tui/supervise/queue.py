"""The queue of a host: one small file, a ticket, for each run that waits. A queued run needs no process.

Whoever changes the queue holds its lock: who adds a ticket, cancels a run, or starts one. Readers need no lock.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
from msgspec import Struct

from engine.config.typed import decode
from engine.protocol.files import write_atomic
from fastadv_tui.paths import slots_dir
from fastadv_tui.supervise.locks import try_lock
from fastadv_tui.supervise.process_identity import hostname

LOCK_SECONDS = 60.0  # longest wait for the lock of the queue
LOCK_POLL = 0.01  # seconds between two tries


class Ticket(Struct, kw_only=True):
    """A place in the queue.

    order: runs with a smaller number start first; the id decides between equal numbers. The number is the unix time of
    the submission, unless somebody moved the run. attempt: of the run. devices: that the run may take, `cpu` or GPU
    UUIDs. slots: how many runs may use such a device at the same time. folder: of the home, which holds the run's
    directory: `runs`, or another one for an evaluation in line.
    """

    order: float
    id: str
    attempt: int
    devices: tuple[str, ...]
    slots: int = 1
    folder: str = "runs"


class FullTicket(Ticket):
    """A ticket as its file has it, with what the run needs to start as if its submitter had started it.

    python: path of the interpreter. environment: the variables of the submitter, which may hold secrets; the file is
    readable by its owner only, and removed when the run starts.
    """

    python: str
    environment: list[tuple[bytes, bytes]]


class QueueBusyError(OSError):
    """Another process has held the lock of the queue for LOCK_SECONDS."""


class RunQueue:
    """The queue of one host, by default of this one. `folder` is the slots folder of the home."""

    def __init__(self, folder: Path, host: str = "") -> None:
        self.home = folder.parent
        self.slots = folder / (host or hostname())
        self.tickets = self.slots / "queue"
        self._pause = self.slots / "paused"
        self._known: dict[str, tuple[int, Ticket]] = {}  # by id: inode of the file, ticket; a new content is a new file
        self._seen: int | None = None  # time of the folder's last change in ns when `_known` was read
        self._sorted: list[Ticket] = []
        self._places: dict[str, int] = {}

    @classmethod
    def of_home(cls, host: str = "") -> "RunQueue":
        """The queue of a host in the user's home folder."""
        return cls(slots_dir(), host)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock of the queue. Raises: QueueBusyError; OSError, if the lock file cannot be made."""
        self.tickets.mkdir(mode=0o700, parents=True, exist_ok=True)
        deadline = time.monotonic() + LOCK_SECONDS
        while (handle := try_lock(self.slots / "queue.lock")) is None:
            if time.monotonic() > deadline:
                raise QueueBusyError(f"the queue in {self.slots} is locked by another process; try again")
            time.sleep(LOCK_POLL)
        try:
            yield
        finally:
            os.close(handle)

    def add(self, ticket: FullTicket) -> None:
        """Put a run in its place. Raises: OSError."""
        write_atomic(self.tickets / ticket.id, msgspec.json.encode(ticket))

    def remove(self, run_id: str) -> None:
        """Take a run out of the queue. Raises: OSError."""
        (self.tickets / run_id).unlink(missing_ok=True)

    def holds(self, run_id: str) -> bool:
        """Whether a run waits in this queue."""
        return (self.tickets / run_id).exists()

    def full_ticket(self, run_id: str) -> FullTicket | None:
        """The ticket of a run as its file has it; None if there is none."""
        with suppress(OSError, msgspec.DecodeError):
            return decode((self.tickets / run_id).read_bytes(), FullTicket)
        return None

    def waiting(self) -> list[Ticket]:
        """All tickets, the first to start at the head. Only tickets that are new since the last call are read."""
        self._refresh()
        return self._sorted

    def places(self) -> dict[str, int]:
        """By run id: the place of the run among the runs that want one of its devices, from 1."""
        self._refresh()
        return self._places

    def place_of(self, run_id: str) -> int | None:
        """The place of a run, as `places`; None if the run is not waiting."""
        return self.places().get(run_id)

    def move(self, run_id: str, to: int | None) -> bool:
        """Move a run to a place among all that wait, from 1, or to the end. The caller holds the lock.

        Returns: False if the run is not waiting. Raises: OSError.
        """
        ticket = self.full_ticket(run_id)
        if ticket is None:
            return False
        others = [other.order for other in self.waiting() if other.id != run_id]
        before = others[: to - 1] if to is not None else others
        after = others[len(before) :]
        if before and after:
            ticket.order = (before[-1] + after[0]) / 2
        elif others:
            ticket.order = after[0] - 1 if after else before[-1] + 1
        self.add(ticket)
        return True

    @property
    def paused(self) -> bool:
        """Whether no run of the queue starts until somebody lets the queue continue."""
        return self._pause.exists()

    def pause(self) -> None:
        """Let no run start from now on. Raises: OSError."""
        self.slots.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._pause.touch(mode=0o600)

    def unpause(self) -> None:
        """Let the runs start again. Raises: OSError."""
        self._pause.unlink(missing_ok=True)

    def _refresh(self) -> None:
        changed = _changed(self.tickets)
        if changed is not None and changed == self._seen:
            return
        self._known = self._read()
        self._sorted = sorted((ticket for _, ticket in self._known.values()), key=lambda t: (t.order, t.id))
        self._places = _places(self._sorted)
        # A change within the clock tick of the file system would not be seen, so a young folder is read again.
        self._seen = changed if changed is not None and time.time_ns() - changed > 1e9 else None

    def _read(self) -> dict[str, tuple[int, Ticket]]:
        found: dict[str, tuple[int, Ticket]] = {}
        with suppress(OSError), os.scandir(self.tickets) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue  # a file that is being written
                with suppress(OSError, msgspec.DecodeError):
                    inode, known = entry.inode(), self._known.get(entry.name)
                    found[entry.name] = known if known and known[0] == inode else (inode, _ticket(entry.path))
        return found


def _places(tickets: list[Ticket]) -> dict[str, int]:
    found, counts = {}, dict[tuple[str, ...], int]()
    for ticket in tickets:
        found[ticket.id] = 1 + sum(count for devices, count in counts.items() if {*devices} & {*ticket.devices})
        counts[ticket.devices] = counts.get(ticket.devices, 0) + 1
    return found


def _ticket(path: str) -> Ticket:
    return decode(Path(path).read_bytes(), Ticket)


def _changed(folder: Path) -> int | None:
    try:
        return folder.stat().st_mtime_ns
    except OSError:
        return None
