"""Settings of OpenMP, which runs torch's threads on the CPU."""

import os

WAITING = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")  # environment variables: how waiting threads wait
SPINS = "1000"  # of GNU's OpenMP: some 20 to 50 microseconds


def let_waiting_threads_sleep() -> None:
    """Make threads that wait for other threads sleep soon, unless the user has chosen. Call this before torch loads.

    By default waiting threads spin for long. If another process is busy on the same cores, they take the processor
    time from the threads that they wait for: digits trained 20 times slower so. Threads that sleep at once made small
    networks slower on a quiet machine, digits by 40%. A short spin costs neither: `tests/benchmarks/busy.py`.
    """
    if not any(name in os.environ for name in WAITING):
        # OpenMP reads its environment when torch loads it. The count is for GNU's OpenMP, the policy for all others.
        os.environ.update(OMP_WAIT_POLICY="PASSIVE", GOMP_SPINCOUNT=SPINS)
