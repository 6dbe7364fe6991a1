"""The runs that wait on this host, as a user wants to see them."""

import time
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from engine.config.run import RunConfig
from engine.protocol.rundir import RunDir, SubmissionError
from fastadv_tui.hardware import gpus
from fastadv_tui.history.index import History
from fastadv_tui.history.row import Row
from fastadv_tui.launch.cost import PastPaces
from fastadv_tui.launch.forecast import Expected, forecast
from fastadv_tui.paths import evaluation_jobs_dir, runs_dir
from fastadv_tui.runs.evaluation_jobs import read_request, run_of
from fastadv_tui.runs.observe import observe
from fastadv_tui.supervise.queue import RunQueue, Ticket
from fastadv_tui.supervise.slots import devices_for

UNKNOWN = Expected(None, None)


class WaitingRun(Struct, frozen=True):
    """A run that waits. device: the devices that the run may take, in words. submitted: unix time.

    expected: without times while the queue is paused, because nobody knows when it goes on.
    """

    id: str
    name: str
    device: str
    submitted: float
    expected: Expected


def waiting_runs(queue: RunQueue) -> list[WaitingRun]:
    """The runs that wait in this host's queue, the first to start at the head."""
    rows = {row.id: row for row in History().rows()}
    tickets = queue.waiting()
    paces = PastPaces(rows.values())
    seconds = {ticket.id: _seconds(ticket.id, paces) for ticket in tickets}
    expected = forecast(tickets, seconds, _busy(rows.values(), paces), time.time())
    numbers = {device.uuid: str(number) for number, device in enumerate(gpus.read().devices) if device.uuid}
    return [
        WaitingRun(
            id=ticket.id,
            name=_name(ticket, rows),
            device=_in_words(ticket, numbers),
            submitted=rows[ticket.id].submitted if ticket.id in rows else ticket.order,
            expected=UNKNOWN if queue.paused else expected[ticket.id],
        )
        for ticket in tickets
    ]


def _name(ticket: Ticket, rows: Mapping[str, Row]) -> str:
    """The name of a run, or the words for an evaluation of one."""
    if ticket.folder == evaluation_jobs_dir().name:
        request = read_request(RunDir(evaluation_jobs_dir() / ticket.id))
        run_id = run_of(request) if request else ""
        return f"evaluation of {rows[run_id].name}" if run_id in rows else "evaluation"
    return rows[ticket.id].name if ticket.id in rows else ticket.id


class Place(Struct, frozen=True):
    """What a new run would find. before: the number of runs that wait for its device. paused: whether none may start.

    start: of the first new run, in unix time. end: of the last one. None: no past run tells, or the queue is paused.
    """

    before: int
    paused: bool
    start: float | None
    end: float | None


def place_of_new(configs: Sequence[RunConfig], rows: Iterable[Row], paces: PastPaces, queue: RunQueue) -> Place:
    """When new runs would start and end if they were submitted now. rows: of the history.

    Raises: DeviceError, if a run wants a device that it cannot use.
    """
    now, waiting = time.time(), queue.waiting()
    devices = {wanted: devices_for(wanted) for wanted in {config.device for config in configs}}
    new = [
        Ticket(order=now, id=f"new {number}", attempt=1, devices=devices[config.device])
        for number, config in enumerate(configs)
    ]
    seconds = {ticket.id: _seconds(ticket.id, paces) for ticket in waiting}
    seconds |= {ticket.id: paces.seconds(config) for ticket, config in zip(new, configs, strict=True)}
    expected = forecast([*waiting, *new], seconds, _busy(rows, paces), now)
    ends = [expected[ticket.id].end for ticket in new]
    known = [end for end in ends if end is not None]
    wanted = {device for ticket in new for device in ticket.devices}
    before = sum(bool(wanted & {*ticket.devices}) for ticket in waiting)
    if queue.paused:
        return Place(before=before, paused=True, start=None, end=None)
    return Place(
        before=before,
        paused=False,
        start=expected[new[0].id].start,
        end=max(known) if len(known) == len(ends) else None,
    )


def _seconds(run_id: str, paces: PastPaces) -> float | None:
    try:
        return paces.seconds(RunDir(runs_dir() / run_id).submission().config)
    except SubmissionError:
        return None


def _busy(rows: Iterable[Row], paces: PastPaces) -> dict[str, list[float | None]]:
    """By device: the expected ends of the runs that train on this host, in unix time; None if unknown."""
    found: dict[str, list[float | None]] = {}
    for row in rows:
        if row.status == "running" and not row.host:
            seen = observe(RunDir(runs_dir() / row.id))
            left = seen.state.eta_seconds
            if left is None and (whole := _seconds(row.id, paces)) is not None:
                left = max(whole - seen.state.elapsed, 0.0)
            if seen.process and seen.process.device:
                found.setdefault(seen.process.device, []).append(None if left is None else time.time() + left)
    return found


def _in_words(ticket: Ticket, numbers: dict[str, str]) -> str:
    names = [f"cuda:{numbers[device]}" if device in numbers else device for device in ticket.devices]
    return names[0] if len(names) == 1 else f"any of {len(names)} GPUs"
