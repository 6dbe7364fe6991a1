"""What the C library is told before a training begins."""

import ctypes
import os
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
NEVER = 2**31 - 1  # bytes
LARGEST = 32 << 20  # bytes; glibc takes no more


def tune_allocator() -> None:
    """Keep what is freed for the next tensor of that size.

    By glibc's defaults large tensors are mapped by the kernel, zeroed page by page as they are first written, and
    unmapped again: in each step, for each layer. Other systems are left alone. (To map nothing at all was no faster
    here, and took a tenth more memory.)

    A threshold that the user has set in the environment stays: glibc has read it, and is not told another one.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is None:
        return
    if not _is_set("mmap_threshold"):
        mallopt(M_MMAP_THRESHOLD, LARGEST)
    if not _is_set("trim_threshold"):
        mallopt(M_TRIM_THRESHOLD, NEVER)


def _is_set(name: str) -> bool:
    """Whether the user has set one of glibc's thresholds, in either of its two ways."""
    return f"MALLOC_{name.upper()}_" in os.environ or f"glibc.malloc.{name}=" in os.environ.get("GLIBC_TUNABLES", "")
