"""Where new runs would stand in the queue of this host."""

import sys
import time

import pytest

from engine.config.presets import build
from fastadv_tui.history.row import Row
from fastadv_tui.launch.cost import PastPaces
from fastadv_tui.launch.line import Place, place_of_new
from fastadv_tui.paths import ensure_home
from fastadv_tui.supervise.queue import FullTicket, RunQueue
from tests.support.runs import config, make_run

CPU = build("digits", {"device": "cpu", "epochs": 10})


@pytest.fixture
def queue(home: object) -> RunQueue:
    ensure_home()
    found = RunQueue.of_home()
    found.tickets.mkdir(parents=True)
    return found


def paces(seconds: float) -> PastPaces:
    """Past digits took so many seconds per epoch."""
    return PastPaces(
        [Row(id="a", dataset="digits", method="fgsm", preset="digits", status="done", epochs=1, duration=seconds)]
    )


def wait_in_line(queue: RunQueue, run_id: str) -> None:
    make_run(queue.home / "runs" / run_id, chosen=config())  # 30 epochs
    queue.add(FullTicket(order=1.0, id=run_id, attempt=1, devices=("cpu",), python=sys.executable, environment=[]))


def test_new_runs_start_one_after_the_other_on_a_free_device(queue: RunQueue) -> None:
    begun = time.time()
    place = place_of_new([CPU, CPU], [], paces(2.0), queue)
    assert (place.before, place.paused) == (0, False)
    assert place.start == pytest.approx(begun, abs=5)
    assert place.end == pytest.approx(begun + 40, abs=5)


def test_new_runs_start_after_those_that_wait(queue: RunQueue) -> None:
    wait_in_line(queue, "first0")
    place = place_of_new([CPU], [], paces(2.0), queue)
    assert (place.before, place.paused) == (1, False)
    assert place.start == pytest.approx(time.time() + 60, abs=5)
    assert place.end == pytest.approx(time.time() + 80, abs=5)


def test_a_paused_queue_has_no_times(queue: RunQueue) -> None:
    wait_in_line(queue, "first0")
    queue.pause()
    assert place_of_new([CPU], [], paces(2.0), queue) == Place(before=1, paused=True, start=None, end=None)


def test_without_a_similar_run_the_end_is_unknown(queue: RunQueue) -> None:
    place = place_of_new([CPU], [], PastPaces([]), queue)
    assert place.start is not None
    assert place.end is None
    with pytest.raises(LookupError, match="cuda:99 is not there"):
        place_of_new([build("digits", {"device": "cuda:99"})], [], PastPaces([]), queue)
