"""Early stopping and the best weights of whole runs."""

from pathlib import Path

import pytest

from engine.evaluation.evaluation import Accuracy
from engine.protocol import events
from engine.training.validation import Validation
from tests.support.engine import assert_same, of_kind, run_folder, weights
from tests.support.few_digits import FEW, train_quickly
from tests.support.training import train


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    train_quickly(monkeypatch)


def _guards(monkeypatch: pytest.MonkeyPatch, *robust: float) -> None:
    found = iter(robust)
    monkeypatch.setattr(Validation, "guard_accuracy", lambda self, epoch: Accuracy(0.9, next(found), 40))


def test_early_stopping_restores_the_weights_of_the_epoch_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = FEW | {"epochs": 5, "on_collapse": "stop"}
    rundir, other = run_folder(tmp_path / "run", typed), run_folder(tmp_path / "other", typed)
    _guards(monkeypatch, 0.3, 0.5, 0.1)
    train(rundir)
    _guards(monkeypatch, 0.3, 0.5)
    with pytest.raises(StopIteration):
        train(other)
    assert_same(weights(rundir)["model"], weights(other, "best")["model"])
    (note,) = of_kind(rundir, events.Note)
    assert "fell from 50.0% to 10.0%" in note.message
    final = of_kind(rundir, events.Evaluated)[-1]
    assert (final.stage, final.epoch) == ("final", 3.0)
    train(rundir, attempt=2)  # a run that stopped early does not train on
    assert of_kind(rundir, events.Started)[-1].from_step == 12


def test_early_stopping_ends_a_run_that_is_robust_to_fgsm_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Smoothed labels hide the collapse from a fall of robust accuracy."""
    rundir = run_folder(tmp_path / "run", FEW | {"epochs": 3, "on_collapse": "stop"})
    found = iter([Accuracy(0.9, 0.5, 512, fgsm=0.55), Accuracy(0.9, 0.43, 512, fgsm=0.95)])
    monkeypatch.setattr(Validation, "guard_accuracy", lambda self, epoch: next(found))
    train(rundir)
    (note,) = of_kind(rundir, events.Note)
    assert "is 43.0%, but 95.0% under FGSM; the weights of an earlier epoch are kept" in note.message
    assert_same(weights(rundir)["model"], weights(rundir, "best")["model"])


def test_early_stopping_restores_no_weights_of_an_epoch_that_may_be_the_first_of_the_collapse(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rundir = run_folder(tmp_path / "run", FEW | {"epochs": 4, "on_collapse": "stop"})
    looks = [(0.3, 0.35), (0.3, 0.78), (0.3, 0.78)]  # accuracy under PGD-5 and FGSM, of 90% clean accuracy
    found = iter([Accuracy(0.9, robust, 512, fgsm=fgsm) for robust, fgsm in looks])
    monkeypatch.setattr(Validation, "guard_accuracy", lambda self, epoch: next(found))
    train(rundir)
    assert [event.step for event in of_kind(rundir, events.Saved) if event.file == rundir.best.name] == [4]
    assert "is 30.0%, but 78.0% under FGSM" in of_kind(rundir, events.Note)[0].message
    assert_same(weights(rundir)["model"], weights(rundir, "best")["model"])


def test_early_stopping_works_after_a_first_epoch_that_looked_collapsed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rundir = run_folder(tmp_path / "run", FEW | {"epochs": 4, "on_collapse": "stop"})
    _guards(monkeypatch, 0.01, 0.5, 0.1)
    train(rundir)
    assert "stopped early" in of_kind(rundir, events.Note)[0].message


def test_the_best_weights_are_never_chosen_by_test_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rundir = run_folder(tmp_path / "run", FEW)
    _guards(monkeypatch, 0.5, 0.5)
    monkeypatch.setattr(Validation, "watched_accuracy", lambda self, look: Accuracy(0.9, 0.0, 60))
    train(rundir)
    assert [event.kind for event in of_kind(rundir, events.Alarm)] == ["collapse"]
    assert_same(weights(rundir, "best")["model"], weights(rundir)["model"])


def test_the_best_weights_are_from_the_last_epoch_that_had_not_collapsed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rundir = run_folder(tmp_path / "run", FEW | {"epochs": 3})
    _guards(monkeypatch, 0.8, 0.1, 0.1)
    train(rundir)
    assert [event.step for event in of_kind(rundir, events.Saved) if event.file == "best.pt"] == [4]
    other = run_folder(tmp_path / "other", FEW | {"epochs": 3})
    _guards(monkeypatch, 0.8, 0.1, 0.7)
    train(other)
    assert [event.step for event in of_kind(other, events.Saved) if event.file == "best.pt"] == [4, 12]
