"""`engine --warm`: loads torch once, for the check of a run and for the run itself.

The process answers the question of `--check`. Then it waits until its supervisor names the run directory, which is made
only after the check, and goes on as the engine of this run.
"""

import importlib
import os
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress

from engine.commands.check import check
from engine.protocol.exit_code import ExitCode
from engine.protocol.handover import wait_for_run
from engine.protocol.rundir import RunDir
from engine.protocol.stop import die_with_parent
from engine.protocol.streams import release_questions

TRAINING = "engine.training.trainer"  # what the run needs besides torch


def check_and_wait(handle: int, on_gpu: bool) -> RunDir | int:
    """Answer a check, and wait for the run. handle: of the connection to the supervisor. on_gpu: as for `check`.

    Returns: the folder of the run; the exit code, if the run was refused, or no run comes.
    """
    request = sys.stdin.buffer.read()
    # CUDA reads which GPUs are visible once, when it starts, and the slot of the run is not known yet.
    code = _in_child(lambda: check(request, on_gpu=True)) if on_gpu else check(request)
    release_questions()
    if code:
        return code
    with suppress(Exception):  # the training reports it
        importlib.import_module(TRAINING)
    return wait_for_run(handle) or ExitCode.STOPPED


def _in_child(work: Callable[[], int]) -> int:
    """Do some work in a child process, which inherits torch. Returns the exit code of the work."""
    child = os.fork()
    if not child:
        code: int = ExitCode.FAILED
        try:
            die_with_parent(signal.SIGKILL)
            code = work()
        except BaseException:  # of any kind: a child of a fork must not go on as its parent
            traceback.print_exc()
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return code if code >= 0 else ExitCode.FAILED
