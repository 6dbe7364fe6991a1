"""The command line as a shell starts it."""

import subprocess
import sys
from pathlib import Path

from engine.protocol.rundir import RunDir
from fastadv_tui.runs.state import load
from tests.support.waiting import seconds, wait_until

FASTADV = [sys.executable, "-P", "-m", "fastadv_tui"]
QUICK = ["--epochs", "1", "--set", "model.width=4", "--set", "watch.images=50", "--eval", "pgd-2"]
LONG = ["--epochs", "1000", "--set", "model.width=4", "--eval", "none"]


def fastadv(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([*FASTADV, *words], capture_output=True, text=True, timeout=seconds(120))


def start(*words: str) -> "subprocess.Popen[str]":
    return subprocess.Popen([*FASTADV, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def only_run(home: Path) -> RunDir:
    (folder,) = (home / "runs").iterdir()
    return RunDir(folder)


def wait_for_steps(home: Path) -> RunDir:
    """The only run, once it has trained three steps."""
    wait_until(lambda: [*(home / "runs").glob("[!.]*")])  # a hidden folder is a run that is being created
    rundir = only_run(home)
    wait_until(lambda: load(rundir).step >= 3, timeout=60)
    return rundir
