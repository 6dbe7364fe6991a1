"""A run is resumed with the settings that its checkpoint was trained with, or not at all."""

import re
import shutil
from pathlib import Path

import pytest
import torch

from engine.config.errors import ConfigError, UserError
from engine.evaluation.evaluation import Accuracy
from engine.protocol import events
from engine.protocol.rundir import RunDir
from engine.protocol.stop import Stopped
from engine.training.checkpoint import CheckpointError
from engine.training.validation import Validation
from tests.support.engine import assert_same, of_kind, run_folder, weights
from tests.support.runs import edit_config
from tests.support.training import train

SETTINGS = {
    "batch_size": 400,
    "epochs": 2,
    "watch.images": 40,
    "watch.steps": 1,
    "checkpoint_minutes": 1e-9,  # a checkpoint after every weight update
}


def stopped_run(folder: Path, width: int = 4) -> RunDir:
    """A run with two checkpoints of its first weight updates."""
    rundir = run_folder(folder / f"w{width}", SETTINGS | {"model.width": width})
    with pytest.raises(Stopped):
        train(rundir, looks=4)
    assert rundir.last.exists()
    return rundir


@pytest.mark.parametrize(
    ("key", "value"),
    [("eps", 0.3), ("seed", 7), ("epochs", 3), ("model.width", 8), ("optim.lr", 0.01), ("method.noise", 0.5)],
)
def test_a_run_whose_config_was_edited_is_not_resumed_as_another_run(tmp_path: Path, key: str, value: object) -> None:
    rundir = stopped_run(tmp_path)
    edit_config(rundir, key, value)
    with pytest.raises(ConfigError, match=rf"trained with {key} = .*, but config.json now has {value}; restore"):
        train(rundir, attempt=2)


@pytest.mark.parametrize(("key", "before", "now"), [("watch.images", 40, 20), ("deterministic", "off", "on")])
def test_a_setting_that_does_not_decide_the_weights_may_change_while_a_run_is_stopped(
    tmp_path: Path, key: str, before: object, now: object
) -> None:
    rundir = stopped_run(tmp_path)
    edit_config(rundir, key, now)
    train(rundir, attempt=2)
    notes = [note.message for note in of_kind(rundir, events.Note)]
    assert f"{key} has changed since the checkpoint: it was {before} and is now {now}" in notes


def notes_of(rundir: RunDir) -> list[str]:
    return [note.message for note in of_kind(rundir, events.Note)]


def test_of_a_last_checkpoint_of_another_width_the_one_before_is_taken(tmp_path: Path) -> None:
    rundir, other, whole = stopped_run(tmp_path), stopped_run(tmp_path, 8), run_folder(tmp_path / "whole", SETTINGS)
    shutil.copy(other.last, rundir.last)
    train(rundir, attempt=2)
    assert notes_of(rundir) == [
        "last.pt: trained with model.width = 8, but config.json now has 4; continuing from the previous checkpoint"
    ]
    train(whole)
    assert_same(weights(rundir)["model"], weights(whole)["model"])


def test_two_checkpoints_of_another_width_are_refused_in_one_line(tmp_path: Path) -> None:
    rundir, other = stopped_run(tmp_path), stopped_run(tmp_path, 8)
    for path in (rundir.last, rundir.previous):
        shutil.copy(other.last, path)
    with pytest.raises(ConfigError) as caught:
        train(rundir, attempt=2)
    assert str(caught.value) == (
        "last.pt: trained with model.width = 8, but config.json now has 4; previous.pt: trained with model.width = 8, "
        "but config.json now has 4; restore config.json or a checkpoint, or start a new run"
    )
    assert not caught.value.resumable


def test_weights_that_do_not_fit_the_network_are_passed_over_by_the_name_of_a_tensor(tmp_path: Path) -> None:
    rundir, other = stopped_run(tmp_path), stopped_run(tmp_path, 8)
    torch.save(weights(rundir) | {"model": weights(other)["model"]}, rundir.last)
    train(rundir, attempt=2)
    (note,) = notes_of(rundir)
    assert re.fullmatch(
        r"last\.pt: the tensor \S+ is \[8, .*\], but \[4, .*\] in the network of the run; continuing from .*", note
    )


def test_a_checkpoint_with_weights_alone_is_no_place_to_continue_from(tmp_path: Path) -> None:
    rundir = run_folder(tmp_path / "run", SETTINGS)
    train(rundir)
    for path in (rundir.last, rundir.previous):
        shutil.copy(rundir.best, path)
    with pytest.raises(CheckpointError, match=r"last\.pt: holds weights only, without optimizer; .*; restore"):
        train(rundir, attempt=2)


@pytest.mark.parametrize(
    ("width", "error"),
    [
        (
            8,
            r"^early stopping cannot restore its weights: best\.pt: trained with model\.width = 8, but .*new run$",
        ),
        (None, r"best\.pt is missing, which early stopping restores; start a new run$"),
    ],
)
def test_early_stopping_restores_the_weights_of_this_run_or_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, width: int | None, error: str
) -> None:
    other = stopped_run(tmp_path, 8)
    rundir = run_folder(tmp_path / "run", SETTINGS | {"on_collapse": "stop"})

    def guard(validation: Validation, epoch: int) -> Accuracy:
        """Robust accuracy falls in the second epoch, before which the kept weights are replaced or removed."""
        if epoch:
            shutil.copy(other.last, rundir.best) if width else rundir.best.unlink()
        return Accuracy(0.9, 0.1 if epoch else 0.8, 128)

    monkeypatch.setattr(Validation, "guard_accuracy", guard)
    with pytest.raises(UserError, match=error):
        train(rundir)


def test_a_checkpoint_whose_settings_cannot_be_read_is_of_another_version(tmp_path: Path) -> None:
    rundir = stopped_run(tmp_path)
    torch.save(weights(rundir) | {"config": '{"of": "later"}'}, rundir.last)
    train(rundir, attempt=2)
    (note,) = notes_of(rundir)
    assert note.startswith("last.pt: its settings cannot be read (")
