"""Events of runs for other programs: JSON lines or CSV."""

import csv
import json
from collections.abc import Callable, Sequence
from typing import Any, TextIO

import msgspec

from engine.protocol.event_log import read
from engine.protocol.events import Evaluated, Step
from engine.protocol.rundir import RunDir

COLUMNS = (
    "run", "type", "step", "epoch", "elapsed", "loss", "accuracy", "lr", "images_per_second", "signal",
    "stage", "split", "attack", "clean", "robust", "images",
)  # fmt: skip


def as_jsonl(runs: Sequence[RunDir], out: TextIO) -> None:
    """Every event, with the run's id."""
    for run in runs:
        for event in read(run.events):
            out.write(json.dumps({"run": run.id, **_fields(event)}) + "\n")


def as_csv(runs: Sequence[RunDir], out: TextIO) -> None:
    """Step and evaluated events, one table for all."""
    writer = csv.DictWriter(out, COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for run in runs:
        for event in read(run.events):
            if isinstance(event, Step | Evaluated):
                writer.writerow({"run": run.id, **_fields(event)})


def _fields(event: Any) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(event)
    return found


EXPORTS: dict[str, Callable[[Sequence[RunDir], TextIO], None]] = {"jsonl": as_jsonl, "csv": as_csv}
