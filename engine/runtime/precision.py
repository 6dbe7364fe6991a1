"""The precision of a run: autocast to bf16 or fp16 where the device has it natively, else fp32."""

import torch

from engine.runtime.fp32 import tf32_uses

NATIVE_BF16 = (8, 0)  # the compute capability from which on a GPU calculates in bf16
DTYPES = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}


def choose(precision: str, device: torch.device) -> tuple[str, str]:
    """The precision to use, and the reason. `auto` takes bf16 where it is native, else fp16 on CUDA, else fp32."""
    if precision != "auto":
        return precision, "as requested"
    if device.type == "cuda":
        if torch.cuda.get_device_capability(device) >= NATIVE_BF16:
            return "bf16", "native on this GPU"
        return "fp16", "this GPU has no native bf16"
    if _cpu_has_bf16():
        return "bf16", "native on this processor"
    return "fp32", "this processor has no native bf16"


def in_words(precision: str, device: torch.device) -> str:
    """A precision as users read it: `bf16`, or `fp32 (tf32 convolutions)` on a GPU that rounds so.

    Training in fp32 keeps torch's own choice, TF32 convolutions on GPUs that have them: IEEE convolutions are several
    times slower there. So the name says it. Evaluations are in IEEE fp32 (see `full_fp32`).
    """
    uses = tf32_uses(device) if precision == "fp32" else []
    return f"{precision} (tf32 {' and '.join(uses)})" if uses else precision


def emulated(key: str, precision: str, device: torch.device) -> list[str]:
    """A note if a setting asks for bf16 on a GPU without it: torch emulates it there, without an error, slowly."""
    if precision != "bf16" or device.type != "cuda" or torch.cuda.get_device_capability(device) >= NATIVE_BF16:
        return []
    return [f"{key} = bf16: this GPU has no native bf16 and emulates it slowly; `--set {key}=auto` takes fp16"]


def _cpu_has_bf16() -> bool:
    """torch.cpu has no public function for this. Without the private function the answer is no: slower, but safe."""
    probe = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return bool(probe and probe())
