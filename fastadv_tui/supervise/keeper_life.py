"""Whether the keeper of a queue is alive. Every reader of runs asks this, so this module loads little."""

import time
from pathlib import Path

from fastadv_tui.supervise import process_identity, records
from fastadv_tui.supervise.process_identity import ProcessIdentity
from fastadv_tui.supervise.queue import RunQueue

SILENCE = 60.0  # seconds without a sign of life after which a keeper of another host counts as dead


def keeper_alive(queue: RunQueue) -> bool:
    """Whether the queue has a keeper that is alive. On another host, a keeper lives while it gives signs of life."""
    record = records.read(record_path(queue), ProcessIdentity)
    alive = process_identity.alive(record) if record else False
    if alive is not None:
        return alive
    try:
        return time.time() - record_path(queue).stat().st_mtime < SILENCE
    except OSError:
        return False


def record_path(queue: RunQueue) -> Path:
    return queue.slots / "keeper.json"
