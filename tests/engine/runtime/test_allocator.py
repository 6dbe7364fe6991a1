"""Whether a large block that is freed stays mapped, according to the kernel, in a process of its own."""

import os
import subprocess
import sys

import pytest

from tests.support.engine import ROOT

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator")

# Runs in a fresh process: prints whether the last byte of a freed block of 8 MB is still mapped.
# (Of a heap that is trimmed glibc keeps the first 128 kB.)
PROBE = """
import ctypes, sys
from pathlib import Path

def mapped(address):
    spans = [line.split()[0].split("-") for line in Path("/proc/self/maps").read_text().splitlines()]
    return any(int(low, 16) <= address < int(high, 16) for low, high in spans)

if "tuned" in sys.argv:
    from engine.runtime.allocator import tune_allocator
    tune_allocator()
c = ctypes.CDLL(None)
c.malloc.restype, c.malloc.argtypes, c.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
block = c.malloc(8 << 20)
c.free(block)  # at once: an allocation by Python in between would lie above the block and keep the heap from shrinking
print("kept" if mapped(block + (8 << 20) - 1) else "unmapped")
"""


def freed_block(*words: str, **environment: str) -> str:
    """Whether the freed block is `kept` for the next tensor of the same size, or `unmapped`."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("MALLOC_", "GLIBC_TUNABLES"))}
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *words],
        env={**clean, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_by_default_the_kernel_gets_a_freed_block_back() -> None:
    """Without this default there would be nothing to tune."""
    assert freed_block() == "unmapped"


def test_the_engine_keeps_a_freed_block() -> None:
    assert freed_block("tuned") == "kept"


@pytest.mark.parametrize(
    "environment",
    [{"MALLOC_MMAP_THRESHOLD_": "65536"}, {"GLIBC_TUNABLES": "glibc.malloc.mmap_threshold=65536"}],
    ids=["MALLOC_", "GLIBC_TUNABLES"],
)
def test_the_threshold_that_the_user_set_wins(environment: dict[str, str]) -> None:
    assert freed_block("tuned", **environment) == "unmapped"


def test_the_trim_threshold_that_the_user_set_wins() -> None:
    """The block then lies on the heap, and the free end of the heap goes back to the kernel."""
    assert freed_block("tuned", MALLOC_TRIM_THRESHOLD_="65536") == "unmapped"
