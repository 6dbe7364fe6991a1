"""Writes the events of runs for other programs: as JSON lines or CSV. Times are in ISO 8601 with their offset."""

import csv
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TextIO

from engine.protocol.corruptions import read as read_corruptions
from engine.protocol.event_log import read
from engine.protocol.events import Evaluated, Step
from engine.protocol.rundir import RunDir
from fastadv_tui.terminal.event_data import event_as_data

COLUMNS = (
    "run", "type", "t", "step", "epoch", "elapsed", "trained", "loss", "accuracy", "lr", "images_per_second", "signal",
    "alignment", "stage", "split", "attack", "clean", "robust", "images",
)  # fmt: skip


def as_jsonl(runs: Sequence[RunDir], out: TextIO) -> None:
    """Write every event of the runs as a line of JSON with the id of its run."""
    for run in runs:
        for event in read(run.events):
            out.write(json.dumps({"run": run.id, **event_as_data(event)}) + "\n")


def as_csv(runs: Sequence[RunDir], out: TextIO) -> None:
    """Write the step and evaluated events of all runs as one CSV table with the columns COLUMNS."""
    writer = csv.DictWriter(out, COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for run in runs:
        for event in read(run.events):
            if isinstance(event, Step | Evaluated):
                writer.writerow({"run": run.id, **event_as_data(event)})


CORRUPTION_COLUMNS = ("run", "time", "checkpoint", "data", "images", "corruption", "severity", "clean")


def corruptions_as_csv(runs: Sequence[RunDir], out: TextIO) -> None:
    """Write the accuracies of runs on corrupted images as one CSV table: a line for each corruption and severity."""
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(CORRUPTION_COLUMNS)
    for run in runs:
        for record in read_corruptions(run.corruptions):
            head = (run.id, record.time, record.checkpoint, record.data, record.images)
            for name, accuracies in record.accuracies:
                writer.writerows((*head, name, severity, clean) for severity, clean in enumerate(accuracies, 1))


TextFormat = Callable[[Sequence[RunDir], TextIO], None]
FileFormat = Callable[[Sequence[RunDir], Path], None]
TEXT_FORMATS: dict[str, TextFormat] = {"jsonl": as_jsonl, "csv": as_csv, "corruptions": corruptions_as_csv}
