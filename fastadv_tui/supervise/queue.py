"""The queue without a daemon: one slot per GPU and one for the CPU, taken in the order of submission.

A slot is a lock on a file, and so is a place in the line (a ticket): both die with their holders.
"""

import contextlib
import os
from pathlib import Path

import msgspec
from msgspec import Struct

from fastadv_tui.hardware import gpus
from fastadv_tui.paths import slots_dir
from fastadv_tui.supervise.locks import remove_if_free, try_lock
from fastadv_tui.supervise.process_identity import hostname

CPU = "cpu"


class Ticket(Struct, frozen=True, order=True):
    """A place in the line: earlier submissions come first, ids decide a tie."""

    submitted: float
    id: str
    devices: tuple[str, ...] = ()

    @property
    def file_name(self) -> str:
        return f"{self.submitted:017.6f}-{self.id}"


class Slot:
    """A held slot; `handle` is the descriptor that a child inherits to hold it, too."""

    def __init__(self, device: str, handle: int) -> None:
        self.device, self.handle = device, handle

    def environment(self) -> dict[str, str]:
        """What tells the engine its device."""
        if self.device == CPU:
            return {"FASTADV_DEVICE": "cpu"}
        return {"FASTADV_DEVICE": "cuda", gpus.VISIBLE: self.device}


class RunQueue:
    """The line of this host. `folder` is the home's slots folder."""

    def __init__(self, folder: Path) -> None:
        self.slots = folder / hostname()
        self.tickets = self.slots / "line"

    @classmethod
    def of_home(cls) -> "RunQueue":
        """The line of the user's home."""
        return cls(slots_dir())

    def join(self, ticket: Ticket) -> "QueuePlace":
        """Take a place in the line, to be left when a slot is had. Raises: OSError."""
        self.tickets.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self.tickets / ticket.file_name
        while True:
            handle = try_lock(path)
            if handle is None:
                continue  # somebody looks whether it is stale
            if path.exists():  # else somebody removed it as stale before it was locked
                os.truncate(handle, 0)
                os.pwrite(handle, msgspec.json.encode(ticket), 0)
                return QueuePlace(self, ticket, handle)
            os.close(handle)

    def waiting(self) -> list[Ticket]:
        """The live tickets, first come first; those of dead holders are removed."""
        try:
            paths = sorted(self.tickets.iterdir())
        except OSError:
            return []
        return sorted(ticket for path in paths if (ticket := _live_ticket(path)) is not None)

    def place_of(self, run_id: str) -> int | None:
        """A run's place among those that want one of its devices, from 1; None if it is not waiting."""
        waiting = self.waiting()
        mine = next((ticket for ticket in waiting if ticket.id == run_id), None)
        if mine is None:
            return None
        return 1 + sum(ticket < mine and bool({*ticket.devices} & {*mine.devices}) for ticket in waiting)


class QueuePlace:
    """A place held in the line."""

    def __init__(self, line: RunQueue, ticket: Ticket, handle: int) -> None:
        self.line, self.ticket, self._handle = line, ticket, handle

    def try_slot(self, slots: int) -> Slot | None:
        """A free slot on one of the ticket's devices that nobody earlier wants; `slots` is how many a device has."""
        earlier = [ticket for ticket in self.line.waiting() if ticket < self.ticket]
        spoken_for = {device for ticket in earlier for device in ticket.devices}
        for device in self.ticket.devices:
            if device in spoken_for:
                continue
            for number in range(slots):
                handle = try_lock(self.line.slots / f"{device}.{number}")
                if handle is not None:
                    return Slot(device, handle)
        return None

    def leave(self) -> None:
        (self.line.tickets / self.ticket.file_name).unlink(missing_ok=True)
        os.close(self._handle)


def devices_for(wanted: str) -> tuple[str, ...]:
    """The slots that a run may take: `auto` any visible GPU, or the CPU where there is none; `cuda:N` that one.

    Raises: LookupError, if the GPU is not there.
    """
    if wanted == CPU:
        return (CPU,)
    visible = gpus.visible(gpus.uuids())
    if wanted == "auto":
        return tuple(visible) or (CPU,)
    number = int(wanted.partition(":")[2])
    if number >= len(visible):
        raise LookupError(f"device = {wanted} is not there: {len(visible)} GPU(s) can be used")
    return (visible[number],)


def _live_ticket(path: Path) -> Ticket | None:
    if remove_if_free(path):
        return None
    with contextlib.suppress(OSError, msgspec.DecodeError):
        return msgspec.json.decode(path.read_bytes(), type=Ticket)
    return None  # its holder is about to write it
