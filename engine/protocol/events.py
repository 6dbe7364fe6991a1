"""What a run tells the world: typed events, one JSON object a line, appended to `events.jsonl`.

Readers ignore unknown fields and unknown types, and take a torn last line as not yet written.
Accuracies and eps are fractions in [0,1]; `t` is unix time, `elapsed` is seconds of training over all attempts.
"""

from typing import Literal

from msgspec import Struct

from engine.plan.timeline import ScheduledPhase


class Event(Struct, kw_only=True, omit_defaults=True, tag_field="type"):
    """Common to all events; the writer fills in `t`. Tags are the file format: a class may be renamed, its tag not."""

    t: float = 0.0
    elapsed: float = 0.0


Stage = Literal["watch", "guard", "final"]
Split = Literal["train", "test"]


class Started(Event, tag="started"):
    """A process began to work on the run; later steps of earlier attempts no longer count.

    `flops`: floating-point operations of the whole training, its attacks included and its evaluations not.
    `signal_threshold`: the overfitting signal, a fraction in [0,1], at which the alarm is raised; None where the
    method has no signal, and in files that an older version wrote.
    """

    attempt: int
    from_step: int
    total_steps: int
    steps_per_epoch: int
    device: str
    precision: str
    threads: int
    parameters: int
    train_images: int
    test_images: int
    data_fingerprint: str
    official_data: bool | None  # None where there are no official files to compare with
    flops: int = 0
    compiled: bool = False
    signal_threshold: float | None = None
    held_out: bool = False  # the "test images" are training images that were held out
    stretches: tuple[ScheduledPhase, ...] = ()  # the phases as they are trained
    versions: dict[str, str] = {}


class Step(Event, tag="step"):
    """The state after weight update number `step` (from 1): a moving average of the last minibatches' figures.

    `signal` is the share of examples whose loss the attack lowered; None where the method has none.
    """

    step: int
    epoch: float
    lr: float
    loss: float
    accuracy: float
    images_per_second: float
    signal: float | None = None


class Progress(Event, tag="progress"):
    """An evaluation on its way: `done` of `total` units of its work."""

    attack: str
    done: int
    total: int


class Evaluated(Event, tag="evaluated"):
    """Accuracy on `images` images of a split, after weight update number `step`.

    `stage` says why it was measured: `watch` (each epoch, for the eyes), `guard` (the paper's check of a
    training minibatch) or `final`.
    """

    stage: Stage
    split: Split
    step: int
    epoch: float
    attack: str
    clean: float
    robust: float
    images: int


class Alarm(Event, tag="alarm"):
    """The run is going wrong, and why: `overfitting` (signal), `collapse` (accuracy) or `diverged` (loss)."""

    kind: Literal["overfitting", "collapse", "diverged"]
    step: int
    epoch: float
    message: str


class Saved(Event, tag="saved"):
    """A checkpoint was written."""

    step: int
    file: str
    bytes: int


class Note(Event, tag="note"):
    """A line for the log that a reader should see."""

    message: str


class Finished(Event, tag="finished"):
    """The last event of an attempt, always."""

    status: Literal["done", "stopped", "failed"]
    step: int = 0
    error: str = ""


AnyEvent = Started | Step | Progress | Evaluated | Alarm | Saved | Note | Finished
