"""`engine --export`: writes the trained network of a run in a form that other programs read."""

from pathlib import Path

import torch

from engine.config.errors import ConfigError, UserError
from engine.config.typed import decode
from engine.export.known import builder_of
from engine.export.onnx import check_onnx, onnx_file
from engine.export.source import standalone_source
from engine.export.trained import Trained, trained_network
from engine.export.weights import saved, weights_file
from engine.protocol.answers import answer, refuse, refuse_system_error
from engine.protocol.exit_code import ExitCode
from engine.protocol.files import FOR_ALL, write_atomic
from engine.protocol.requests import Exported, ExportRequest
from engine.protocol.rundir import RunDir

TOLERANCE = 1e-5  # largest difference of two logits between our network and the one of the written file


def export(request: bytes) -> int:
    """Answer an ExportRequest. `request` is JSON; returns the exit code."""
    try:
        answer(export_run(decode(request, ExportRequest)))
    except UserError as error:
        return refuse(str(error))
    except OSError as error:
        return refuse_system_error(error)
    return ExitCode.DONE


def export_run(asked: ExportRequest) -> Exported:
    """As `export`. Raises: UserError, OSError."""
    rundir = RunDir(Path(asked.run))
    path = rundir.best if asked.which == "best" else rundir.last
    if not path.exists():
        raise ConfigError(f"{rundir.id} has no {asked.which} checkpoint: {path} does not exist")
    if asked.form == "onnx":
        check_onnx()  # before torch reads the weights
    trained, out = trained_network(path), Path(asked.out)
    if asked.form == "weights":
        write_atomic(out, weights_file(trained, out.suffix.lower(), asked.dtype, rundir.id, asked.which), FOR_ALL)
    elif asked.form == "onnx":
        write_atomic(out, onnx_file(trained), FOR_ALL)
    else:
        _write_standalone(trained, out, asked)
    parameters = sum(value.numel() for value in trained.network.parameters())
    tensors = len(trained.network.state_dict())
    own = builder_of(trained.config.model.name) is not None
    return Exported(
        network=trained.config.model.name, own=own, parameters=parameters, tensors=tensors, step=trained.step
    )


def _write_standalone(trained: Trained, folder: Path, asked: ExportRequest) -> None:
    """Write `model.py` and `weights.pt`. Raises: ConfigError, if they do not compute what our network computes."""
    source = standalone_source(trained.config.model, trained.facts, asked.title, asked.about)
    write_atomic(folder / "model.py", source.encode(), FOR_ALL)
    write_atomic(folder / "weights.pt", saved(trained.network.state_dict()), FOR_ALL)
    names: dict[str, object] = {"__name__": "model", "__file__": str(folder / "model.py")}
    exec(compile(source, "model.py", "exec"), names)
    load = names["load"]
    assert callable(load)
    facts = trained.facts
    images = torch.rand(4, facts.channels, facts.height, facts.width, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        difference = float((load(folder / "weights.pt")(images) - trained.network(images)).abs().max())
    if not difference <= TOLERANCE:
        raise ConfigError(f"the written network gives other logits than the trained one (by {difference:.2g})")
