"""Writes a network as ONNX, for onnxruntime and other programs."""

import contextlib
import io
import warnings
from collections.abc import Iterator
from importlib.util import find_spec

import torch

from engine.config.errors import ConfigError
from engine.export.trained import Trained

OPSET = 18  # the version of ONNX's operators that torch writes best, and that onnxruntime has read since 2022
NEEDED = ("onnx", "onnxscript")  # torch writes ONNX with them


def check_onnx() -> None:
    """Raises: ConfigError, if a package that torch needs is missing."""
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        raise ConfigError(f"ONNX needs {' and '.join(missing)}: pip install 'fastadv[onnx]'")


def onnx_file(trained: Trained) -> bytes:
    """The content of a `.onnx` file: input `images` in [0,1], (batch, C, H, W); output `logits`, (batch, classes).

    The batch may have any size. The weights are in the file.

    Raises: ConfigError, if packages are missing, or torch cannot write this network.
    """
    check_onnx()
    facts = trained.facts
    images = torch.rand(2, facts.channels, facts.height, facts.width)
    try:
        with _quiet():
            program = torch.onnx.export(
                trained.network,
                (images,),
                input_names=["images"],
                output_names=["logits"],
                dynamic_shapes=({0: torch.export.Dim("batch")},),
                opset_version=OPSET,
                dynamo=True,
                verbose=False,
            )
    except Exception as error:  # torch, onnx and onnxscript raise what they like
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise ConfigError(f"torch cannot write {trained.config.model.name} as ONNX ({reason})") from None
    assert program is not None
    return bytes(program.model_proto.SerializeToString())


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """torch prints what it does, also to standard output, which carries our answers."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield
