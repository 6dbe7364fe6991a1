"""What training says to the world: events with the training clock on them, step figures at a bounded rate, alarms."""

import math
import time
from collections.abc import Callable, Set
from typing import Literal

from engine.evaluation.evaluation import Accuracy
from engine.plan.timeline import Timeline
from engine.protocol import event_log, events
from engine.training.alarm import THRESHOLD, Watchdog
from engine.training.learner import Learner

LOG_EVERY = 0.5  # seconds between two step events: the only moments at which training waits for the device
NAMED = 20  # unreadable images; of more, each doubling of their number is told
LOG_SHARE, LOG_SELDOM = 1 / 2000, 3.0  # of the time trained, once that is more; at most so many seconds


class DivergedError(RuntimeError):
    """The loss is no longer a number."""


class Reporter:
    """Writes the events of one attempt. `signalling`: whether the method has an overfitting signal."""

    def __init__(
        self, writer: event_log.Writer, learner: Learner, timeline: Timeline, watchdog: Watchdog, signalling: bool
    ) -> None:
        self._writer, self._learner, self._timeline = writer, learner, timeline
        self.watchdog, self._signalling = watchdog, signalling
        self._elapsed_before = 0.0
        self._start = self._last_log = time.monotonic()
        self._images = 0
        self._unreadable: set[str] = set()
        self._told = NAMED

    @property
    def signal_threshold(self) -> float | None:
        """The signal, a fraction in [0,1], at which the alarm is raised; None where the method has no signal."""
        return THRESHOLD if self._signalling else None

    @property
    def elapsed(self) -> float:
        """Seconds of training over all attempts."""
        return self._elapsed_before + time.monotonic() - self._start

    @property
    def _interval(self) -> float:
        """Seconds between events: 12 hours make 18,000 of them, and the first minutes are as lively as any."""
        return min(max(LOG_EVERY, LOG_SHARE * self.elapsed), LOG_SELDOM)

    def continue_from(self, elapsed: float) -> None:
        """Go on from a checkpoint's training time."""
        self._elapsed_before, self._start = elapsed, time.monotonic()

    @property
    def epoch(self) -> float:
        return self._timeline.epochs_at(self._learner.step)

    def emit(self, event: events.AnyEvent) -> None:
        event.elapsed = round(self.elapsed, 3)
        self._writer.write(event)

    def start_epoch(self) -> None:
        """Evaluation is over: its time must not count in the images a second."""
        self._last_log, self._images = time.monotonic(), 0

    def updated(self, images: int) -> None:
        """A weight update was made on so many images; at most twice a second this becomes an event.

        Raises: DivergedError, if the loss is not finite.
        """
        self._images += images
        if self._learner.step == 1 or time.monotonic() - self._last_log >= self._interval:
            self._log()

    def end_epoch(self) -> None:
        """The figures of the epoch's last update become an event, too: an epoch may be shorter than LOG_EVERY.

        Raises: DivergedError, if the loss is not finite.
        """
        if self._images:
            self._log()

    def _log(self) -> None:
        learner = self._learner
        loss, accuracy, signal = learner.figures()
        images_per_second = self._images / (time.monotonic() - self._last_log)  # now that the device has caught up
        self._last_log, self._images = time.monotonic(), 0
        if not math.isfinite(loss):
            setting = "phases" if self._timeline.lr_at(learner.step) is not None else "optim.lr"
            message = f"the loss is {loss} at step {learner.step}; lower the learning rate (--set {setting}=...)"
            self._alarm("diverged", message)
            raise DivergedError(message)
        self.emit(
            events.Step(
                step=learner.step,
                epoch=round(self.epoch, 4),
                lr=learner.last_lr,
                loss=loss,
                accuracy=accuracy,
                images_per_second=round(images_per_second, 1),
                signal=signal if self._signalling else None,
            )
        )
        if self._signalling:
            self._alarm("overfitting", self.watchdog.training(learner.step, signal))

    def accuracy(
        self,
        stage: Literal["watch", "guard", "final"],
        split: Literal["train", "test"],
        attack: str,
        accuracy: Accuracy,
        adversarial: bool,
    ) -> None:
        """Report an evaluation; robust accuracy raises the alarm only where training aims at it (`adversarial`)."""
        self.emit(
            events.Evaluated(
                stage=stage,
                split=split,
                step=self._learner.step,
                epoch=round(self.epoch, 4),
                attack=attack,
                clean=accuracy.clean,
                robust=accuracy.robust,
                images=accuracy.images,
            )
        )
        if adversarial:
            self._alarm("collapse", self.watchdog.evaluated(stage, accuracy.clean, accuracy.robust, accuracy.images))

    def unreadable(self, files: Set[str], fate: str) -> None:
        """Name files that cannot be read, once each: a run of days must neither die of them nor keep silent."""
        new = sorted(files - self._unreadable)
        for file in new[: max(NAMED - len(self._unreadable), 0)]:
            self.emit(events.Note(message=f"{file} cannot be read as an image: {fate}"))
        self._unreadable.update(new)
        if (count := len(self._unreadable)) >= 2 * self._told:
            self._told = count
            self.emit(events.Note(message=f"{count:,} images cannot be read so far; `fastadv prepare` leaves them out"))

    def ticker(self, attack: str) -> Callable[[int, int], None]:
        """Reports the progress of one evaluation, at most twice a second and at its end."""
        last = 0.0

        def tick(done: int, total: int) -> None:
            nonlocal last
            if time.monotonic() - last >= self._interval or done == total:
                last = time.monotonic()
                self.emit(events.Progress(attack=attack, done=done, total=total))

        return tick

    def _alarm(self, kind: Literal["overfitting", "collapse", "diverged"], message: str | None) -> None:
        if message:
            self.emit(events.Alarm(kind=kind, step=self._learner.step, epoch=round(self.epoch, 4), message=message))
