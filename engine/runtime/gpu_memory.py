"""The memory of a GPU: how much a process has needed, and what to do when it is full.

torch's expandable segments stay as the user has set them, off by default. They help where sizes change, which here they
do between phases only, and a step that is captured takes its memory apart: torch has kept them out of CUDA graphs in
some versions, because of errors. A user's PYTORCH_CUDA_ALLOC_CONF reaches the run.
"""

import contextlib
from collections.abc import Iterator

import torch

from engine.config.errors import UserError

FULL = ("CUDA out of memory", "CUDA error: out of memory", "STATUS_ALLOC_FAILED")  # in messages of torch and its parts

OTHERS = "close other programs that use the GPU, or choose another device"  # advice where no setting helps


class GpuMemoryError(UserError):
    """The memory of the GPU is full. The message is one line with its size and what to do."""


def peak(device: torch.device) -> int:
    """Most bytes of a GPU's memory that this process has held at once; 0 for a CPU.

    Memory counts that torch keeps for later tensors: another process cannot have it. The context of CUDA, some hundreds
    of MB, does not count. Does not wait for the device.
    """
    return torch.cuda.max_memory_reserved(device) if device.type == "cuda" else 0


@contextlib.contextmanager
def explaining_full_memory(advice: str) -> Iterator[None]:
    """Turn the error of a full GPU within the block into one line. advice: what to do, the end of the line.

    Raises: GpuMemoryError.
    """
    try:
        yield
    except RuntimeError as error:
        if not is_full(error):
            raise
        raise GpuMemoryError(f"out of GPU memory{_size()}: {advice}") from error


def smaller_part(images: int) -> str:
    """Advice for a training step that had `images` images at once in memory."""
    if images < 2:
        return "a single image does not fit; use a smaller network or image size, or another device"
    return f"{images} images at once do not fit; start a new run with --set micro_batch={images // 2}"


def smaller_evaluation(images: int, follows_micro_batch: bool) -> str:
    """Advice for an evaluation of `images` images at once. follows_micro_batch: whether micro_batch lowers them."""
    if follows_micro_batch:
        return smaller_part(images)
    return f"an evaluation of {images} images at once does not fit; {OTHERS}"


def is_full(error: RuntimeError) -> bool:
    """Whether an error says that the memory of a GPU is full."""
    return isinstance(error, torch.OutOfMemoryError) or any(text in str(error) for text in FULL)


def _size() -> str:
    with contextlib.suppress(RuntimeError, AssertionError):  # a device that is gone, or a torch without CUDA
        return f" ({torch.cuda.get_device_properties(torch.cuda.current_device()).total_memory / 1e9:.1f} GB)"
    return ""
