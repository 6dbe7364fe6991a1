"""The evaluations of a training: the guard and the watch after each epoch, and the final evaluation at the end.

The guard attacks training images, augmented as in training. No decision depends on other images: which weights are
kept, and whether the training stops or is rolled back. The watch attacks test images for display only.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from torch import Tensor

from engine.attacks.pgd import Pgd
from engine.attacks.stage import Attack
from engine.attacks.threat import Threat
from engine.config.attacks import remarks_on
from engine.config.errors import UserError
from engine.data.dataset import Images
from engine.data.minibatch import Minibatch
from engine.evaluation.evaluation import Accuracy, Evaluation, Tick, attacked_accuracy, fgsm_accuracy
from engine.evaluation.resumable import ResumableEvaluation
from engine.evaluation.settings import attack_of, eval_batch, evaluation_inputs
from engine.protocol import events
from engine.protocol.rundir import RunDir
from engine.runtime import precision
from engine.training import checkpoint
from engine.training.alarm import two_standard_errors, wide_gap
from engine.training.checkpoint import CheckpointError
from engine.training.optim.norms import NORM_IMAGES, recompute_norms
from engine.training.reporter import Reporter
from engine.training.setup import Setup

GUARD_STEPS = 5  # PGD-5: the paper's check for early stopping
GUARD_IMAGES = 512  # at least, unless the data has fewer
PAPER_IMAGES = 128  # the paper's minibatch; with fewer images, robust accuracy must fall further to count


class Validation:
    """The evaluations of one training.

    guarded: robust accuracy of the last guard, a fraction in [0,1]; ended_early: whether early stopping has ended the
    training; collapsed: whether the last guard or the overfitting signal at the end of the last epoch shows a collapse;
    good: whether a rollback may go back to the last epoch; keeps: whether the weights of the last epoch are to be kept
    as `best.pt`.

    finish_writes: waits until `best.pt` is written.
    """

    def __init__(
        self, setup: Setup, rundir: RunDir, reporter: Reporter, finish_writes: Callable[[], None] = lambda: None
    ) -> None:
        self._setup, self._config, self._rundir, self._reporter = setup, setup.config, rundir, reporter
        self._finish_writes = finish_writes
        self._learner, self._threat = setup.learner, Threat(setup.config.eps, setup.config.norm)
        self.guarded = 0.0
        self.ended_early = False
        self.collapsed = self.good = self.keeps = False

    def after_epoch(self, epoch: int, check_stop: Callable[[], None]) -> None:
        """Evaluate the network after an epoch, and report the accuracies. Set `keeps`, or restore earlier weights.

        check_stop: called while test images are attacked. An exception of `check_stop` ends the evaluation.
        """
        if self._learner.averaged is not None and self._config.optim.recompute_norms:
            recompute_norms(self._learner.result, (batch.x for batch in self._norm_batches(epoch)))
        guard, watched = self.guard_accuracy(epoch), self.watched_accuracy(check_stop)
        self._report("guard", f"pgd-{GUARD_STEPS}", guard)
        if watched:
            self._report("watch", f"pgd-{self._config.watch.steps}", watched)
        self._keep_or_restore(epoch, guard)

    def guard_accuracy(self, epoch: int) -> Accuracy:
        """Clean, FGSM and PGD-5 accuracy on the epoch's last full minibatches of training images."""
        found = [self._guard_part(part) for batch in self._guard_batches(epoch) for part in self._parts(batch)]
        images = sum(part.images for part in found)

        def mean(figure: Callable[[Accuracy], float]) -> float:
            return sum(part.images * figure(part) for part in found) / images

        fgsm = mean(lambda part: part.fgsm or 0.0)
        return Accuracy(mean(lambda part: part.clean), mean(lambda part: part.robust), images, fgsm=fgsm)

    def _guard_batches(self, epoch: int) -> Iterator[Minibatch]:
        size = self._setup.timeline.of_epoch(epoch).phase.batch_size
        full = self._setup.dataset.train_images // size
        for number in range(max(full - math.ceil(GUARD_IMAGES / size), 0), full):
            yield self._setup.batches_of(epoch).batch(epoch, number)

    def _norm_batches(self, epoch: int) -> Iterator[Minibatch]:
        """Full minibatches of the epoch, in the micro-batches of training, so that they fit into memory."""
        size = self._setup.timeline.of_epoch(epoch).phase.batch_size
        full = self._setup.dataset.train_images // size
        for number in range(min(math.ceil(NORM_IMAGES / size), full)):
            batch, part = self._setup.batches_of(epoch).batch(epoch, number), self._config.micro_batch or size
            yield from (batch.part(begin, begin + part) for begin in range(0, size, part))

    def _parts(self, batch: Minibatch) -> Iterator[Minibatch]:
        size = eval_batch(self._config, self._setup.device)  # so that an attack fits into memory
        return (batch.part(begin, begin + size) for begin in range(0, len(batch), size))

    def _guard_part(self, batch: Minibatch) -> Accuracy:
        model, threat, dtype = self._learner.result, self._threat, precision.DTYPES[self._setup.search]
        attack = Pgd(GUARD_STEPS, 1, self._reaching_step)
        found = attacked_accuracy(model, batch.x, batch.y, threat, attack, self._config.seed, dtype)
        return replace(found, fgsm=fgsm_accuracy(model, batch.x, batch.y, threat, dtype))

    @property
    def _reaching_step(self) -> float:
        """A step size for few steps, at least eps/4: steps of 0.01 do not reach far in MNIST's ball of 0.3."""
        return max(self._config.eval_step, self._config.eps / 4)

    def watched_accuracy(self, check_stop: Callable[[], None]) -> Accuracy | None:
        """Clean and robust accuracy on the first `watch.images` test images, or None if `watch.images` is 0."""
        watch = self._config.watch
        if not watch.images:
            return None
        typed = self._config.eval.step_size is not None
        attack = Pgd(watch.steps, 1, self._config.eval_step if typed else self._reaching_step)
        evaluation = self._evaluation(self._setup.test.first(watch.images), attack)
        watched = evaluation.run(lambda done, total: check_stop())[0]
        self._report_files()
        return watched

    def final(self, check_stop: Callable[[], None]) -> None:
        """Run the final evaluation, if the run has one. An exception of `check_stop` ends it; the progress is saved."""
        if self._config.eval.attack == "none":
            return
        classes = self._setup.dataset.facts.classes
        attack, limit = attack_of(self._config, self._setup.device, classes)
        self._reporter.remarks(remarks_on(self._config.eval.attack, classes))
        accuracy = self._resumable(attack, limit).run(self._ticker(attack, check_stop))[0]
        self._report_files()
        self._report("final", attack.name, accuracy)

    def _report_files(self) -> None:
        self._reporter.unreadable(self._setup.test.unreadable, "it counts as wrong")
        self._reporter.remarks(self._setup.test.remarks)

    def _ticker(self, attack: Attack, check_stop: Callable[[], None]) -> Tick:
        report = self._reporter.ticker(attack.name)

        def tick(done: int, total: int) -> None:
            report(done, total)
            check_stop()

        return tick

    def _resumable(self, attack: Attack, limit: int) -> ResumableEvaluation:
        setup, model = self._setup, self._learner.result
        evaluation = self._evaluation(setup.test.first(limit), attack)
        inputs = evaluation_inputs(
            self._config, setup.fingerprint, setup.phases[-1], evaluation.attacks, limit, setup.search
        )
        return ResumableEvaluation(evaluation, self._rundir.evaluation, inputs.key(model))

    def _evaluation(self, test: Images, attack: Attack) -> Evaluation:
        dtype = precision.DTYPES[self._setup.search]
        attacks = [(self._threat, attack)]
        batch = eval_batch(self._config, self._setup.device)
        return Evaluation(self._learner.result, test, attacks, self._config.seed, dtype, batch)

    def _report(self, stage: events.Stage, attack: str, accuracy: Accuracy) -> None:
        split: events.Split = "train" if stage == "guard" else "test"
        self._reporter.accuracy(stage, split, attack, accuracy, self._config.method.spec.adversarial)

    def _keep_or_restore(self, epoch: int, guard: Accuracy) -> None:
        """Decide to keep the weights of an epoch without a collapse. Early stopping restores them after a collapse.

        The weights of an epoch that may turn out to be the first of a collapse are kept only if there are no others.
        """
        before, self.guarded, self.keeps = self.guarded, guard.robust, False
        watchdog, stops = self._reporter.watchdog, self._config.on_collapse == "stop"
        by_signal = self._reporter.signals_collapse()
        self.collapsed = "guard" in watchdog.collapsed or by_signal
        self.good = not by_signal and watchdog.good("guard", guard.robust, guard.images)
        if stops and epoch and (why := self._stop_reason(before, guard)):  # before the first epoch nothing was kept
            self._learner.result.load_state_dict(self._kept_weights())
            self.ended_early = True
            self._reporter.emit(events.Note(message=f"stopped early: {why}; the weights of an earlier epoch are kept"))
        else:
            self.keeps = not watchdog.doubted("guard") or (stops and not self._has_kept())

    def _has_kept(self) -> bool:
        self._finish_writes()
        return self._rundir.best.exists()

    def _kept_weights(self) -> dict[str, Tensor]:
        """The weights of the last epoch without a collapse.

        Raises: ConfigError or CheckpointError, if `best.pt` is missing, damaged, or was trained with other settings.
        """

        def check(state: dict[str, Any]) -> None:
            checkpoint.check_usable(state, self._config, self._learner.model)

        best = self._rundir.best
        self._finish_writes()
        try:
            weights: dict[str, Tensor] = checkpoint.load_checked(best, check)["model"]
        except FileNotFoundError:
            raise CheckpointError(f"{best} is missing, which early stopping restores; start a new run") from None
        except UserError as error:
            raise type(error)(f"early stopping cannot restore its weights: {error}; start a new run") from None
        return weights

    def _stop_reason(self, before: float, guard: Accuracy) -> str:
        """Why early stopping ends the training, or "". Chance makes accuracies fall further on few images."""
        chance = max(two_standard_errors(guard.images) - two_standard_errors(PAPER_IMAGES), 0)
        robust = f"PGD-{GUARD_STEPS} accuracy on training images"
        if before - guard.robust > self._config.early_stop.drop + chance:
            return f"{robust} fell from {before:.1%} to {guard.robust:.1%}"
        collapsed = "guard" in self._reporter.watchdog.collapsed
        if collapsed and guard.fgsm is not None and wide_gap(guard.fgsm, guard.robust, guard.images):
            return f"{robust} is {guard.robust:.1%}, but {guard.fgsm:.1%} under FGSM"
        return ""
