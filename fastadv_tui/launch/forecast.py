"""When queued runs are expected to start and end, by the pace of past runs."""

import math
from collections.abc import Iterable, Mapping

from msgspec import Struct

from fastadv_tui.supervise.queue import Ticket


class Expected(Struct, frozen=True):
    """Expected start and end of a run in unix time. None: no past run tells how long the runs before it take."""

    start: float | None
    end: float | None


def forecast(
    tickets: Iterable[Ticket], seconds: Mapping[str, float | None], busy: Mapping[str, list[float | None]], now: float
) -> dict[str, Expected]:
    """By run id: when each waiting run starts and ends, if every run takes as long as expected.

    tickets: in the order of the queue. seconds: by run id, the duration of a run. busy: by device, the expected ends of
    the runs that train on it. Durations and ends are None if they are unknown. now: unix time.
    """
    ends = {device: [math.inf if end is None else end for end in found] for device, found in busy.items()}
    earliest: dict[str, float] = {}  # by device: no later run starts before an earlier one
    found = {}
    for ticket in tickets:
        start, device = min((_start(ends.get(d, []), ticket.slots, earliest.get(d, now)), d) for d in ticket.devices)
        duration = seconds.get(ticket.id)
        end = math.inf if duration is None else start + duration
        ends.setdefault(device, []).append(end)
        earliest[device] = start
        found[ticket.id] = Expected(_finite(start), _finite(end))
    return found


def _start(ends: list[float], slots: int, earliest: float) -> float:
    """When a device has a free slot: fewer than `slots` of its runs have not ended then. ends: of all its runs."""
    later = sorted(end for end in ends if end > earliest)
    return earliest if len(later) < slots else later[len(later) - slots]


def _finite(time: float) -> float | None:
    return time if math.isfinite(time) else None
