"""Checkpoints: loaded whole or refused, with the one before to fall back on, and `load_model` for the user."""

import os
import pickle
import random
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.config.datasets import datasets
from engine.config.presets import build
from engine.models.build import build_network
from engine.protocol.files import WriteError
from engine.protocol.rundir import RunDir
from engine.training.checkpoint import CheckpointError, load, load_latest, load_model, save
from tests.support.networks import digits, digits_model
from tests.support.small_disk import small_disk

CONFIG = build("digits", {"model.width": 4})


@pytest.fixture
def rundir(tmp_path: Path) -> RunDir:
    return RunDir(tmp_path)


def state(number: int = 0) -> dict[str, Any]:
    return {"model": digits_model(seed=number).state_dict(), "step": number, "delta": None}


def put(rundir: RunDir, number: int) -> None:
    save(rundir.last, CONFIG, state(number), keep=rundir.previous)


def test_a_checkpoint_is_loaded_as_it_was_saved(rundir: RunDir) -> None:
    kept = state(3) | {"delta": torch.rand(2, 1, 8, 8), "watchdog": {"best": {"watch": 0.5}, "raised": []}}
    size = save(rundir.last, CONFIG, kept)
    found = load(rundir.last)
    assert size == rundir.last.stat().st_size
    assert torch.equal(found["delta"], kept["delta"])
    assert found["watchdog"] == kept["watchdog"]
    assert all(torch.equal(found["model"][name], value) for name, value in kept["model"].items())


def test_the_checkpoint_before_the_last_is_kept(rundir: RunDir) -> None:
    for number in (1, 2, 3):
        put(rundir, number)
    assert [load(path)["step"] for path in (rundir.last, rundir.previous)] == [3, 2]
    assert sorted(os.listdir(rundir.path)) == ["last.pt", "previous.pt"]


def test_a_run_without_a_checkpoint_has_none_to_load(rundir: RunDir) -> None:
    assert load_latest(rundir) == (None, "")
    with pytest.raises(FileNotFoundError):
        load(rundir.last)


def test_a_kill_between_the_two_renames_leaves_the_checkpoint_before(rundir: RunDir) -> None:
    put(rundir, 1)
    rundir.last.rename(rundir.previous)  # a SIGKILL can leave the files like this
    found, problem = load_latest(rundir)
    assert found is not None
    assert (found["step"], problem) == (1, "")


def _flipped(content: bytes, rng: random.Random) -> bytes:
    damaged = bytearray(content)
    damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
    return bytes(damaged)


def test_a_checkpoint_with_a_flipped_bit_never_gives_other_weights(rundir: RunDir) -> None:
    put(rundir, 1)
    whole, expected, rng = rundir.last.read_bytes(), load(rundir.last), random.Random(0)
    refused = 0
    for _ in range(150):
        rundir.last.write_bytes(_flipped(whole, rng))
        try:
            found = load(rundir.last)
        except CheckpointError:
            refused += 1
            continue
        assert all(torch.equal(found["model"][name], value) for name, value in expected["model"].items())
    assert refused > 100


def test_a_torn_checkpoint_is_refused_wherever_it_was_torn(rundir: RunDir) -> None:
    put(rundir, 1)
    whole, rng = rundir.last.read_bytes(), random.Random(0)
    for end in [0, 1, 4, len(whole) - 1, *(rng.randrange(len(whole)) for _ in range(30))]:
        rundir.last.write_bytes(whole[:end])
        with pytest.raises(CheckpointError, match=r"last\.pt is damaged"):
            load(rundir.last)


class Bomb:
    def __reduce__(self) -> Any:
        return os.system, ("touch /tmp/never",)


@pytest.mark.parametrize(
    "content",
    [b"", b"hello", bytes(5000), b"PK\x03\x04" + bytes(100), pickle.dumps({"schema": 1}), pickle.dumps(Bomb())],
    ids=["empty", "text", "zeros", "zip", "pickle", "bomb"],
)
def test_a_file_that_is_no_checkpoint_is_refused(rundir: RunDir, content: bytes) -> None:
    rundir.last.write_bytes(content)
    with pytest.raises(CheckpointError) as caught:
        load(rundir.last)
    assert "\n" not in str(caught.value)


def test_loading_a_checkpoint_runs_no_code(rundir: RunDir) -> None:
    proof = rundir.path / "it ran"

    class Touch:
        def __reduce__(self) -> Any:
            return Path.touch, (proof,)

    torch.save({"schema": 1, "model": Touch()}, rundir.last)
    with pytest.raises(CheckpointError):
        load(rundir.last)
    assert not proof.exists()


@pytest.mark.parametrize("content", [{"schema": 999}, {}, [1]])
def test_a_checkpoint_of_another_version_is_refused(rundir: RunDir, content: Any) -> None:
    torch.save(content, rundir.last)
    with pytest.raises(CheckpointError, match="was written by another version of fastadv; use that version"):
        load(rundir.last)


def test_a_broken_last_checkpoint_falls_back_to_the_one_before_and_says_so(rundir: RunDir) -> None:
    put(rundir, 1)
    put(rundir, 2)
    rundir.last.write_bytes(rundir.last.read_bytes()[:-100])
    found, problem = load_latest(rundir)
    assert found is not None
    assert found["step"] == 1
    assert f"{rundir.last} is damaged" in problem
    assert "\n" not in problem
    rundir.previous.write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"last\.pt is damaged .*; .*previous\.pt is damaged"):
        load_latest(rundir)


def test_a_full_disk_leaves_the_old_checkpoint(tmp_path: Path) -> None:
    with small_disk(tmp_path / "tiny", "200k") as folder:
        rundir = RunDir(folder)
        put(rundir, 1)
        # torch.save alone would say "unexpected pos"
        with pytest.raises(WriteError, match=r"^cannot write .*/last\.pt: No space left on device \(\d+ kB free\)"):
            save(rundir.last, CONFIG, state(2) | {"ballast": torch.rand(100_000)}, keep=rundir.previous)
        assert os.listdir(folder) == ["last.pt"]
        assert load(rundir.last)["step"] == 1


@pytest.mark.parametrize("which", ["last", "best"])
def test_load_model_gives_a_model_for_the_users_own_code(rundir: RunDir, which: Any) -> None:
    wanted = digits_model(seed=9).eval()
    save(rundir.last, CONFIG, {"model": digits_model(seed=1).state_dict()})
    save({"last": rundir.last, "best": rundir.best}[which], CONFIG, {"model": wanted.state_dict()})
    x = digits()[2][:5]
    for path in (rundir.path, str(rundir.path)):
        model = load_model(path, which)
        assert not model.training
        assert torch.equal(model(x), wanted(x))


@pytest.mark.parametrize("which", ["last", "best"])
def test_load_model_refuses_a_run_without_weights(rundir: RunDir, which: Any) -> None:
    with pytest.raises(CheckpointError, match=f"has no {which} checkpoint"):
        load_model(rundir.path, which)


def test_load_model_needs_no_data(rundir: RunDir) -> None:
    save(rundir.last, build("cifar", {"model.width": 1, "model.depth": 1}), _cifar_state())
    assert load_model(rundir.path)(torch.rand(2, 3, 32, 32)).shape == (2, 10)


def _cifar_state() -> dict[str, Any]:
    config = build("cifar", {"model.width": 1, "model.depth": 1})
    return {"model": build_network(config.model, datasets()["cifar10"].facts).state_dict()}
