"""The expected start and end of queued runs, against a queue that is played through second by second."""

import random

import pytest

from fastadv_tui.launch.forecast import Expected, forecast
from fastadv_tui.supervise.queue import Ticket

NOW = 1000.0


def ticket(number: int, *devices: str, slots: int = 1) -> Ticket:
    return Ticket(order=float(number), id=f"run{number}", attempt=1, devices=devices or ("cpu",), slots=slots)


def times(found: dict[str, Expected]) -> list[tuple[float | None, float | None]]:
    return [(each.start, each.end) for each in found.values()]


def test_runs_of_one_device_start_one_after_the_other() -> None:
    seconds = {"run1": 10.0, "run2": 20.0}
    found = forecast([ticket(1), ticket(2)], seconds, {"cpu": [NOW + 5]}, NOW)
    assert times(found) == [(1005.0, 1015.0), (1015.0, 1035.0)]


def test_a_run_takes_the_device_that_is_free_first_and_two_slots_hold_two_runs() -> None:
    busy: dict[str, list[float | None]] = {"a": [NOW + 50], "b": [NOW + 5]}
    found = forecast([ticket(1, "a", "b"), ticket(2, "b", slots=2)], {"run1": 10.0, "run2": 1.0}, busy, NOW)
    assert times(found) == [(1005.0, 1015.0), (1005.0, 1006.0)]


def test_after_a_run_of_unknown_length_nothing_is_known() -> None:
    found = forecast([ticket(1), ticket(2), ticket(3, "a")], {"run3": 1.0}, {}, NOW)
    assert times(found) == [(NOW, None), (None, None), (NOW, NOW + 1)]
    assert times(forecast([ticket(1)], {"run1": 3.0}, {"cpu": [None]}, NOW)) == [(None, None)]


@pytest.mark.parametrize("seed", range(20))
def test_the_forecast_is_what_happens_if_every_run_takes_as_long_as_expected(seed: int) -> None:
    dice = random.Random(seed)
    tickets = [ticket(n, *dice.sample("abc", dice.randint(1, 3)), slots=2) for n in range(8)]
    seconds = {each.id: float(dice.randint(1, 9)) for each in tickets}
    busy: dict[str, list[float | None]] = {"a": [NOW + dice.randint(0, 9) for _ in range(dice.randint(0, 2))]}
    found = forecast(tickets, seconds, busy, NOW)
    assert {run: each.start for run, each in found.items()} == _played(tickets, seconds, busy)


def _played(
    tickets: list[Ticket], seconds: dict[str, float], busy: dict[str, list[float | None]]
) -> dict[str, float | None]:
    """The start of each run, found by looking at the slots once a second, as the keeper does."""
    ends: dict[str, list[float]] = {device: [end for end in busy.get(device, []) if end] for device in "abc"}
    started: dict[str, float | None] = {}
    clock = NOW
    while len(started) < len(tickets):
        reserved: set[str] = set()
        for each in (each for each in tickets if each.id not in started):
            free = [d for d in sorted(each.devices) if d not in reserved and sum(e > clock for e in ends[d]) < 2]
            if free:
                started[each.id] = clock
                ends[free[0]].append(clock + seconds[each.id])
            else:
                reserved.update(each.devices)
        clock += 1
    return started
