"""Checkpoints: written atomically, the one before kept, read with `weights_only`.

`load_model(run_dir)` is the way from a run into one's own code.
"""

import contextlib
import zipfile
from pathlib import Path
from typing import Any, Literal

import msgspec
import torch
from torch import nn

from engine.config.datasets import DatasetFacts, facts_of
from engine.config.errors import ConfigError
from engine.config.run import RunConfig
from engine.models.build import build_network
from engine.protocol.files import replacing
from engine.protocol.rundir import RunDir

SCHEMA = 1


class CheckpointError(RuntimeError):
    """There is no checkpoint that can be read; the message names the files."""


def save(path: Path, config: RunConfig, state: dict[str, Any], keep: Path | None = None) -> int:
    """Write a checkpoint and return its size in bytes; the file that was there moves to `keep`, if given.

    Raises: OSError, if it cannot be written; the file that was there is left as it was.
    """
    with replacing(path) as file:
        torch.save({"schema": SCHEMA, "config": msgspec.json.encode(config).decode(), **state}, file)
        size = file.tell()
        file.flush()  # a full disk shows here, while the file that was there is still in its place
        if keep is not None:
            with contextlib.suppress(FileNotFoundError):
                path.replace(keep)
    return size


def load(path: Path, device: torch.device | str = "cpu") -> dict[str, Any]:
    """Read a checkpoint.

    Raises: FileNotFoundError; CheckpointError, if it is damaged or of a later version.
    """
    try:
        _check_sums(path)
        state = torch.load(path, map_location=device, weights_only=True)
    except FileNotFoundError:
        raise
    except Exception as error:  # a damaged file can raise nearly anything
        raise CheckpointError(f"{path} is damaged ({str(error).partition(chr(10))[0]})") from None
    if not isinstance(state, dict) or state.get("schema") != SCHEMA:
        raise CheckpointError(f"{path} is no checkpoint of this version")
    return state


def _check_sums(path: Path) -> None:
    """torch.load takes damaged weights for good: it does not look at the checksums that it wrote.

    Raises: OSError; zipfile.BadZipFile.
    """
    with zipfile.ZipFile(path) as archive:
        if (damaged := archive.testzip()) is not None:
            raise zipfile.BadZipFile(f"bad checksum of {damaged}")


def load_latest(rundir: RunDir, device: torch.device | str = "cpu") -> tuple[dict[str, Any] | None, str]:
    """The last readable checkpoint of a run and a line that says what was wrong with a later one, if anything.

    None if the run has no checkpoint yet. Raises: CheckpointError, if there are some and none can be read.
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
        raise CheckpointError("; ".join(problems))
    return None, ""


def compare_data(state: dict[str, Any], shape: str, fingerprint: str) -> list[str]:
    """What there is to say if the data is no longer that of a checkpoint.

    Raises: ConfigError, if its `shape` has changed: then neither order nor classes can be continued.
    """
    before, known = state.get("data", (shape, fingerprint))  # older checkpoints do not say
    if before != shape:
        raise ConfigError(f"this run was trained on {before}, and now there are {shape}: put them back, or start anew")
    return [] if known == fingerprint else [f"the data is no longer that of the checkpoint: {known}, now {fingerprint}"]


def load_model(run_dir: str | Path, which: Literal["last", "best"] = "last") -> nn.Module:
    """The trained network of a run, in eval mode on the CPU: takes images in [0,1], (B, C, H, W), returns logits.

    which: `last` is the end of training; `best` is the end of the last epoch that had not collapsed.

    Raises: CheckpointError, if the run has no readable checkpoint of that kind.
    """
    rundir = RunDir(Path(run_dir).expanduser())
    try:
        state = load(rundir.best) if which == "best" else load_latest(rundir)[0]
    except FileNotFoundError:
        state = None
    if state is None:
        raise CheckpointError(f"{rundir.path} has no {which} checkpoint")
    config = msgspec.json.decode(state["config"], type=RunConfig)
    facts = msgspec.json.decode(state["facts"], type=DatasetFacts) if "facts" in state else facts_of(config.dataset)
    model = build_network(config.model, facts)
    model.load_state_dict(state.get("averaged", state["model"]))
    return model.eval()
