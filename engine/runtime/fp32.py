"""Whether fp32 is computed in fp32. GPUs may round the inputs of convolutions and matrix products to TF32.

TF32 has 10 bits of mantissa, fp32 has 23. torch has two groups of switches: the old `allow_tf32` with
`set_float32_matmul_precision`, and since version 2.9 `fp32_precision` of each backend. A reader of an old switch gets a
RuntimeError while the two groups disagree, so the functions here keep them in agreement.
"""

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import torch
from torch import backends

from engine.config.errors import ConfigError

FORCED = "NVIDIA_TF32_OVERRIDE"  # NVIDIA's libraries read it; no function of torch can undo it
IEEE = "ieee"
_CUDA = ((backends.cudnn, "conv"), (backends.cudnn, "rnn"), (backends.cuda, "matmul"))
_CPU = ((backends.mkldnn, "conv"), (backends.mkldnn, "rnn"), (backends.mkldnn, "matmul"))
_PARTS: tuple[tuple[Any, str], ...] = (*_CUDA, *_CPU)


@contextlib.contextmanager
def full_fp32() -> Iterator[None]:
    """Inside the block, fp32 is IEEE fp32 on every device, whatever switch or environment variable allows less."""
    old, new = _old_switches(), {switch: switch.fp32_precision for switch in _new_switches()}
    backends.cudnn.allow_tf32 = False
    torch.set_float32_matmul_precision("highest")
    for switch in new:
        switch.fp32_precision = IEEE
    try:
        yield
    finally:
        conv, products = old
        if conv is not None:
            backends.cudnn.allow_tf32 = conv
        if products is not None:
            torch.set_float32_matmul_precision(products)
        for switch, value in new.items():  # last: writing an old switch writes the new ones, too
            switch.fp32_precision = value


def check_fp32(device: torch.device) -> None:
    """Raises: ConfigError, if the environment forces fp32 on a GPU into TF32."""
    if device.type == "cuda" and os.environ.get(FORCED, "0") != "0":
        raise ConfigError(
            f"{FORCED}={os.environ[FORCED]} turns fp32 on GPUs into TF32, which falsifies accuracies: unset {FORCED}"
        )


def tf32_uses(device: torch.device) -> list[str]:
    """What a device computes in TF32 although fp32 was asked for: `convolutions`, `matrix products`, both or none."""
    if device.type != "cuda" or torch.cuda.get_device_capability(device) < (8, 0):
        return []
    conv, products = _old_switches()
    new = [getattr(getattr(backend, part, None), "fp32_precision", None) for backend, part in (_CUDA[0], _CUDA[2])]
    allowed = conv, products is not None and products != "highest"
    return [
        use
        for use, old, value in zip(("convolutions", "matrix products"), allowed, new, strict=True)
        if (old if value is None else value == "tf32")
    ]


def _old_switches() -> tuple[bool | None, str | None]:
    """Whether cuDNN may use TF32, and the precision of matrix products. None where the new switches disagree."""
    conv = products = None
    with contextlib.suppress(RuntimeError):
        conv = backends.cudnn.allow_tf32
    with contextlib.suppress(RuntimeError):
        products = torch.get_float32_matmul_precision()
    return conv, products


def _new_switches() -> list[Any]:
    """The objects with a `fp32_precision`, of convolutions, recurrent layers and matrix products. None before 2.9."""
    parts = (getattr(backend, part, None) for backend, part in _PARTS)
    return [part for part in parts if hasattr(part, "fp32_precision")]
