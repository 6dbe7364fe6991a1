"""Settings of OpenMP, which runs torch's threads on the CPU."""

import os

WAITING = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")  # environment variables: how waiting threads wait


def let_waiting_threads_sleep() -> None:
    """Make threads that wait for other threads sleep, unless the user has chosen. Call this before torch is imported.

    By default waiting threads spin. If another process is busy on the same cores, they take the processor time from
    the threads that they wait for: digits trained 20 times slower so.
    """
    if not any(name in os.environ for name in WAITING):
        os.environ["OMP_WAIT_POLICY"] = "PASSIVE"  # OpenMP reads its environment when torch loads it
