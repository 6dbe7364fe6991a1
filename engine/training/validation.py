"""The evaluations of a training: the guard and the watch after each epoch, and the final evaluation at the end.

The guard attacks a training minibatch. The guard alone decides which weights are kept. The watch attacks test images
for display only: no decision depends on test images.
"""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from engine.attacks.pgd import Pgd
from engine.attacks.threat import Threat
from engine.config.errors import UserError
from engine.data.dataset import Images
from engine.evaluation.evaluation import Accuracy, Evaluation, Tick, attacked_accuracy
from engine.evaluation.resumable import ResumableEvaluation
from engine.evaluation.settings import attack_of, eval_batch, evaluation_inputs
from engine.protocol import events
from engine.protocol.rundir import RunDir
from engine.runtime import precision
from engine.training import checkpoint
from engine.training.alarm import two_standard_errors
from engine.training.checkpoint import CheckpointError
from engine.training.reporter import Reporter
from engine.training.setup import Setup

GUARD_STEPS = 5  # PGD-5 on a training minibatch: the paper's check for early stopping
GUARD_IMAGES = 128  # the paper's minibatch; with fewer images, robust accuracy must fall further to count


class Validation:
    """The evaluations of one training.

    guarded: robust accuracy of the last guard, a fraction in [0,1]; ended_early: whether early stopping has ended the
    training.
    """

    def __init__(self, setup: Setup, rundir: RunDir, reporter: Reporter) -> None:
        self._setup, self._config, self._rundir, self._reporter = setup, setup.config, rundir, reporter
        self._learner, self._threat = setup.learner, Threat(setup.config.eps, setup.config.norm)
        self.guarded = 0.0
        self.ended_early = False

    def after_epoch(self, epoch: int, check_stop: Callable[[], None]) -> None:
        """Evaluate the network after an epoch, report the accuracies, and keep the weights or restore earlier weights.

        check_stop: called while test images are attacked. An exception of `check_stop` ends the evaluation.
        """
        guard, watched = self.guard_accuracy(epoch), self.watched_accuracy(check_stop)
        self._report("guard", f"pgd-{GUARD_STEPS}", guard)
        if watched:
            self._report("watch", f"pgd-{self._config.watch.steps}", watched)
        self._keep_or_restore(guard)

    def guard_accuracy(self, epoch: int) -> Accuracy:
        """Clean and PGD-5 accuracy on the epoch's last full minibatch of training images."""
        size = self._setup.timeline.of_epoch(epoch).phase.batch_size
        last = self._setup.batches_of(epoch).batch(epoch, self._setup.dataset.train_images // size - 1)
        batch = last.part(0, eval_batch(self._config))
        attack = Pgd(GUARD_STEPS, 1, self._config.eval_step)
        dtype = precision.DTYPES[self._setup.search]  # as in training, so that the minibatch fits into memory
        return attacked_accuracy(self._learner.result, batch.x, batch.y, self._threat, attack, self._config.seed, dtype)

    def watched_accuracy(self, check_stop: Callable[[], None]) -> Accuracy | None:
        """Clean and robust accuracy on the first `watch.images` test images, or None if `watch.images` is 0."""
        watch = self._config.watch
        if not watch.images:
            return None
        attack = Pgd(watch.steps, 1, self._config.eval_step)
        evaluation = self._evaluation(self._setup.test.first(watch.images), attack)
        watched = evaluation.run(lambda done, total: check_stop())[0]
        self._reporter.unreadable(self._setup.test.unreadable, "it counts as wrong")
        return watched

    def final(self, check_stop: Callable[[], None]) -> None:
        """Run the final evaluation, if the run has one. An exception of `check_stop` ends it; the progress is saved."""
        if self._config.eval.attack == "none":
            return
        attack, limit = attack_of(self._config, self._setup.device)
        accuracy = self._resumable(attack, limit).run(self._ticker(attack, check_stop))[0]
        self._reporter.unreadable(self._setup.test.unreadable, "it counts as wrong")
        self._report("final", attack.name, accuracy)

    def _ticker(self, attack: Pgd, check_stop: Callable[[], None]) -> Tick:
        report = self._reporter.ticker(attack.name)

        def tick(done: int, total: int) -> None:
            report(done, total)
            check_stop()

        return tick

    def _resumable(self, attack: Pgd, limit: int) -> ResumableEvaluation:
        setup, model = self._setup, self._learner.result
        evaluation = self._evaluation(setup.test.first(limit), attack)
        inputs = evaluation_inputs(
            self._config, setup.fingerprint, setup.phases[-1], evaluation.attacks, limit, setup.search
        )
        return ResumableEvaluation(evaluation, self._rundir.evaluation, inputs.key(model))

    def _evaluation(self, test: Images, attack: Pgd) -> Evaluation:
        dtype = precision.DTYPES[self._setup.search]
        attacks = [(self._threat, attack)]
        return Evaluation(self._learner.result, test, attacks, self._config.seed, dtype, eval_batch(self._config))

    def _report(self, stage: events.Stage, attack: str, accuracy: Accuracy) -> None:
        split: events.Split = "train" if stage == "guard" else "test"
        self._reporter.accuracy(stage, split, attack, accuracy, self._config.method.spec.adversarial)

    def _keep_or_restore(self, guard: Accuracy) -> None:
        """Keep the weights of an epoch without a collapse. Early stopping restores these weights after a collapse."""
        before, self.guarded = self.guarded, guard.robust
        if self._config.early_stop.enabled and self._fell(before, guard):
            self._learner.result.load_state_dict(self._kept_weights())
            self.ended_early = True
            fell = f"PGD-{GUARD_STEPS} accuracy on a training minibatch fell from {before:.1%} to {guard.robust:.1%}"
            self._reporter.emit(events.Note(message=f"stopped early: {fell}; the weights of the epoch before are kept"))
        elif self._config.early_stop.enabled or "guard" not in self._reporter.watchdog.collapsed:
            state = {**self._setup.data_state, "model": self._learner.result.state_dict()}
            size = checkpoint.save(self._rundir.best, self._config, state)
            self._reporter.emit(events.Saved(step=self._learner.step, file=self._rundir.best.name, bytes=size))

    def _kept_weights(self) -> dict[str, Tensor]:
        """The weights of the last epoch without a collapse.

        Raises: ConfigError or CheckpointError, if `best.pt` is missing, damaged, or was trained with other settings.
        """

        def check(state: dict[str, Any]) -> None:
            checkpoint.check_usable(state, self._config, self._learner.model)

        best = self._rundir.best
        try:
            weights: dict[str, Tensor] = checkpoint.load_checked(best, self._setup.device, check)["model"]
        except FileNotFoundError:
            raise CheckpointError(f"{best} is missing, which early stopping restores; start a new run") from None
        except UserError as error:
            raise type(error)(f"early stopping cannot restore its weights: {error}; start a new run") from None
        return weights

    def _fell(self, before: float, guard: Accuracy) -> bool:
        """Whether robust accuracy fell by more than early stopping allows, plus what few images add by chance."""
        chance = max(two_standard_errors(guard.images) - two_standard_errors(GUARD_IMAGES), 0)
        return before - guard.robust > self._config.early_stop.drop + chance
