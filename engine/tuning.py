"""What the C library is told before a training begins."""

import ctypes
import sys

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4
LIMIT = 2**31 - 1
PAD = 64 << 20


def tune_allocator() -> None:
    """Keep what is freed for the next tensor of that size.

    By glibc's defaults every large tensor is mapped by the kernel, zeroed page by page as it is first written, and
    unmapped again: in each step, for each layer. Other systems are left alone.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, LIMIT)
        mallopt(M_TOP_PAD, PAD)
