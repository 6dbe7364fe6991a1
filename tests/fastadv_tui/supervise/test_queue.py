"""The queue of runs and its slots: the order of the runs, and locks that end with their holders."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from fastadv_tui.hardware import gpus
from fastadv_tui.supervise import queue
from fastadv_tui.supervise.locks import remove_if_free, try_lock
from fastadv_tui.supervise.queue import CPU, QueuePlace, RunQueue, Slot, Ticket, devices_for
from tests.support.waiting import wait_until

HOLD = """
import sys, time
from pathlib import Path
from fastadv_tui.supervise.queue import RunQueue, Ticket
place = RunQueue(Path(sys.argv[1])).join(Ticket(1.0, "other", ("cpu",)))
slot = place.try_slot(1) if "slot" in sys.argv else None
print("ready", flush=True)
time.sleep(600)
"""


@pytest.fixture
def run_queue(tmp_path: Path) -> RunQueue:
    return RunQueue(tmp_path / "slots")


def join(run_queue: RunQueue, submitted: float, *devices: str) -> QueuePlace:
    return run_queue.join(Ticket(submitted, f"run{submitted:.0f}", devices or (CPU,)))


def slot_of(place: QueuePlace, count: int = 1) -> str | None:
    """The device on which a place gets a slot, or None. A place with a slot leaves the queue."""
    slot = place.try_slot(count)
    if slot is None:
        return None
    place.leave()
    return slot.device


def holder_process(run_queue: RunQueue, *words: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", HOLD, str(run_queue.slots.parent), *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_a_slot_goes_to_the_first_in_the_queue_and_is_free_again_when_closed(run_queue: RunQueue) -> None:
    late, early = join(run_queue, 2), join(run_queue, 1)
    assert late.try_slot(1) is None
    slot = early.try_slot(1)
    assert isinstance(slot, Slot)
    early.leave()
    assert late.try_slot(1) is None
    os.close(slot.handle)
    assert slot_of(late) == CPU


def test_the_queue_keeps_the_order_of_submission_whatever_the_order_of_arrival(run_queue: RunQueue) -> None:
    places = [join(run_queue, when) for when in (3, 1, 10, 2)]
    assert [ticket.submitted for ticket in run_queue.waiting()] == [1, 2, 3, 10]
    assert [run_queue.place_of(f"run{when}") for when in (1, 2, 3, 10)] == [1, 2, 3, 4]
    assert run_queue.place_of("run7") is None
    for place in places:
        place.leave()
    assert run_queue.waiting() == []


def test_no_run_waits_behind_a_run_that_wants_another_device(run_queue: RunQueue) -> None:
    first_gpu = join(run_queue, 1, "GPU-a").try_slot(1)
    assert first_gpu is not None
    waiting, anywhere, on_cpu = join(run_queue, 2, "GPU-a"), join(run_queue, 3, "GPU-a", "GPU-b"), join(run_queue, 4)
    assert run_queue.place_of("run4") == 1
    assert slot_of(waiting) is None
    assert slot_of(anywhere) == "GPU-b"
    assert slot_of(on_cpu) == CPU


def test_a_run_that_allows_more_slots_shares_its_device(run_queue: RunQueue) -> None:
    assert slot_of(join(run_queue, 1)) == CPU
    alone, sharing = join(run_queue, 3), join(run_queue, 2)
    assert slot_of(sharing, count=2) == CPU
    assert slot_of(alone) is None


def test_a_slot_dies_with_its_last_holder(run_queue: RunQueue) -> None:
    holder = holder_process(run_queue, "slot")
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    place = join(run_queue, 2)
    assert slot_of(place) is None
    kill(holder)
    wait_until(lambda: slot_of(place))
    child.communicate(b"\n")


def test_a_child_that_inherited_the_slot_holds_it(run_queue: RunQueue) -> None:
    first = join(run_queue, 1)
    slot = first.try_slot(1)
    assert slot is not None
    first.leave()
    child = subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=(slot.handle,), stdout=subprocess.DEVNULL
    )
    os.close(slot.handle)
    second = join(run_queue, 2)
    assert slot_of(second) is None
    child.communicate(b"\n")
    assert slot_of(second) == CPU


def test_the_ticket_of_a_dead_process_does_not_count_and_is_removed(run_queue: RunQueue) -> None:
    holder = holder_process(run_queue)
    mine = join(run_queue, 2)
    assert run_queue.place_of("run2") == 2
    assert slot_of(mine) is None
    kill(holder)
    assert run_queue.place_of("run2") == 1
    assert len(list(run_queue.tickets.iterdir())) == 1
    assert slot_of(mine) == CPU


def test_looking_at_the_queue_removes_no_ticket_that_is_held(run_queue: RunQueue) -> None:
    """Two viewers look at the queue while tickets come and go."""
    looker = [
        subprocess.Popen([sys.executable, "-c", LOOK, str(run_queue.slots.parent)], stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    try:
        assert all(process.stdout and process.stdout.readline() == b"looks\n" for process in looker)
        for when in range(1, 200):
            place = join(run_queue, when)
            assert [ticket.submitted for ticket in run_queue.waiting()] == [when]
            place.leave()
        assert all(process.poll() is None for process in looker)
    finally:
        for process in looker:
            process.kill()
            process.communicate()


LOOK = """
import sys
from pathlib import Path
from fastadv_tui.supervise.queue import RunQueue
run_queue = RunQueue(Path(sys.argv[1]))
print("looks", flush=True)
while True:
    run_queue.waiting()
"""


def test_garbage_among_the_tickets_is_ignored(run_queue: RunQueue) -> None:
    place = join(run_queue, 1)
    (run_queue.tickets / "garbage").write_bytes(b"\xff{")
    (run_queue.tickets / "folder").mkdir()
    assert [ticket.id for ticket in run_queue.waiting()] == ["run1"]
    assert slot_of(place) == CPU


def test_a_lock_file_is_held_once_and_removed_only_when_free(tmp_path: Path) -> None:
    handle = try_lock(tmp_path / "lock")
    assert handle is not None
    assert try_lock(tmp_path / "lock") is None
    assert not remove_if_free(tmp_path / "lock")
    os.close(handle)
    assert remove_if_free(tmp_path / "lock")
    assert not (tmp_path / "lock").exists()
    assert remove_if_free(tmp_path / "lock")


UUIDS = ["GPU-aaa1", "GPU-bbb2", "GPU-bbb3"]
VISIBLE = {
    None: UUIDS,
    "": [],
    "-1": [],
    "1": ["GPU-bbb2"],
    "2,0": ["GPU-bbb3", "GPU-aaa1"],
    " 0 , 1": ["GPU-aaa1", "GPU-bbb2"],
    "GPU-a,2": ["GPU-aaa1", "GPU-bbb3"],
    "GPU-bbb": [],
    "0,9,1": ["GPU-aaa1"],
    "0,nonsense,1": ["GPU-aaa1"],
    "MIG-77": ["MIG-77"],
}


@pytest.mark.parametrize(("value", "expected"), VISIBLE.items(), ids=map(str, VISIBLE))
def test_visible_devices_are_read_as_cuda_reads_them(value: str | None, expected: list[str]) -> None:
    assert gpus.visible(UUIDS, {} if value is None else {"CUDA_VISIBLE_DEVICES": value}) == expected


def test_the_devices_of_a_run_follow_its_setting_and_the_visible_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpus, "uuids", lambda: UUIDS)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1,0")
    assert devices_for("cpu") == (CPU,)
    assert devices_for("auto") == ("GPU-bbb2", "GPU-aaa1")
    assert devices_for("cuda:1") == ("GPU-aaa1",)
    with pytest.raises(LookupError, match="cuda:2"):
        devices_for("cuda:2")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert devices_for("auto") == (CPU,)


def test_a_slot_gives_the_engine_its_device_by_the_environment() -> None:
    assert Slot(CPU, 0).environment() == {"FASTADV_DEVICE": "cpu"}
    assert Slot("GPU-a", 0).environment() == {"FASTADV_DEVICE": "cuda", "CUDA_VISIBLE_DEVICES": "GPU-a"}
    assert queue.CPU == "cpu"


def stand_in_nvml(count: int, name: Callable[[int], object]) -> SimpleNamespace:
    """A stand-in for pynvml with the functions that we use."""
    return SimpleNamespace(
        NVMLError=RuntimeError,
        nvmlInit=lambda: None,
        nvmlShutdown=lambda: None,
        nvmlDeviceGetCount=lambda: count,
        nvmlDeviceGetHandleByIndex=lambda index: index,
        nvmlDeviceGetUUID=name,
    )


def test_uuids_of_gpus_come_from_nvml(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(
        sys.modules, "pynvml", stand_in_nvml(2, lambda index: f"GPU-{index}".encode() if index else "GPU-0")
    )  # type: ignore[arg-type]
    assert gpus.uuids() == ["GPU-0", "GPU-1"]


def test_a_machine_without_a_driver_has_no_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert gpus.uuids() == []


def kill(process: "subprocess.Popen[str]") -> None:
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
