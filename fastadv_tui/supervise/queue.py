"""The queue of runs, without a daemon: one slot per GPU and one for the CPU, taken in the order of submission.

A slot is a lock on a file. A ticket, a place in the queue, is a lock on a file, too. Both locks end with their holder.
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
    """A place in the queue. Earlier submissions come first; between equal times, the id decides.

    submitted: unix time. devices: the devices that the run may take, `cpu` or GPU UUIDs.
    """

    submitted: float
    id: str
    devices: tuple[str, ...] = ()

    @property
    def file_name(self) -> str:
        return f"{self.submitted:017.6f}-{self.id}"


class Slot:
    """A held slot. `handle` is the lock's file descriptor; a child that inherits `handle` holds the slot, too."""

    def __init__(self, device: str, handle: int) -> None:
        self.device, self.handle = device, handle

    def environment(self) -> dict[str, str]:
        """The environment variables that tell the engine its device."""
        if self.device == CPU:
            return {"FASTADV_DEVICE": "cpu"}
        return {"FASTADV_DEVICE": "cuda", gpus.VISIBLE: self.device}


class RunQueue:
    """The queue of this host. `folder` is the slots folder of the home."""

    def __init__(self, folder: Path) -> None:
        self.slots = folder / hostname()
        self.tickets = self.slots / "line"

    @classmethod
    def of_home(cls) -> "RunQueue":
        """The queue of the user's home folder."""
        return cls(slots_dir())

    def join(self, ticket: Ticket) -> "QueuePlace":
        """Take a place in the queue. The caller leaves the place once it has a slot. Raises: OSError."""
        self.tickets.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self.tickets / ticket.file_name
        while True:
            handle = try_lock(path)
            if handle is None:
                continue  # another process holds the lock for a moment to see whether the ticket is stale
            if path.exists():  # else another process removed the ticket as stale before we locked it
                os.truncate(handle, 0)
                os.pwrite(handle, msgspec.json.encode(ticket), 0)
                return QueuePlace(self, ticket, handle)
            os.close(handle)

    def waiting(self) -> list[Ticket]:
        """The tickets of live holders, the earliest first. Tickets of dead holders are removed."""
        try:
            paths = sorted(self.tickets.iterdir())
        except OSError:
            return []
        return sorted(ticket for path in paths if (ticket := _live_ticket(path)) is not None)

    def place_of(self, run_id: str) -> int | None:
        """The place of a run among the runs that want one of its devices, from 1; None if the run is not waiting."""
        waiting = self.waiting()
        mine = next((ticket for ticket in waiting if ticket.id == run_id), None)
        if mine is None:
            return None
        return 1 + sum(ticket < mine and bool({*ticket.devices} & {*mine.devices}) for ticket in waiting)


class QueuePlace:
    """A place in the queue that this process holds."""

    def __init__(self, queue: RunQueue, ticket: Ticket, handle: int) -> None:
        self.queue, self.ticket, self._handle = queue, ticket, handle

    def try_slot(self, slots: int) -> Slot | None:
        """A free slot on a device of the ticket; None if there is none. `slots` is the number of slots of a device.

        A device that an earlier ticket wants is not free.
        """
        earlier = [ticket for ticket in self.queue.waiting() if ticket < self.ticket]
        reserved = {device for ticket in earlier for device in ticket.devices}
        for device in self.ticket.devices:
            if device in reserved:
                continue
            for number in range(slots):
                handle = try_lock(self.queue.slots / f"{device}.{number}")
                if handle is not None:
                    return Slot(device, handle)
        return None

    def leave(self) -> None:
        (self.queue.tickets / self.ticket.file_name).unlink(missing_ok=True)
        os.close(self._handle)


def devices_for(wanted: str) -> tuple[str, ...]:
    """The devices that a run may take. `auto`: any visible GPU, or the CPU if there is no GPU. `cuda:N`: GPU number N.

    Raises: LookupError, if there is no such GPU.
    """
    if wanted == CPU:
        return (CPU,)
    visible = gpus.visible(gpus.uuids())
    if wanted == "auto":
        return tuple(visible) or (CPU,)
    number = int(wanted.partition(":")[2])
    if number >= len(visible):
        raise LookupError(f"device = {wanted} does not exist: {len(visible)} GPU(s) are visible")
    return (visible[number],)


def _live_ticket(path: Path) -> Ticket | None:
    if remove_if_free(path):
        return None
    with contextlib.suppress(OSError, msgspec.DecodeError):
        return msgspec.json.decode(path.read_bytes(), type=Ticket)
    return None  # the holder has not written the ticket yet
