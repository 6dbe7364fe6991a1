"""The training of a run: one loop, whatever the method."""

import itertools
import os
import platform
import time
from collections.abc import Iterator
from typing import Any

import msgspec
import torch
from torch import Tensor

from engine.attacks.pgd import Pgd
from engine.attacks.threat import Threat
from engine.config.run import RunConfig
from engine.data.dataset import Batches, Images, open_dataset
from engine.evaluation.evaluation import Accuracy, Evaluation, attacked_accuracy
from engine.evaluation.resumable import ResumableEvaluation
from engine.evaluation.settings import attack_of, eval_batch, evaluation_question
from engine.models.build import build_network, has_random_layers
from engine.models.flops import count_crops
from engine.plan.cost import epoch_flops
from engine.plan.learning_rate import learning_rate
from engine.plan.timeline import Timeline
from engine.protocol import event_log, events
from engine.protocol.rundir import RunDir
from engine.protocol.stop import StopRequest
from engine.runtime import precision
from engine.runtime.compile import should_compile
from engine.runtime.device import pick
from engine.runtime.rng import generator, seed_of
from engine.training import checkpoint
from engine.training.alarm import Watchdog, two_standard_errors
from engine.training.learner import Learner, MicroBatch
from engine.training.methods.table import METHODS, SIGNALLING, options
from engine.training.reporter import Reporter

GUARD_STEPS = 5  # PGD-5 on a training minibatch: the paper's check for early stopping
GUARD_IMAGES = 128  # in the paper's minibatch; where fewer fit, a fall must be larger to count


class Training:
    """One attempt of a run. Raises as it is built: ConfigError (DataError is one), OSError."""

    def __init__(self, config: RunConfig, rundir: RunDir, writer: event_log.Writer, stop: StopRequest) -> None:
        self.config, self.rundir, self.stop = config, rundir, stop
        self.device = pick(config.device)
        self.precision, _ = precision.choose(config.precision, self.device)
        self.search, _ = precision.choose(config.eval.search, self.device)
        self._load_data()
        self.timeline = self._plan()
        self.learner = self._new_learner()
        self.threat = Threat(config.eps)
        watchdog = Watchdog(self.source.facts.classes)
        signalling = config.method.name in SIGNALLING and not has_random_layers(self.learner.model)
        self.reporter = Reporter(writer, self.learner, self.timeline, watchdog, signalling)
        self.delta: Tensor | None = None
        self.epochs_ended = 0
        self.ended_early = False
        self.guarded = 0.0
        self._last_save = time.monotonic()

    def _load_data(self) -> None:
        self.source = open_dataset(self.config)
        self.fingerprint = self.source.fingerprint()
        self.phases = [self.source.filled(phase) for phase in self.config.phase_list]
        self.batches = [self.source.batches(phase, self.config.seed, self.device) for phase in self.phases]
        self.test = self.source.test(self.phases[-1], self.device)

    def _plan(self) -> Timeline:
        config, images = self.config, self.source.train_images
        passes = count_crops(config, self.source.facts)
        typed = zip(config.phase_list, self.phases, strict=True)
        costs = [epoch_flops(config, phase, passes[asked.crop], images) for asked, phase in typed]
        return Timeline.plan(self.phases, images, config.replays, costs)

    def _new_learner(self) -> Learner:
        config = self.config
        torch.manual_seed(config.seed)
        model = build_network(config.model, self.source.facts)
        self.compiled = should_compile(config.compile, self.device, self.timeline.flops)
        sizes = {min(phase.batch_size, config.micro_batch or phase.batch_size) for phase in self.phases}
        must = config.compile == "on"
        return Learner(model, config.optim, self._lr, self.device, self.precision, sizes if self.compiled else (), must)

    def _lr(self, step: int) -> float:
        planned = self.timeline.lr_at(step)
        return learning_rate(self.config.optim, step, self.timeline.total_steps) if planned is None else planned

    def run(self, attempt: int) -> None:
        """Train to the end, from the last checkpoint if there is one, and evaluate.

        Raises: Stopped, after a checkpoint; DivergedError; CheckpointError; DataError, if images are gone or a process
        that decodes them was killed; OSError, if a file cannot be written.
        """
        self._announce(attempt, self._restore())
        for epoch in range(self.epochs_ended, 0 if self.ended_early else self.config.epochs):
            self._train_epoch(epoch)
            self._end_epoch(epoch)
            if self.ended_early:
                break
        self._evaluate()

    def _train_epoch(self, epoch: int) -> None:
        """What is left of an epoch."""
        self.reporter.start_epoch()
        for x, y in self._minibatches(epoch):
            self._stop_here()
            self._update(x, y)
            self.reporter.updated(len(y))
            self.reporter.unreadable(self._of_epoch(epoch).broken, "a grey one takes its place")
            self._save_after(60 * self.config.checkpoint_minutes)
        self.reporter.end_epoch()

    def _update(self, x: Tensor, y: Tensor) -> None:
        """One weight update by the run's method, in parts that fit."""
        method, method_options = METHODS[self.config.method.name], options(self.config)
        torch.manual_seed(seed_of(self.config.seed, "network", self.learner.step))  # of its dropout, if it has some
        rng = generator(self.device, self.config.seed, "noise", self.learner.step)
        size = self.config.micro_batch or len(y)
        if self.delta is not None and self.delta.shape[2:] != x.shape[2:]:
            self.delta = None  # of the phase before, whose images had another size
        made: list[Tensor] = []
        for begin in range(0, len(y), size):
            part = slice(begin, begin + size)
            delta = None if self.delta is None else self.delta[part]
            share = MicroBatch(len(y[part]) / len(y), first=not begin, last=begin + size >= len(y))
            with self.learner.part(share):
                delta = method(self.learner, x[part], y[part], delta, self.threat, rng, **method_options)
            made += [] if delta is None else [delta]
        self.delta = torch.cat(made) if made else None

    def _minibatches(self, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        """The minibatches of an epoch, each as often as it is replayed, from the present step on."""
        replays = self.config.replays
        batch, replay = divmod(self.learner.step - self.timeline.first_step(epoch), replays)
        for number, minibatch in enumerate(self._of_epoch(epoch).epoch(epoch, batch)):
            yield from itertools.repeat(minibatch, replays - (0 if number else replay))

    def _of_epoch(self, epoch: int) -> Batches:
        return self.batches[self.timeline.stretches.index(self.timeline.of_epoch(epoch))]

    def _stop_here(self) -> None:
        """Raises: Stopped, after a checkpoint, if the run was asked to stop."""
        if self.stop.requested():
            self._save()
            self.stop.check()

    def _end_epoch(self, epoch: int) -> None:
        self._save_after(self.config.grace_seconds)  # a stop may find the evaluation longer than its patience
        guard = self._guard_accuracy(epoch)
        watched = self._watched_accuracy()
        self._report("guard", "train", f"pgd-{GUARD_STEPS}", guard)
        if watched:
            self._report("watch", "test", f"pgd-{self.config.watch.steps}", watched)
        self._keep_or_go_back(guard)
        self.epochs_ended = epoch + 1
        self._save()

    def _guard_accuracy(self, epoch: int) -> Accuracy:
        """PGD-5 accuracy on the epoch's last whole minibatch: nothing is ever decided on test images."""
        batches, size = self._of_epoch(epoch), self.timeline.of_epoch(epoch).phase.batch_size
        x, y = batches.batch(epoch, self.source.train_images // size - 1)
        count = eval_batch(self.config)
        x, y = x[:count], y[:count]
        attack = self._attack(GUARD_STEPS, 1)
        dtype = precision.DTYPES[self.search]  # as in training, whose minibatches fit
        return attacked_accuracy(self.learner.result, x, y, self.threat, attack, self.config.seed, dtype)

    def _watched_accuracy(self) -> Accuracy | None:
        watch = self.config.watch
        if not watch.images:
            return None
        attack = self._attack(watch.steps, 1)
        watched = self._evaluation(self.test.first(watch.images), attack).run(self._look)[0]
        self.reporter.unreadable(self.test.broken, "it counts as wrong")
        return watched

    def _look(self, done: int, total: int) -> None:
        """An evaluation is cut short by a stop, and made again by whoever resumes."""
        self._stop_here()

    def _keep_or_go_back(self, guard: Accuracy) -> None:
        """Keep the weights of an epoch that has not collapsed; early stopping goes back to them from one that has."""
        robust = guard.robust
        before, self.guarded = self.guarded, robust
        stop = self.config.early_stop
        if stop.enabled and before - robust > stop.drop + max(
            two_standard_errors(guard.images) - two_standard_errors(GUARD_IMAGES), 0
        ):
            self.learner.result.load_state_dict(checkpoint.load(self.rundir.best, self.device)["model"])
            self.ended_early = True
            fell = f"PGD-{GUARD_STEPS} accuracy on a training minibatch fell from {before:.1%} to {robust:.1%}"
            self.reporter.emit(events.Note(message=f"stopped early: {fell}; the weights of the epoch before are kept"))
        elif stop.enabled or "guard" not in self.reporter.watchdog.collapsed:  # never chosen by test images
            size = checkpoint.save(
                self.rundir.best, self.config, {**self._facts(), "model": self.learner.result.state_dict()}
            )
            self.reporter.emit(events.Saved(step=self.learner.step, file=self.rundir.best.name, bytes=size))

    def _evaluate(self) -> None:
        """The final evaluation; a stop saves it, and whoever resumes goes on with it."""
        if self.config.eval.attack == "none":
            return
        attack, limit = attack_of(self.config, self.device)
        tick = self.reporter.ticker(attack.name)

        def look(done: int, total: int) -> None:
            tick(done, total)
            self.stop.check()  # the end of training has been saved

        evaluation = self._evaluation(self.test.first(limit), attack)
        last = self.phases[-1]
        asked = evaluation_question(self.config, self.fingerprint, last, evaluation.attacks, limit, self.search)
        keys = asked.key(self.learner.result), asked.old_key(self.learner.result)
        accuracy = ResumableEvaluation(evaluation, self.rundir.evaluation, *keys).run(look)[0]
        self.reporter.unreadable(self.test.broken, "it counts as wrong")
        self._report("final", "test", attack.name, accuracy)

    def _evaluation(self, test: Images, attack: Pgd) -> Evaluation:
        dtype = precision.DTYPES[self.search]
        return Evaluation(
            self.learner.result, test, [(self.threat, attack)], self.config.seed, dtype, eval_batch(self.config)
        )

    def _attack(self, steps: int, restarts: int) -> Pgd:
        return Pgd(steps, restarts, self.config.eval_step)

    def _report(self, stage: Any, split: Any, attack: str, accuracy: Accuracy) -> None:
        self.reporter.accuracy(stage, split, attack, accuracy, adversarial=self.config.method.name != "standard")

    def _save_after(self, seconds: float) -> None:
        if time.monotonic() - self._last_save > seconds:
            self._save()

    def _facts(self) -> dict[str, str]:
        """What `checkpoint.load_model` needs to know of the data."""
        return {"facts": msgspec.json.encode(self.source.facts).decode()}

    def _save(self) -> None:
        state = {
            **self._facts(),
            **self.learner.state_dict(),
            "data": [self.source.shape, self.fingerprint],
            "delta": self.delta,
            "epochs_ended": self.epochs_ended,
            "ended_early": self.ended_early,
            "guarded": self.guarded,
            "elapsed": self.reporter.elapsed,
            "watchdog": self.reporter.watchdog.state_dict(),
            "precision": self.precision,
        }
        size = checkpoint.save(self.rundir.last, self.config, state, keep=self.rundir.previous)
        self._last_save = time.monotonic()
        self.reporter.emit(events.Saved(step=self.learner.step, file=self.rundir.last.name, bytes=size))

    def _restore(self) -> list[str]:
        """Go back to the last checkpoint, if there is one; returns what there is to say of it.

        Raises: ConfigError, if it was trained on other data.
        """
        state, problem = checkpoint.load_latest(self.rundir, self.device)
        notes = [f"{problem}; going on from the checkpoint before"] if problem else []
        if state is not None:
            notes += checkpoint.compare_data(state, self.source.shape, self.fingerprint)
            if (before := state.get("precision", self.precision)) != self.precision:
                notes.append(f"trained in {before} so far, on another machine; {self.precision} from here on")
            self.learner.load_state_dict(state)
            self.delta = state["delta"]
            self.epochs_ended, self.ended_early = state["epochs_ended"], state["ended_early"]
            self.guarded = state["guarded"]
            self.reporter.continue_from(state["elapsed"])
            self.reporter.watchdog.load_state_dict(state["watchdog"])
        return notes

    def _announce(self, attempt: int, notes: list[str]) -> None:
        self.reporter.emit(
            events.Started(
                attempt=attempt,
                from_step=self.learner.step,
                total_steps=self.timeline.total_steps,
                steps_per_epoch=self.timeline.stretches[0].steps_per_epoch,
                stretches=self.timeline.stretches,
                device=self._device_name(),
                precision=self.precision,
                threads=torch.get_num_threads(),
                parameters=sum(p.numel() for p in self.learner.model.parameters()),
                train_images=self.source.train_images,
                test_images=len(self.test),
                data_fingerprint=self.fingerprint,
                official_data=self.source.official,
                held_out=bool(self.config.holdout),
                flops=self.timeline.flops,
                compiled=self.compiled,
                signal_threshold=self.reporter.signal_threshold,
                versions={"python": platform.python_version(), "torch": str(torch.__version__)},
            )
        )
        if self.config.method.name in SIGNALLING and has_random_layers(self.learner.model):
            notes.append("no overfitting signal: dropout, drawn anew for each pass, would drown it")
        if self.compiled:
            notes.append("compiling the network: about a minute before the first step")
        for note in [*self.source.remarks, *notes]:
            self.reporter.emit(events.Note(message=note))

    def _device_name(self) -> str:
        if self.device.type == "cuda":
            return torch.cuda.get_device_name(self.device)
        return f"cpu ({os.cpu_count()} cores)"
