"""Settings of the C library's memory allocator, applied before a training or an evaluation begins."""

import ctypes
import os
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # numbers of the parameters of mallopt
MAX_TRIM_THRESHOLD = 2**31 - 1  # bytes; glibc practically never trims the heap
MAX_MMAP_THRESHOLD = 32 << 20  # bytes; glibc accepts no larger value


def tune_allocator() -> None:
    """Make glibc keep freed memory for the next tensor of the same size. Does nothing on systems other than Linux.

    By glibc's defaults, the kernel maps each large tensor, zeroes its pages as they are first written, and unmaps the
    tensor again. This happens in each step, for each layer. A threshold so high that no tensor is mapped was not
    faster, and took 10% more memory.

    A threshold that the user has set in the environment stays, because glibc has read it already.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is None:
        return
    if not _is_set("mmap_threshold"):
        mallopt(M_MMAP_THRESHOLD, MAX_MMAP_THRESHOLD)
    if not _is_set("trim_threshold"):
        mallopt(M_TRIM_THRESHOLD, MAX_TRIM_THRESHOLD)


def _is_set(name: str) -> bool:
    """Whether the user has set one of glibc's thresholds, by either of the two environment variables."""
    return f"MALLOC_{name.upper()}_" in os.environ or f"glibc.malloc.{name}=" in os.environ.get("GLIBC_TUNABLES", "")
