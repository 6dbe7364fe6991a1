"""The reaper: `python -m tests.support.reaper PID TOKEN` kills all processes with a token once process PID has gone.

It is there for a pytest that is killed itself and so cannot clean up. It leaves the process tree of pytest, because
some tests count their children.
"""

import os
import subprocess
import sys
import time

import psutil

from tests.support.processes import ROOT, kill_all, with_token

LOOKS = 0.2  # seconds between two looks at pytest


def start(token: str) -> None:
    """Start the reaper of this process, in a session of its own."""
    command = [sys.executable, "-m", "tests.support.reaper", str(os.getpid()), token]
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run(command, cwd=ROOT, check=True, start_new_session=True, **quiet)


def main(pid: int, token: str) -> None:
    watched = _living(pid)
    if os.fork():  # the parent ends at once: pytest has no child
        return
    while watched is not None and watched.is_running() and watched.status() != psutil.STATUS_ZOMBIE:
        time.sleep(LOOKS)
    kill_all(lambda: with_token(token))


def _living(pid: int) -> psutil.Process | None:
    try:
        return psutil.Process(pid)
    except psutil.NoSuchProcess:
        return None


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
