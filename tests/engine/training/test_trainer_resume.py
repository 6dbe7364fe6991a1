"""Whole runs in this process on a tenth of the digits: an interruption anywhere leaves the same numbers at the end."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from engine.config.errors import ConfigError
from engine.models.build import build_network
from engine.protocol import event_log, events
from engine.protocol.rundir import RunDir
from engine.protocol.stop import Stopped
from engine.training import checkpoint
from tests.support.engine import assert_same, assert_same_end, of_kind, run_folder, weights, without_clock
from tests.support.few_digits import ALWAYS, FEW, METHODS, train_quickly
from tests.support.training import train


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    train_quickly(monkeypatch)


def test_a_network_with_dropout_is_resumed_bit_by_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build = build_network
    monkeypatch.setattr(
        "engine.training.setup.build_network", lambda *which: nn.Sequential(build(*which), nn.Dropout(0.2))
    )
    whole, broken = run_folder(tmp_path / "whole", FEW), run_folder(tmp_path / "broken", FEW)
    train(whole)
    with pytest.raises(Stopped):
        train(broken, 3)
    torch.rand(5)  # random numbers that an uninterrupted process would not draw
    train(broken, attempt=2)
    assert_same_end(whole, broken)


@pytest.mark.parametrize("name", METHODS)
def test_a_run_stopped_at_any_check_ends_with_the_same_numbers(tmp_path: Path, name: str) -> None:
    """The stop checks include those between the replays of free training and those inside both kinds of evaluation."""
    typed = FEW | METHODS[name]
    if "extra_data" in typed:
        typed["extra_data"] = str(write_extra(tmp_path / typed["extra_data"]))
    whole = run_folder(tmp_path / "whole", typed)
    looks = train(whole).made
    assert looks >= 2 * (4 * (3 if name == "free" else 1)) + 2
    for stop_at in range(1, looks, 3 if name in ("random", "free") else 6):
        broken = run_folder(tmp_path / f"stopped {stop_at}", typed)
        with pytest.raises(Stopped):
            train(broken, stop_at)
        train(broken, attempt=2)
        assert_same_end(whole, broken)
        assert _trained_twice(broken) == 0


def write_extra(path: Path, shade: int = 0) -> Path:
    """An npz file with 70 images for the digits."""
    images = np.random.default_rng(shade).integers(0, 256, (70, 8, 8, 1), dtype=np.uint8)
    np.savez(path, image=images, label=np.arange(70) % 10)
    return path


def test_extra_data_are_named_at_the_start_and_must_be_the_same_after_a_resume(tmp_path: Path) -> None:
    file = write_extra(tmp_path / "extra.npz")
    rundir = run_folder(tmp_path / "run", FEW | {"extra_data": str(file), "extra_fraction": 0.5})
    with pytest.raises(Stopped):
        train(rundir, 3)
    (note,) = [event.message for event in of_kind(rundir, events.Note) if "extra.npz" in event.message]
    assert re.search(r"50% of each minibatch are from the 70 images of .* \(fingerprint [0-9a-f]{12}\)", note)
    write_extra(file, shade=1)
    with pytest.raises(ConfigError, match=r"trained with 70 extra images .* restore the file or start a new run"):
        train(rundir, attempt=2)
    write_extra(file)
    train(rundir, attempt=3)
    file.unlink()
    with pytest.raises(ConfigError, match=r"extra\.npz: No such file"):
        train(rundir, attempt=4)


def _trained_twice(rundir: RunDir) -> int:
    """Steps between the last checkpoint and the beginning of the attempt after it."""
    order = list(event_log.read(rundir.events))
    second = max(n for n, event in enumerate(order) if isinstance(event, events.Started))
    saved = [event.step for event in order[:second] if isinstance(event, events.Saved) and event.file == "last.pt"]
    (began,) = [event.from_step for event in order[second:] if isinstance(event, events.Started)]
    return saved[-1] - began


def test_a_run_stopped_again_and_again_ends_with_the_same_numbers(tmp_path: Path) -> None:
    whole = run_folder(tmp_path / "whole", FEW)
    train(whole)
    broken = run_folder(tmp_path / "broken", FEW)
    for attempt in range(1, 40):
        try:
            train(broken, looks=4, attempt=attempt)  # more stop checks than one evaluation has: it starts anew
        except Stopped:
            continue
        break
    assert attempt > 3
    assert_same_end(whole, broken)


def test_a_broken_checkpoint_falls_back_to_the_one_before(tmp_path: Path) -> None:
    whole = run_folder(tmp_path / "whole", FEW)
    train(whole)
    broken = run_folder(tmp_path / "broken", FEW | {"checkpoint_minutes": ALWAYS})
    with pytest.raises(Stopped):
        train(broken, looks=3)
    broken.last.write_bytes(broken.last.read_bytes()[:-200])
    train(broken, attempt=2)
    (note,) = [event.message for event in of_kind(broken, events.Note)]
    assert "last.pt is damaged" in note
    assert "continuing from the previous checkpoint" in note
    assert_same(weights(whole)["model"], weights(broken)["model"])


def test_two_broken_checkpoints_end_the_run_with_their_names(tmp_path: Path) -> None:
    rundir = run_folder(tmp_path / "run", FEW)
    for path in (rundir.last, rundir.previous):
        path.write_bytes(b"broken")
    with pytest.raises(checkpoint.CheckpointError, match=r"last\.pt.*previous\.pt"):
        train(rundir)


def test_a_finished_run_that_is_resumed_trains_no_further(tmp_path: Path) -> None:
    rundir = run_folder(tmp_path / "run", FEW)
    train(rundir)
    before = weights(rundir)
    train(rundir, attempt=2)
    assert_same(before, weights(rundir))
    finals = [event for event in of_kind(rundir, events.Evaluated) if event.stage == "final"]
    assert without_clock(finals[0]) == without_clock(finals[1])
    assert of_kind(rundir, events.Started)[-1].from_step == before["step"]
