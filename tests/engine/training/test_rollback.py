"""A run that collapses goes back to its last good epoch, and goes on with other methods, also after an interruption."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from engine.attacks.threat import Threat
from engine.config.method_section import MethodConfig
from engine.config.presets import build
from engine.evaluation.evaluation import Accuracy
from engine.protocol import events
from engine.protocol.rundir import RunDir
from engine.protocol.stop import Stopped
from engine.runtime.rng import generator, seed_of
from engine.training.methods.fgsm import fgsm
from engine.training.methods.pgd import pgd
from engine.training.rollback import MAX_ROLLBACKS, MethodInForce, safer
from engine.training.setup import set_up
from engine.training.trainer import Training
from engine.training.validation import Validation
from tests.support.engine import TIMES, assert_same, evaluations, of_kind, run_folder, weights
from tests.support.training import train

FEW = {
    "batch_size": 500,
    "epochs": 4,
    "watch.images": 10,
    "watch.steps": 1,
    "model.width": 8,
    "on_collapse": "rollback",
    "method.init": "previous",
}
GOOD, COLLAPSED = 0.6, 0.1


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.protocol.files.os.fsync", lambda handle: None)


class Guard:
    """Stands in for the guard. collapses: whether the n-th network, counted from 0, that it has not seen has collapsed.

    A network that it has seen gets the same answer as before, whichever process or attempt shows it.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, collapses: Callable[[int], bool]) -> None:
        self._seen: dict[float, bool] = {}

        def accuracy(validation: Validation, epoch: int) -> Accuracy:
            key = sum(float(p.detach().double().abs().sum()) for p in validation._learner.model.parameters())
            found = self._seen.setdefault(key, collapses(len(self._seen)))
            return Accuracy(0.9, COLLAPSED if found else GOOD, 1000)

        monkeypatch.setattr(Validation, "guard_accuracy", accuracy)


def _by_hand(rundir: RunDir, methods: list[Callable[..., Tensor]]) -> dict[str, Any]:
    """The weights after one epoch of each method."""
    setup = set_up(rundir.submission().config)
    learner, delta = setup.learner, None
    for epoch, method in enumerate(methods):
        for batch in setup.batches_of(epoch).epoch(epoch):
            rng = generator(setup.device, setup.config.seed, "noise", learner.step)
            torch.manual_seed(seed_of(setup.config.seed, "network", learner.step))
            delta = method(learner, batch.with_delta(delta), Threat(setup.config.eps), rng)
            learner.advance()
    return learner.model.state_dict()


def test_after_a_collapse_pgd_2_trains_one_epoch_from_the_last_good_one_and_a_safer_method_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rundir = run_folder(tmp_path / "run", FEW)
    Guard(monkeypatch, lambda network: network == 2)
    train(rundir)
    eps = rundir.submission().config.eps

    def first(*batch: Any) -> Tensor:
        return fgsm(*batch, alpha=1.25 * eps, init="previous")

    def second(*batch: Any) -> Tensor:
        return pgd(*batch, alpha=eps / 2, steps=2)

    def third(*batch: Any) -> Tensor:
        return fgsm(*batch, alpha=1.25 * eps)

    assert_same(weights(rundir)["model"], _by_hand(rundir, [first, first, second, third]))
    (found,) = of_kind(rundir, events.RolledBack)
    assert (found.step, found.to_step, found.epoch, found.to_epoch, found.number) == (9, 6, 3.0, 2.0, 1)
    assert found.message == "pgd with 2 steps for one epoch, then fgsm with a random start"
    assert [alarm.kind for alarm in of_kind(rundir, events.Alarm)] == ["collapse"]
    assert not rundir.good.exists()


def test_a_run_stopped_at_any_check_before_during_and_after_a_rollback_ends_with_the_same_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Guard(monkeypatch, lambda network: network == 1)
    whole = run_folder(tmp_path / "whole", FEW | {"epochs": 3})
    looks = train(whole).made
    for stop_at in range(1, looks, 3):
        broken = run_folder(tmp_path / f"stopped {stop_at}", FEW | {"epochs": 3})
        with pytest.raises(Stopped):
            train(broken, stop_at)
        train(broken, attempt=2)
        _assert_same_end(whole, broken)


def _assert_same_end(one: RunDir, other: RunDir) -> None:
    """Weights, optimizer, carried perturbation, alarm and method; not the evaluations that the rollback has undone."""
    assert_same(weights(one) | TIMES, weights(other) | TIMES)
    assert_same(weights(one, "best")["model"], weights(other, "best")["model"])


def test_a_run_killed_between_the_event_and_the_checkpoint_of_a_rollback_rolls_back_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Guard(monkeypatch, lambda network: network == 1)
    whole, broken = run_folder(tmp_path / "whole", FEW), run_folder(tmp_path / "broken", FEW)
    train(whole)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Training, "_save", _killed_after_a_rollback(Training._save))
        train(broken)
    assert len(of_kind(broken, events.RolledBack)) == 1
    train(broken, attempt=2)
    assert of_kind(broken, events.Started)[-1].rollbacks == 0  # its checkpoint is from before the rollback
    _assert_same_end(whole, broken)


def _killed_after_a_rollback(save: Callable[..., None]) -> Callable[..., None]:
    def killed(training: Training, *before: Path) -> None:
        if training._method.rollbacks:
            raise KeyboardInterrupt
        save(training, *before)

    return killed


def test_a_run_is_rolled_back_three_times_at_most_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Guard(monkeypatch, lambda network: network > 0)
    rundir = run_folder(tmp_path / "run", FEW)
    train(rundir)
    found = of_kind(rundir, events.RolledBack)
    assert [(event.to_step, event.number) for event in found] == [(3, n + 1) for n in range(MAX_ROLLBACKS)]
    assert [event.message.partition("then ")[2] for event in found] == [
        "fgsm with a random start",
        "nfgsm with noise 2",
        "pgd with 2 steps",
    ]
    assert [n.message for n in of_kind(rundir, events.Note)] == [
        "collapsed after 3 rollbacks; the run is not rolled back again"
    ]
    assert weights(rundir)["step"] == 12


def _looks(monkeypatch: pytest.MonkeyPatch, *robust: float) -> None:
    """Let the guard find these robust accuracies, one after the other."""
    found = iter(robust)
    monkeypatch.setattr(Validation, "guard_accuracy", lambda self, epoch: Accuracy(0.9, next(found), 1000))


@pytest.mark.parametrize("before", [(0.0, 0.0), (0.12, 0.0, 0.0), (0.0, 0.12, 0.0, 0.0)])
def test_a_run_that_was_never_robust_begins_anew_with_the_safer_method(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: tuple[float, ...]
) -> None:
    """It ends as a run of that method: no epoch of a recovery, and no weights of the method that collapsed."""
    rundir = run_folder(tmp_path / "run", FEW)
    _looks(monkeypatch, *before, 0.2, 0.3, 0.4, 0.5)
    train(rundir)
    (found,) = of_kind(rundir, events.RolledBack)
    assert (found.to_step, found.message) == (0, "fgsm with a random start from the beginning")
    other = run_folder(tmp_path / "other", {**FEW, "on_collapse": "warn", "method.init": "random"})
    _looks(monkeypatch, 0.2, 0.3, 0.4, 0.5)
    train(other)
    assert_same(weights(rundir)["model"], weights(other)["model"])


def test_a_run_does_not_go_back_to_an_epoch_that_may_be_the_first_of_the_collapse(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rundir = run_folder(tmp_path / "run", FEW)
    _looks(monkeypatch, 0.19, 0.0, 0.0, 0.5, 0.5, 0.5)
    train(rundir)
    (found,) = of_kind(rundir, events.RolledBack)
    assert (found.epoch, found.to_epoch) == (3.0, 1.0)


def test_a_run_that_does_not_collapse_trains_as_if_it_could_not_be_rolled_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Guard(monkeypatch, lambda network: False)
    one = run_folder(tmp_path / "one", FEW)
    other = run_folder(tmp_path / "other", FEW | {"on_collapse": "warn"})
    train(one)
    train(other)
    assert_same(weights(one)["model"], weights(other)["model"])
    assert evaluations(one) == evaluations(other)


def test_a_run_that_cannot_go_back_says_so_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user has changed `on_collapse` after the collapse."""
    Guard(monkeypatch, lambda network: network > 0)
    rundir = run_folder(tmp_path / "run", FEW)
    with pytest.raises(Stopped):
        train(rundir, 7)  # in the second epoch
    rundir.good.unlink()
    train(rundir, attempt=2)
    assert "no epoch without a collapse was kept" in of_kind(rundir, events.Note)[0].message


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"name": "fgsm", "alpha": 0.5}, {"name": "fgsm"}),
        ({"name": "fgsm", "init": "zero", "start_in_box": False}, {"name": "fgsm", "start_in_box": False}),
        ({"name": "fgsm", "alpha": 0.25}, {"name": "nfgsm", "noise": 2.0}),
        ({"name": "nfgsm", "noise": 0.5}, {"name": "nfgsm", "noise": 2.0}),
        ({"name": "nfgsm", "noise": 2.0}, {"name": "pgd", "alpha": 0.1, "steps": 2}),
        ({"name": "pgd", "alpha": 0.1, "steps": 2}, {"name": "pgd", "alpha": 0.1, "steps": 4}),
    ],
)
def test_each_rollback_makes_the_method_safer(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert safer(MethodConfig(**before), build("digits", {"eps": 0.2})) == MethodConfig(**after)


def test_the_recovery_keeps_the_start_of_the_runs_method() -> None:
    """The MNIST recipe does not clip the random start."""
    method = MethodInForce(build("mnist"))
    method.roll_back(3)
    assert method.of_epoch(3).options["start_in_box"] is False
    assert [method.of_epoch(epoch).name for epoch in (3, 4)] == ["pgd", "nfgsm"]
