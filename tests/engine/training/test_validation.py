"""The guard sees augmented training images of the epoch, enough of them, and no others."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.config.run import RunConfig
from engine.protocol import event_log
from engine.runtime.eval_mode import evaluating
from engine.training.trainer import Training
from engine.training.validation import GUARD_IMAGES
from tests.support.engine import run_folder
from tests.support.training import StopAfter


@contextmanager
def training(path: Path, typed: dict[str, Any]) -> Iterator[Training]:
    rundir = run_folder(path, typed)
    with event_log.Writer(rundir.events) as writer:
        yield Training(rundir.submission().config, rundir, writer, StopAfter())


@pytest.mark.parametrize(("batch_size", "minibatches"), [(64, range(14, 22)), (200, range(4, 7)), (600, range(1, 2))])
def test_the_guard_evaluates_the_last_full_minibatches_of_the_epoch(
    tmp_path: Path, batch_size: int, minibatches: range
) -> None:
    """The digits have 1437 training images."""
    with training(tmp_path / "run", {"batch_size": batch_size}) as run:
        found = run.validation.guard_accuracy(0)
        assert found.images == len(minibatches) * batch_size >= GUARD_IMAGES
        model, right = run.learner.result, 0
        with torch.no_grad(), evaluating(model):
            for number in minibatches:
                batch = run.setup.batches_of(0).batch(0, number)
                right += int((model(batch.x).argmax(1) == batch.y).sum())
        assert found.clean == pytest.approx(right / found.images)
        assert found.fgsm is not None
        assert 0 <= found.robust <= found.clean


@pytest.mark.parametrize(("typed", "step"), [({}, 0.05), ({"eval.step_size": 0.01}, 0.01)])
def test_the_attack_while_training_crosses_the_ball_in_its_few_steps_unless_its_step_is_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: dict[str, Any], step: float
) -> None:
    """MNIST's recipe has evaluation steps of 0.01, of which 10 do not reach far in a ball of 0.3."""
    monkeypatch.setattr(RunConfig, "pgd_step", 0.01)
    steps: list[float] = []
    with training(tmp_path / "run", {"eps": 0.2, "watch.images": 20, **typed}) as run:
        evaluation = run.validation._evaluation
        monkeypatch.setattr(
            run.validation,
            "_evaluation",
            lambda test, attack: steps.append(attack.step_size) or evaluation(test, attack),
        )
        run.validation.watched_accuracy(lambda: None)
    assert steps == [pytest.approx(step)]
