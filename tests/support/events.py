"""Events to write into runs."""

import msgspec

from engine.protocol import event_log, events
from engine.protocol.rundir import RunDir


def write_events(rundir: RunDir, *written: events.AnyEvent) -> None:
    with event_log.Writer(rundir.events) as writer:
        for event in written:
            writer.write(event)


def started(attempt: int = 1, from_step: int = 0, **fields: object) -> events.Started:
    given = {
        "attempt": attempt,
        "from_step": from_step,
        "total_steps": 100,
        "steps_per_epoch": 10,
        "device": "cpu",
        "precision": "fp32",
        "threads": 1,
        "parameters": 1000,
        "train_images": 1280,
        "test_images": 500,
        "data_fingerprint": "abc",
        "official_data": True,
    }
    return msgspec.convert(given | fields, events.Started)


def step(number: int, elapsed: float | None = None, **fields: object) -> events.Step:
    given = {
        "step": number,
        "elapsed": float(number) if elapsed is None else elapsed,
        "epoch": number / 10,
        "lr": 0.1,
        "loss": 1.0,
        "accuracy": 0.5,
        "images_per_second": 128.0,
    }
    return msgspec.convert(given | fields, events.Step)


def evaluated(number: int, stage: str = "watch", **fields: object) -> events.Evaluated:
    given = {
        "stage": stage,
        "split": "test",
        "step": number,
        "epoch": number / 10,
        "attack": "pgd-10",
        "clean": 0.9,
        "robust": 0.4,
        "images": 500,
    }
    return msgspec.convert(given | fields, events.Evaluated)
