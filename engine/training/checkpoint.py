"""Writes checkpoints atomically, keeps the previous checkpoint, and reads checkpoints with `weights_only`.

`load_model(run_dir)` loads the trained network of a run into a user's own code.
"""

import contextlib
from pathlib import Path
from typing import Any, Literal

import msgspec
import torch
from torch import nn

from engine.config.datasets import DatasetFacts, facts_of
from engine.config.errors import ConfigError
from engine.config.keys import flatten
from engine.config.run import RunConfig
from engine.models.build import build_network
from engine.protocol.files import replacing
from engine.protocol.rundir import RunDir
from engine.runtime.zip_checksums import verify_checksums

SCHEMA = 1
# Settings that may change while a run is stopped: they do not decide the weights that the run was started to train.
CHANGEABLE = ("name", "preset", "precision", "compile", "device", "data_dir", "checkpoint_minutes", "grace_seconds")
CHANGEABLE_SECTIONS = ("eval.", "watch.", "early_stop.")


class CheckpointError(RuntimeError):
    """No checkpoint can be read. The message names the files."""


def save(path: Path, config: RunConfig, state: dict[str, Any], keep: Path | None = None) -> int:
    """Write a checkpoint and return its size in bytes. The previous file moves from `path` to `keep`, if given.

    Raises: OSError, if the checkpoint cannot be written. The previous file then stays as it was.
    """
    with replacing(path) as file:
        torch.save({"schema": SCHEMA, "config": msgspec.json.encode(config).decode(), **state}, file)
        size = file.tell()
        file.flush()  # a full disk raises here, while the previous file is still in its place
        if keep is not None:
            with contextlib.suppress(FileNotFoundError):
                path.replace(keep)
    return size


def load(path: Path, device: torch.device | str = "cpu") -> dict[str, Any]:
    """Read a checkpoint.

    Raises: FileNotFoundError; CheckpointError, if the file is damaged or of another version.
    """
    try:
        verify_checksums(path)
        state = torch.load(path, map_location=device, weights_only=True)
    except FileNotFoundError:
        raise
    except Exception as error:  # a damaged file can raise nearly any exception
        raise CheckpointError(f"{path} is damaged ({str(error).partition(chr(10))[0]})") from None
    if not isinstance(state, dict) or state.get("schema") != SCHEMA:
        raise CheckpointError(f"{path} was written by another version of fastadv; use that version, or start a new run")
    return state


def facts_state(facts: DatasetFacts) -> dict[str, str]:
    """The part of a checkpoint that holds the facts of the data set, because `load_model` needs them."""
    return {"facts": msgspec.json.encode(facts).decode()}


def load_latest(rundir: RunDir, device: torch.device | str = "cpu") -> tuple[dict[str, Any] | None, str]:
    """The last readable checkpoint of a run, and a line about a later checkpoint that cannot be read, or "".

    The checkpoint is None if the run has none yet. Raises: CheckpointError, if the run has checkpoints and none can be
    read.
    """
    problems: list[str] = []
    for path in (rundir.last, rundir.previous):
        try:
            return load(path, device), "; ".join(problems)
        except FileNotFoundError:
            continue
        except CheckpointError as error:
            problems.append(str(error))
    if problems:
        raise CheckpointError(f"{'; '.join(problems)}; restore a checkpoint, or start a new run")
    return None, ""


def compare_settings(state: dict[str, Any], config: RunConfig) -> list[str]:
    """Messages for the user if the settings of the run have changed since a checkpoint.

    Raises: ConfigError, if a setting has changed that decides the weights. The record of the run would then be false.
    """
    trained, now = flatten(msgspec.json.decode(state["config"], type=RunConfig)), flatten(config)
    changed = [key for key in now if now[key] != trained.get(key, now[key])]
    for key in changed:
        if key not in CHANGEABLE and not key.startswith(CHANGEABLE_SECTIONS):
            raise ConfigError(
                f"the checkpoint was trained with {key} = {trained[key]}, but config.json now has {now[key]}; restore "
                "config.json, or start a new run"
            )
    kept = [key for key in changed if key not in ("name", "precision")]  # a change of precision has its own message
    return [f"{key} has changed since the checkpoint: it was {trained[key]} and is now {now[key]}" for key in kept]


def compare_data(state: dict[str, Any], shape: str, fingerprint: str) -> list[str]:
    """Messages for the user if the data has changed since a checkpoint. shape, fingerprint: of the data now.

    Raises: ConfigError, if `shape` has changed. If the number of images or classes has changed, the shuffled order
    changes, and a resumed run would differ.
    """
    before, known = state.get("data", (shape, fingerprint))  # not in older checkpoints
    if before != shape:
        raise ConfigError(
            f"this run was trained on {before}, but the data now has {shape}; restore the data or start a new run"
        )
    if known == fingerprint:
        return []
    return [f"the data has changed since the checkpoint: its fingerprint was {known} and is now {fingerprint}"]


def load_model(run_dir: str | Path, which: Literal["last", "best"] = "last") -> nn.Module:
    """The trained network of a run, in eval mode on the CPU.

    The network takes images in [0,1], (B, C, H, W), and returns logits, (B, classes). which: `last` for the weights at
    the end of training; `best` for the weights at the end of the last epoch that had not collapsed.

    Raises: CheckpointError, if the run has no readable checkpoint of that kind.
    """
    rundir = RunDir(Path(run_dir).expanduser())
    try:
        state = load(rundir.best) if which == "best" else load_latest(rundir)[0]
    except FileNotFoundError:
        state = None
    if state is None:
        raise CheckpointError(
            f"{rundir.path} has no {which} checkpoint; a run writes its checkpoints from the end of its first epoch on"
        )
    config = msgspec.json.decode(state["config"], type=RunConfig)
    facts = msgspec.json.decode(state["facts"], type=DatasetFacts) if "facts" in state else facts_of(config.dataset)
    model = build_network(config.model, facts)
    model.load_state_dict(state.get("averaged", state["model"]))
    return model.eval()
