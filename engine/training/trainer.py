"""The training loop of a run, the same for every method."""

import itertools
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from engine.config.run import RunConfig
from engine.config.trained_with import check_extra_images, notes_on_data, notes_on_settings
from engine.data.minibatch import Minibatch
from engine.evaluation.settings import eval_batch
from engine.protocol import event_log, events
from engine.protocol.rundir import RunDir
from engine.protocol.stop import StopRequest
from engine.runtime.gpu_memory import explaining_full_memory, smaller_evaluation, smaller_part
from engine.training import checkpoint
from engine.training.alarm import Watchdog
from engine.training.checkpoint_writer import CheckpointFile, CheckpointWriter
from engine.training.reporter import Reporter
from engine.training.rollback import MAX_ROLLBACKS, MethodInForce
from engine.training.setup import set_up
from engine.training.updates import Updates
from engine.training.validation import Validation
from engine.training.warm_up import warm_up


class Training:
    """One attempt of a run. Raises, when built: ConfigError (DataError is one), OSError."""

    def __init__(self, config: RunConfig, rundir: RunDir, writer: event_log.Writer, stop: StopRequest) -> None:
        self.config, self.rundir, self.stop = config, rundir, stop
        self.setup = set_up(config, lambda phase: writer.write(events.Starting(phase=phase)), rundir.path)
        self.learner, self.timeline = self.setup.learner, self.setup.timeline
        watchdog = Watchdog(self.setup.dataset.facts.classes)
        has = {"has_signal": self.setup.signals, "has_alignment": self.setup.aligns}
        self.reporter = Reporter(writer, self.learner, self.timeline, watchdog, **has)
        self._checkpoints = CheckpointWriter(config, self.setup.device, self.reporter.emit)
        self.validation = Validation(self.setup, rundir, self.reporter, self._checkpoints.wait)
        self._method = MethodInForce(config)
        self._updates = Updates(self.setup, self._method)
        self._epochs_ended = 0
        self._last_save = time.monotonic()

    def run(self, attempt: int) -> None:
        """Train to the end, from the last checkpoint if there is one, and evaluate.

        Raises: Stopped, after a checkpoint; DivergedError; CompileError; GpuMemoryError; CheckpointError; DataError, if
        images are gone or a process that decodes images was killed; OSError, if a file cannot be written.
        """
        with self._checkpoints:
            self._run(attempt)

    def _run(self, attempt: int) -> None:
        notes = self._restore()
        notes += self._compile()
        self.reporter.emit(self.setup.started(attempt, self._method.rollbacks))
        for note in [*self.setup.dataset.remarks, *notes, *self.setup.notes()]:
            self.reporter.emit(events.Note(message=note))
        if not self.learner.step and self._can_roll_back:
            self._write(self.rundir.good)
        while self._epochs_ended < self.config.epochs and not self.validation.ended_early:
            self._train_epoch(self._epochs_ended)
            self._end_epoch(self._epochs_ended)
        if self._can_roll_back:
            self._checkpoints.wait()  # good.pt may be on its way
        self.rundir.good.unlink(missing_ok=True)  # only a training that goes on is rolled back
        with self._fitting_evaluation():
            self.validation.final(self.stop.check)  # needs no checkpoint: the end of training is saved

    def _compile(self) -> list[str]:
        """Compile the network, if the run is compiled. Returns a note if the run goes on uncompiled.

        Raises: Stopped; CompileError, if the run must be compiled.
        """
        if not self.learner.compiled:
            return []
        self.reporter.emit(events.Starting(phase=events.COMPILING))
        part = self.config.micro_batch or max(phase.batch_size for phase in self.setup.phases)
        with explaining_full_memory(smaller_part(part)):
            return warm_up(self.setup, self._method, self._epochs_ended, self.stop.check)

    def _train_epoch(self, epoch: int) -> None:
        """Train the rest of an epoch."""
        if self._updates.begin_epoch(epoch):
            # Processes that decode images may be forked now, and a step may be captured: with no other thread at work.
            self._checkpoints.wait()
        self.reporter.start_epoch()
        for batch in self._minibatches(epoch):
            self._check_stop()
            self._updates.update(batch)
            self.reporter.updated(len(batch))
            self.reporter.unreadable(self.setup.batches_of(epoch).unreadable, "a grey image replaces it")
            self.reporter.remarks([*self.setup.batches_of(epoch).remarks, *self._updates.remarks])
            self._save_if_older(60 * self.config.checkpoint_minutes)
        self.reporter.end_epoch()

    def _minibatches(self, epoch: int) -> Iterator[Minibatch]:
        """The minibatches of an epoch from the current step on, each repeated for each of its weight updates."""
        updates = self.config.updates_per_minibatch
        batch, update = divmod(self.learner.step - self.timeline.first_step(epoch), updates)
        for number, minibatch in enumerate(self.setup.batches_of(epoch).epoch(epoch, batch)):
            yield from itertools.repeat(minibatch, updates - (0 if number else update))

    def _end_epoch(self, epoch: int) -> None:
        self._save_if_older(self.config.grace_seconds)  # the evaluation may outlast the grace period of a stop
        with self._fitting_evaluation():
            self.validation.after_epoch(epoch, self._check_stop)  # after a stop, a resumed run evaluates again
        self._epochs_ended = epoch + 1
        kept = [self.rundir.best] if self.validation.keeps else []
        if self._can_roll_back and self.validation.good:
            self._save(*kept, self.rundir.good)
        elif self._can_roll_back and self.validation.collapsed:
            if kept:
                self._write(*kept)
            self._roll_back()
            self._save()
        else:
            self._save(*kept)

    @property
    def _can_roll_back(self) -> bool:
        return self.config.on_collapse == "rollback"

    def _fitting_evaluation(self) -> AbstractContextManager[None]:
        return explaining_full_memory(
            smaller_evaluation(eval_batch(self.config, self.setup.device), self.config.in_folder)
        )

    def _roll_back(self) -> None:
        """Go back to the last good epoch, and train with other methods from there, at most MAX_ROLLBACKS times.

        Raises: ConfigError or CheckpointError, if `good.pt` is damaged, or of other settings.
        """
        if self._method.rollbacks == MAX_ROLLBACKS:
            self.reporter.remarks([f"collapsed after {MAX_ROLLBACKS} rollbacks; the run is not rolled back again"])
            return
        self._checkpoints.wait()
        good = checkpoint.load_good(self.rundir, self._check)
        if good is None:  # on_collapse was changed after a collapse
            self.reporter.remarks(["no epoch without a collapse was kept, so the run is not rolled back"])
            return
        step, epoch = self.learner.step, self.reporter.epoch
        self._load(good)
        self.reporter.watchdog.rearm()
        methods = self._method.roll_back(self._epochs_ended)
        self.reporter.emit(
            events.RolledBack(
                step=step,
                epoch=round(epoch, 4),
                to_step=self.learner.step,
                to_epoch=float(self._epochs_ended),
                number=self._method.rollbacks,
                message=methods,
            )
        )

    def _check_stop(self) -> None:
        """Raises: Stopped, after a checkpoint, if the run was asked to stop."""
        if self.stop.requested():
            self._save()
            self._checkpoints.wait()
            self.stop.check()

    def _save_if_older(self, seconds: float) -> None:
        self._checkpoints.check()
        if time.monotonic() - self._last_save > seconds:
            self._save()

    def _save(self, *before: Path) -> None:
        """Have the checkpoint `last.pt` written, after the files `before` with the state of this moment.

        Raises: DivergedError, so that every checkpoint can be resumed; OSError, if the checkpoint before this one could
        not be written.
        """
        self.reporter.check_finite()
        self._write(*before, self.rundir.last)
        self._last_save = time.monotonic()

    def _write(self, *paths: Path) -> None:
        """Have files of the run written, in this order, while the training goes on. Raises: OSError, as `_save`."""
        state, rundir = self._state(), self.rundir
        weights = {**self.setup.data_state, "model": state.get("averaged", state["model"])}
        files = {
            rundir.best: CheckpointFile(rundir.best, weights),
            rundir.good: CheckpointFile(rundir.good, state, reported=False),
            rundir.last: CheckpointFile(rundir.last, state, keep=rundir.previous),
        }
        self._checkpoints.write(self.learner.step, *(files[path] for path in paths))

    def _state(self) -> dict[str, Any]:
        """The training at this moment. The keys are a file format."""
        return {
            **self.setup.data_state,
            **self.learner.state_dict(),
            "delta": self._updates.delta,
            "epochs_ended": self._epochs_ended,
            "ended_early": self.validation.ended_early,
            "guarded": self.validation.guarded,
            "elapsed": self.reporter.elapsed,
            "trained": self.reporter.trained,
            "watchdog": self.reporter.watchdog.state_dict(),
            "precision": self.setup.precision,
            "method_in_force": self._method.state_dict(),
        }

    def _restore(self) -> list[str]:
        """Restore the last checkpoint, if there is one. Returns notes for the user.

        Raises: ConfigError, if the checkpoint was trained on other data or with other settings; CheckpointError.
        """
        setup = self.setup
        state, problem = checkpoint.load_latest(self.rundir, self._check)
        notes = [f"{problem}; continuing from the previous checkpoint"] if problem else []
        if state is None:
            return notes
        notes += notes_on_settings(checkpoint.trained_config(state), self.config)
        if "data" in state:  # not in older checkpoints
            notes += notes_on_data(state["data"], (setup.dataset.shape, setup.fingerprint))
        check_extra_images(state.get("extra"), setup.dataset.extra_images)
        if (before := state.get("precision", setup.precision)) != setup.precision:
            notes.append(f"trained in {before} so far, on another machine; training in {setup.precision} from here on")
        self._load(state)
        self.reporter.continue_from(self._elapsed_before(state["elapsed"]), state.get("trained", 0.0))
        if "method_in_force" in state:  # not in older checkpoints
            self._method.load_state_dict(state["method_in_force"])
        return notes

    def _elapsed_before(self, elapsed: float) -> float:
        """The time over all attempts before this one. elapsed: that of the checkpoint.

        A final evaluation goes on where it was stopped, so its time counts, too. The events have it.
        """
        if self._epochs_ended < self.config.epochs and not self.validation.ended_early:
            return elapsed
        return max([elapsed, *(event.elapsed for event in event_log.read(self.rundir.events))])

    def _load(self, state: dict[str, Any]) -> None:
        """Load the part of a checkpoint that a rollback restores, too."""
        self.learner.load_state_dict(state)
        delta, self._epochs_ended = state["delta"], state["epochs_ended"]
        self._updates.restart(None if delta is None else delta.to(self.setup.device))
        self.validation.ended_early, self.validation.guarded = state["ended_early"], state["guarded"]
        self.reporter.watchdog.load_state_dict(state["watchdog"])

    def _check(self, state: dict[str, Any]) -> None:
        """Raises: UserError, if the run cannot continue from a checkpoint."""
        checkpoint.check_usable(state, self.config, self.learner.model)
        checkpoint.check_resumable(state)
