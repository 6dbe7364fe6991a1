"""Writes checkpoints atomically, keeps the previous checkpoint, and reads checkpoints with `weights_only`.

`load_model(run_dir)` loads the trained network of a run into a user's own code.
"""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import msgspec
import torch
from torch import nn

from engine.config.datasets import DatasetFacts, facts_of
from engine.config.errors import UserError
from engine.config.run import RunConfig
from engine.config.trained_with import check_settings
from engine.config.typed import decode
from engine.export.weights import load_exported
from engine.models.build import build_network
from engine.protocol.files import replacing
from engine.protocol.rundir import RunDir
from engine.runtime.zip_checksums import verify_checksums

SCHEMA = 1
OF_A_TRAINING = ("optimizer", "epochs_ended", "delta", "watchdog")  # keys that only a checkpoint to resume from has
Check = Callable[[dict[str, Any]], None]  # raises a UserError if a checkpoint cannot be used


class CheckpointError(UserError):
    """No checkpoint of the run can be used. The message names the files."""


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


def load(path: Path) -> dict[str, Any]:
    """Read a checkpoint into main memory. Whoever loads it into a network and an optimizer places its tensors.

    Read onto a GPU, a checkpoint would need the memory of a second training, and all counters of an optimizer would
    lie on the GPU, although some kernels want them in main memory and wait for the GPU in each step otherwise.

    Raises: FileNotFoundError; CheckpointError, if the file is damaged or of another version.
    """
    try:
        verify_checksums(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise
    except Exception as error:  # a damaged file can raise nearly any exception
        raise CheckpointError(f"{path} is damaged ({str(error).partition(chr(10))[0]})") from None
    if not isinstance(state, dict) or state.get("schema") != SCHEMA:
        raise CheckpointError(f"{path} was written by another version of fastadv; use that version, or start a new run")
    return state


def data_state(
    facts: DatasetFacts, shape: str, fingerprint: str, extra: tuple[int, str] | None = None
) -> dict[str, Any]:
    """The part of a checkpoint that describes the data: the facts for `load_model`, the rest for a comparison."""
    state = {"facts": msgspec.json.encode(facts).decode(), "data": [shape, fingerprint]}
    return state | ({"extra": [*extra]} if extra else {})


def trained_config(state: dict[str, Any]) -> RunConfig:
    """The settings that a checkpoint was trained with. Raises: CheckpointError, if this version cannot read them."""
    try:
        return decode(state["config"], RunConfig)
    except (KeyError, msgspec.DecodeError) as error:
        raise CheckpointError(f"its settings cannot be read ({error}); was it written by another version?") from None


def load_latest(rundir: RunDir, check: Check = lambda state: None) -> tuple[dict[str, Any] | None, str]:
    """The last usable checkpoint of a run, and a line about a later checkpoint that cannot be used, or "".

    The checkpoint is None if the run has none yet. Raises: UserError, if the run has checkpoints and none can be used.
    """
    problems: dict[str, UserError] = {}
    for path in (rundir.last, rundir.previous):
        try:
            return load_checked(path, check), "; ".join(problems)
        except FileNotFoundError:
            continue
        except UserError as error:
            problems[str(error)] = error
    if problems:
        kind = type(next(iter(problems.values())))
        raise kind(f"{'; '.join(problems)}; restore config.json or a checkpoint, or start a new run")
    return None, ""


def load_checked(path: Path, check: Check) -> dict[str, Any]:
    """Read a checkpoint and check it. Raises: FileNotFoundError; UserError, whose message begins with the file."""
    state = load(path)
    try:
        check(state)
    except UserError as error:
        raise type(error)(f"{path.name}: {error}") from None
    return state


def load_good(rundir: RunDir, check: Check) -> dict[str, Any] | None:
    """The training after the last epoch without a collapse, which a rollback restores. None if none was kept.

    Raises: UserError, if `good.pt` cannot be used.
    """
    try:
        return load_checked(rundir.good, check)
    except FileNotFoundError:
        return None
    except UserError as error:
        raise type(error)(f"the rollback cannot restore its training: {error}; start a new run") from None


def check_usable(state: dict[str, Any], config: RunConfig, model: nn.Module) -> None:
    """Check that a checkpoint was trained with the settings of its run, and that its weights fit the network.

    Raises: ConfigError, CheckpointError. The messages name no way out.
    """
    check_settings(trained_config(state), config)
    own, kept = model.state_dict(), state.get("model", {})
    for name in {**own, **kept}:
        found, wanted = (list(values[name].shape) if name in values else "missing" for values in (kept, own))
        if found != wanted:
            raise CheckpointError(f"the tensor {name} is {found}, but {wanted} in the network of the run")


def check_resumable(state: dict[str, Any]) -> None:
    """Check that a checkpoint holds all of a training. Raises: CheckpointError."""
    if missing := [key for key in OF_A_TRAINING if key not in state]:
        raise CheckpointError(f"holds weights only, without {missing[0]}; a run cannot continue from it")


def load_model(run_dir: str | Path, which: Literal["last", "best"] = "last") -> nn.Module:
    """The trained network of a run, in eval mode on the CPU. run_dir: its folder, or a file of exported weights.

    The network takes images in [0,1], (B, C, H, W), and returns logits, (B, classes). which: `last` for the weights at
    the end of training; `best` for the weights at the end of the last epoch that had not collapsed. The code of a
    network of the user's own is run, from the copy in the folder.

    Raises: CheckpointError, if the run has no readable checkpoint of that kind; ConfigError, if a file is not one that
    `fastadv export RUN --weights FILE.safetensors` wrote, or if the code of the run has changed.
    """
    rundir = RunDir(Path(run_dir).expanduser())
    if rundir.path.is_file():
        return load_exported(rundir.path)
    try:
        state = load(rundir.best) if which == "best" else load_latest(rundir)[0]
    except FileNotFoundError:
        state = None
    if state is None:
        raise CheckpointError(
            f"{rundir.path} has no {which} checkpoint; a run writes its checkpoints from the end of its first epoch on"
        )
    config = trained_config(state)
    facts = decode(state["facts"], DatasetFacts) if "facts" in state else facts_of(config.dataset)
    model = build_network(config.model, facts, rundir.path)
    model.load_state_dict(state.get("averaged", state["model"]))
    return model.eval()
