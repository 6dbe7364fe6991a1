"""Writes the events of a training, with the training time: step events at a bounded rate, evaluations, and alarms."""

import math
import threading
import time
from collections.abc import Callable, Sequence, Set
from typing import Literal

from engine.config.errors import UserError
from engine.config.sendable import sendable
from engine.evaluation.evaluation import Accuracy
from engine.plan.timeline import Timeline
from engine.protocol import event_log, events
from engine.runtime import gpu_memory
from engine.training.alarm import Watchdog
from engine.training.learner import Learner

MIN_INTERVAL = 0.5  # seconds between two step events; training waits for the device only at a step event
MAX_NAMED_FILES = 20  # unreadable images reported by name; of more, a note reports each doubling of their number
INTERVAL_FRACTION, MAX_INTERVAL = 1 / 2000, 3.0  # the interval grows with the training time, up to 3 seconds


class DivergedError(UserError):
    """The loss or a weight is NaN or infinite. The message begins with `diverged`.

    The checkpoint before is finite, so the run can be resumed.
    """

    resumable = True


class Reporter:
    """Writes the events of one attempt.

    has_signal: whether the run has an overfitting signal; has_alignment: whether it knows PertAlign.
    """

    def __init__(
        self,
        writer: event_log.Writer,
        learner: Learner,
        timeline: Timeline,
        watchdog: Watchdog,
        has_signal: bool,
        has_alignment: bool = False,
    ) -> None:
        self._writer, self._learner, self._timeline = writer, learner, timeline
        self.watchdog, self._has_signal, self._has_alignment = watchdog, has_signal, has_alignment
        self._writing = threading.Lock()  # checkpoints are written, and reported, by a thread
        self._elapsed_before = 0.0
        # Seconds of training before, and the time since which the training goes on; None between the epochs. One value,
        # so that another thread never sees one part that is new and one that is old.
        self._training: tuple[float, float | None] = 0.0, None
        self._start = self._last_log = time.monotonic()
        self._images = 0
        self._unreadable: set[str] = set()
        self._reported_count = MAX_NAMED_FILES
        self._remarks: set[str] = set()
        self._reported_skipped = 0

    @property
    def elapsed(self) -> float:
        """Seconds over all attempts, with evaluations."""
        return self._elapsed_before + time.monotonic() - self._start

    @property
    def trained(self) -> float:
        """Seconds of training over all attempts, without the evaluations between the epochs."""
        before, since = self._training
        return before + (0.0 if since is None else time.monotonic() - since)

    @property
    def _interval(self) -> float:
        """Seconds between two events: often in the first minutes, but only 18,000 events in 12 hours."""
        return min(max(MIN_INTERVAL, INTERVAL_FRACTION * self.elapsed), MAX_INTERVAL)

    def continue_from(self, elapsed: float, trained: float) -> None:
        """Continue from the times of a checkpoint, in seconds: those of `elapsed` and `trained`."""
        self._elapsed_before, self._start = elapsed, time.monotonic()
        self._training = trained, None

    @property
    def epoch(self) -> float:
        return self._timeline.epochs_at(self._learner.step)

    def emit(self, event: events.AnyEvent) -> None:
        """Write an event with the times of now. Threads may do so at once: their lines and times keep their order."""
        with self._writing:
            event.elapsed, event.trained = round(self.elapsed, 3), round(self.trained, 3)
            self._writer.write(event)

    def start_epoch(self) -> None:
        """Restart the measurements of time, so that the time of an evaluation does not count as training."""
        self._last_log, self._images = time.monotonic(), 0
        self._training = self._training[0], self._last_log

    def updated(self, images: int) -> None:
        """Count a weight update on `images` images. Writes a step event, at most twice a second.

        Raises: DivergedError, if the loss is not finite.
        """
        self._images += images
        if self._learner.step == 1 or time.monotonic() - self._last_log >= self._interval:
            self._log()

    def end_epoch(self) -> None:
        """Write a step event for the last update of the epoch, because an epoch may be shorter than MIN_INTERVAL.

        Raises: DivergedError, if the loss or a weight is not finite.
        """
        if self._images:
            self._log()
        self._training = self.trained, None
        self.check_finite()
        self._report_skipped()

    def _report_skipped(self) -> None:
        """Report the updates that fp16 has skipped: the first time, and at each doubling of their number."""
        skipped = self._learner.scaler.skipped_updates()
        if skipped >= max(2 * self._reported_skipped, 1):
            self._reported_skipped = skipped
            total = f"{skipped:,} of {self._learner.step:,} weight updates"
            self.emit(events.Note(message=f"fp16 has skipped {total} so far, because their gradients overflowed"))

    def check_finite(self) -> None:
        """Raises: DivergedError, after an alarm, if the loss or a weight is not finite."""
        if self._learner.step:  # before the first update there is no loss
            self._check_loss(self._learner.figures()[0])
            if not self._learner.finite():
                self._fail_as_diverged("the weights are not finite")

    def _check_loss(self, loss: float) -> None:
        if not math.isfinite(loss):
            self._fail_as_diverged(f"the loss is {loss}")

    def _fail_as_diverged(self, what: str) -> None:
        setting = "phases" if self._timeline.lr_at(self._learner.step) is not None else "optim.lr"
        message = f"{what} at step {self._learner.step}; lower the learning rate (--set {setting}=...)"
        self._alarm("diverged", message)
        raise DivergedError(f"diverged: {message}")

    def signals_collapse(self) -> bool:
        """Whether the overfitting signal or PertAlign shows a collapse now. Waits for the device."""
        step, alignment = self._learner.step, self._alignment()
        by_signal = self._has_signal and self.watchdog.signals_collapse(step, self._learner.figures()[2])
        return by_signal or (alignment is not None and self.watchdog.misaligned(step, alignment))

    def _alignment(self) -> float | None:
        return self._learner.alignment() if self._has_alignment else None

    def _log(self) -> None:
        learner = self._learner
        loss, accuracy, signal = learner.figures()
        alignment = self._alignment()
        images_per_second = self._images / (time.monotonic() - self._last_log)  # `figures` waited for the device
        self._last_log, self._images = time.monotonic(), 0
        self._check_loss(loss)
        self.emit(
            events.Step(
                step=learner.step,
                epoch=round(self.epoch, 4),
                lr=learner.last_lr,
                loss=loss,
                accuracy=accuracy,
                images_per_second=round(images_per_second, 1),
                signal=signal if self._has_signal else None,
                alignment=alignment,
                skipped=learner.scaler.skipped_updates(),
                gpu_memory=gpu_memory.peak(learner.device),
            )
        )
        if self._has_signal:
            self._alarm("overfitting", self.watchdog.check_signal(learner.step, signal))
        if alignment is not None:
            self._alarm("overfitting", self.watchdog.check_alignment(learner.step, alignment))

    def accuracy(
        self,
        stage: events.Stage,
        split: events.Split,
        attack: str,
        accuracy: Accuracy,
        adversarial: bool,
    ) -> None:
        """Report an evaluation. adversarial: whether training aims at robust accuracy, so that its fall is an alarm."""
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
                without_gradient=accuracy.without_gradient,
                answers=accuracy.answers,
                fooled_by=accuracy.fooled_by,
                fgsm=accuracy.fgsm,
            )
        )
        if adversarial:
            found = self.watchdog.check_accuracy(stage, accuracy.clean, accuracy.robust, accuracy.images, accuracy.fgsm)
            self._alarm("collapse", found)

    def unreadable(self, files: Set[str], fate: str) -> None:
        """Report each unreadable file once. A run of days must neither fail because of such files nor hide them.

        fate: what happens to the image instead.
        """
        new = sorted(files - self._unreadable)
        for file in new[: max(MAX_NAMED_FILES - len(self._unreadable), 0)]:
            self.emit(events.Note(message=sendable(f"{file} cannot be read as an image: {fate}")))
        self._unreadable.update(new)
        if (count := len(self._unreadable)) >= 2 * self._reported_count:
            self._reported_count = count
            self.emit(events.Note(message=f"{count:,} images cannot be read so far; `fastadv prepare` leaves them out"))

    def remarks(self, texts: Sequence[str]) -> None:
        """Report each text once."""
        for text in texts:
            if text not in self._remarks:
                self._remarks.add(text)
                self.emit(events.Note(message=text))

    def ticker(self, attack: str) -> Callable[[int, int], None]:
        """A function that reports the progress of one evaluation, at most twice a second and at the end."""
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
