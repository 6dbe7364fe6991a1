"""The events of a run. Each event is one JSON object on a line of `events.jsonl`.

Readers ignore unknown fields and unknown types. Readers treat a torn last line as not yet written.
Accuracies are fractions in [0,1]. `t` is Unix time in seconds. `elapsed` and `trained` are seconds over all attempts:
`elapsed` with evaluations, `trained` of the epochs alone. Files of older versions have no `trained`.
"""

from typing import Literal

from msgspec import Struct

from engine.plan.timeline import ScheduledPhase


class Event(Struct, kw_only=True, omit_defaults=True, tag_field="type"):
    """The base of all events. The writer fills in `t`. Never rename a tag: tags are part of the file format."""

    t: float = 0.0
    elapsed: float = 0.0
    trained: float = 0.0


COMPILING = "compiling the network"  # the phase of a `starting` event; its end is the next event
Stage = Literal["watch", "guard", "final"]
Split = Literal["train", "test"]


class Started(Event, tag="started"):
    """A process starts an attempt at update number `from_step`.

    Ignore the steps of earlier attempts whose number is greater than `from_step`.
    `flops`: floating-point operations of the whole training, with its attacks, without its evaluations.
    `precision`: in words, such as `fp32 (tf32 convolutions)`.
    `signal_threshold`: the alarm is raised when the overfitting signal reaches this value, a fraction in [0,1]. None if
    the method has no signal, and in files of older versions.
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
    official_data: bool | None  # None if there are no official files to compare with
    flops: int = 0
    compiled: bool = False
    signal_threshold: float | None = None
    held_out: bool = False  # whether the "test images" are held-out training images
    rollbacks: int = 0  # how often the training up to `from_step` was rolled back
    stretches: tuple[ScheduledPhase, ...] = ()  # the scheduled phases
    versions: dict[str, str] = {}


class Starting(Event, tag="starting"):
    """What the process does before it trains.

    `phase`: `loading torch`, `loading the data`, `building the network`, or COMPILING.
    """

    phase: str


class Step(Event, tag="step"):
    """The state after weight update number `step` (from 1). The figures are moving averages over the last minibatches.

    `signal`: the fraction of examples whose loss the attack lowered by more than 0.01, in [0,1]; None if the method has
    no signal.
    `alignment`: PertAlign, the mean cosine of an image's gradients before and after the attack, in [-1,1]; None if the
    method does not know it, and in files of older versions.
    `gpu_memory`: most bytes of the GPU's memory that this attempt has held at once; 0 on a CPU.
    `skipped`: the number of weight updates so far that fp16 skipped, because their gradients overflowed.
    """

    step: int
    epoch: float
    lr: float
    loss: float
    accuracy: float
    images_per_second: float
    signal: float | None = None
    alignment: float | None = None
    skipped: int = 0
    gpu_memory: int = 0


class Progress(Event, tag="progress"):
    """The progress of an evaluation: `done` of `total` units of work."""

    attack: str
    done: int
    total: int


class Evaluated(Event, tag="evaluated"):
    """Clean and robust accuracy on `images` images of a split, after weight update number `step`.

    `stage` is the purpose: `watch` (test images after each epoch, for display only), `guard` (training images after
    each epoch, for decisions) or `final`.

    `without_gradient`: the number of images that count as robust although their gradient was exactly zero at some
    iterate. The attack could not move these images. 0 in files of version 0.1.

    `answers`: the number of classes among the network's answers to the clean images; 0 if unknown.

    `fooled_by`: for each of several stages of the attack its name and the number of images that it fooled. Each image
    counts for the first stage that fooled it.
    `fgsm`: accuracy under FGSM with step eps from the clean image; None if it was not measured.
    """

    stage: Stage
    split: Split
    step: int
    epoch: float
    attack: str
    clean: float
    robust: float
    images: int
    without_gradient: int = 0
    answers: int = 0
    fooled_by: tuple[tuple[str, int], ...] = ()
    fgsm: float | None = None


class Alarm(Event, tag="alarm"):
    """The run is failing. `kind` is the sign: `overfitting` (signal), `collapse` (accuracy) or `diverged` (loss)."""

    kind: Literal["overfitting", "collapse", "diverged"]
    step: int
    epoch: float
    message: str


class RolledBack(Event, tag="rolled_back"):
    """Training collapsed by update number `step` and goes on from update number `to_step` with another method.

    Ignore the steps and evaluations whose number is greater than `to_step`, and all alarms but `diverged`.
    number: of this rollback, from 1. `message` names the methods of the next epoch and of those after it.
    """

    step: int
    epoch: float
    to_step: int
    to_epoch: float
    number: int
    message: str


class Saved(Event, tag="saved"):
    """A checkpoint was written."""

    step: int
    file: str
    bytes: int


class Note(Event, tag="note"):
    """A message for the reader of the log."""

    message: str


class Finished(Event, tag="finished"):
    """The outcome of an attempt. Always the last event of the attempt.

    `resumable` is false if the run has failed, and fails again unless the user changes something first.
    `gpu_memory`: as in `step`, with the memory of the final evaluation.
    """

    status: Literal["done", "stopped", "failed"]
    step: int = 0
    error: str = ""
    resumable: bool = True
    gpu_memory: int = 0


AnyEvent = Started | Starting | Step | Progress | Evaluated | Alarm | RolledBack | Saved | Note | Finished
