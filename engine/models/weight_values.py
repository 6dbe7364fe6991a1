"""Tells whether a tensor can be weights: dense floating-point numbers that are finite in fp32."""

import torch
from torch import Tensor

FLOATS = (torch.float64, torch.float32, torch.float16, torch.bfloat16)


def fault(name: str, value: Tensor) -> str:
    """Why a tensor cannot be the weights or the statistics of this name, with the way out; "" if it can.

    torch would copy the values of most other kinds without a word, such as the codes of quantized weights.
    """
    if value.is_meta:
        return f"the tensor {name} has no values; save the weights from the device that holds them"
    if value.layout != torch.strided:
        return f"the tensor {name} is sparse; save its to_dense() instead"
    if value.dtype not in FLOATS:
        kind = str(value.dtype).removeprefix("torch.")
        return f"the tensor {name} holds {kind} values, not fp32, fp16 or bf16; save the weights before quantization"
    if not bool(value.float().isfinite().all()):
        return f"the tensor {name} holds NaN or infinity; use weights from before the training diverged"
    if name.endswith("running_var") and bool((value < 0).any()):
        return f"the tensor {name} holds negative variances; the file is damaged, so download or copy it again"
    return ""


def same(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors of one shape hold the same weights."""
    kinds = one.dtype, one.layout, one.device
    return kinds == (other.dtype, other.layout, other.device) and not fault("", one) and torch.equal(one, other)
