"""A run is resumed with the settings that its checkpoint was trained with, or not at all."""

import json
from pathlib import Path

import pytest

from engine.config.errors import ConfigError
from engine.protocol import events
from engine.protocol.rundir import RunDir
from engine.protocol.stop import Stopped
from tests.support.engine import of_kind, run_folder
from tests.support.training import train

SETTINGS = {
    "batch_size": 400,
    "epochs": 2,
    "watch.images": 40,
    "watch.steps": 1,
    "checkpoint_minutes": 1e-9,  # a checkpoint after every weight update
}


def stopped_run(folder: Path) -> RunDir:
    """A run with a checkpoint of its first weight updates."""
    rundir = run_folder(folder / "run", SETTINGS)
    with pytest.raises(Stopped):
        train(rundir, looks=4)
    assert rundir.last.exists()
    return rundir


def edit_config(rundir: RunDir, key: str, value: object) -> None:
    content = json.loads(rundir.config.read_text())
    section, _, leaf = key.rpartition(".")
    (content["config"][section] if section else content["config"])[leaf] = value
    rundir.config.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("key", "value"),
    [("eps", 0.3), ("seed", 7), ("epochs", 3), ("model.width", 8), ("optim.lr", 0.01), ("method.noise", 0.5)],
)
def test_a_run_whose_config_was_edited_is_not_resumed_as_another_run(tmp_path: Path, key: str, value: object) -> None:
    rundir = stopped_run(tmp_path)
    edit_config(rundir, key, value)
    with pytest.raises(ConfigError, match=rf"trained with {key} = .*, but config.json now has {value}; restore"):
        train(rundir, attempt=2)


def test_a_setting_that_does_not_decide_the_weights_may_change_while_a_run_is_stopped(tmp_path: Path) -> None:
    rundir = stopped_run(tmp_path)
    edit_config(rundir, "watch.images", 20)
    train(rundir, attempt=2)
    notes = [note.message for note in of_kind(rundir, events.Note)]
    assert "watch.images has changed since the checkpoint: it was 40 and is now 20" in notes
