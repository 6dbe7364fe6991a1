"""The slot of an evaluation by `fastadv eval`, so that no queued run starts on the same device meanwhile."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from engine.protocol.rundir import RunDir
from fastadv_tui.hardware import gpus
from fastadv_tui.paths import ensure_home, runs_dir
from fastadv_tui.runs.find import run_ids
from fastadv_tui.supervise import process_identity, records
from fastadv_tui.supervise.queue import RunQueue
from fastadv_tui.supervise.records import ProcessRecord
from fastadv_tui.supervise.slots import Slot, devices_for, environment, free_slot


@contextmanager
def evaluation_slot(device: str) -> Iterator[str]:
    """Hold a free slot of a device, and let the engine use this device, until the block ends. Never waits.

    Without a free slot the engine uses the device with the most free memory. device: the setting `device`. Yields: a
    line that says which runs hold the device; empty if a slot was free. Raises: DeviceError, if there is no such
    device; HomeError, if the home folder cannot be used.
    """
    ensure_home()
    devices = devices_for(device)
    slot = _free(devices)
    in_use = "" if slot else f"{_names(devices)}; the evaluation shares the device, and both are slower"
    before = dict(os.environ)
    os.environ.update(environment(slot.device if slot else _with_most_memory(devices)))
    try:
        yield in_use
    finally:
        os.environ.clear()
        os.environ.update(before)
        if slot:
            os.close(slot.handle)


def _free(devices: Sequence[str]) -> Slot | None:
    """A free slot of the first device that has one. A file system that fails gives none."""
    folder = RunQueue.of_home().slots
    with suppress(OSError):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for device in devices:
            if (slot := free_slot(folder, device, slots=1)) is not None:
                return slot
    return None


def _with_most_memory(devices: Sequence[str]) -> str:
    """The device with the most free memory; the first one if the driver does not say."""
    free = {device.uuid: device.free_memory for device in gpus.read().devices} if len(devices) > 1 else {}
    return max(devices, key=lambda device: free.get(device, 0))


def _names(devices: Sequence[str]) -> str:
    names = "the CPU" if len(devices) == 1 and devices[0] == "cpu" else "the GPU" if len(devices) == 1 else "every GPU"
    holders = sorted(name for name in run_ids() if _trains_on(RunDir(runs_dir() / name), devices))
    return f"{names} is in use by {', '.join(holders) or 'another evaluation'}"


def _trains_on(rundir: RunDir, devices: Sequence[str]) -> bool:
    record = records.read(rundir.process, ProcessRecord)
    engine = record.engine if record else None
    return bool(record and engine and record.device in devices and process_identity.alive(engine))
