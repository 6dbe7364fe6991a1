"""The process that does checks, one after another, as another process asks for them."""

import importlib
import os
import signal
import sys
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

from engine.runtime.garbage import postpone_garbage_collection, resume_garbage_collection
from engine.runtime.gpu_order import count_gpus_by_bus
from tests.gpu.registry import CHECKS, Finding, Findings, Machine, Skip, Status


@dataclass(frozen=True)
class Outcome:
    """How a check ended. reason: why it was skipped or failed, in one line; empty if its figures say it."""

    number: int
    name: str
    status: Status
    seconds: float = 0.0
    reason: str = ""
    findings: tuple[Finding, ...] = ()
    traceback: str = ""


@dataclass(frozen=True)
class Ready:
    """What a worker says first. facts: of the machine. refused: why no check can be done; empty if some can."""

    facts: dict[str, str] = field(default_factory=dict)
    refused: str = ""


def serve(pipe: Connection, module: str, machine: Machine, environment: Mapping[str, str]) -> None:
    """Send Ready, then an Outcome for each number that is received, until the other process closes the pipe.

    module: registers the checks when it is imported, and has `why_refused` and `facts` (see facts.py).
    environment: variables to set before torch is loaded.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C reaches both processes; the other one acts
    os.environ.update(environment)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # the last line of standard output is the JSON of the command
    pipe.send(_ready(module, machine))
    while True:
        try:
            number = pipe.recv()
        except EOFError:
            return
        pipe.send(do(number, machine))


def _ready(module: str, machine: Machine) -> Ready:
    try:
        postpone_garbage_collection()
        count_gpus_by_bus()  # before torch is loaded
        checks = importlib.import_module(module)
        resume_garbage_collection()
        refused = checks.why_refused(machine)
        return Ready(refused=refused) if refused else Ready(checks.facts(machine))
    except Exception as error:
        traceback.print_exc()
        return Ready(refused=f"the checks cannot be loaded: {type(error).__name__}: {one_line(error)}")


def do(number: int, machine: Machine) -> Outcome:
    """Do a check in this process. Whatever it raises becomes a part of the outcome."""
    check, findings, begun = CHECKS[number], Findings(), time.monotonic()

    def outcome(status: Status, reason: str = "", trace: str = "") -> Outcome:
        seconds = round(time.monotonic() - begun, 2)
        return Outcome(number, check.name, status, seconds, reason, tuple(findings.found), trace)

    try:
        if check.needs_gpu and not machine.gpu:
            raise Skip(check.on_cpu)
        check.work(machine, findings)
        _clear_the_device(machine)
    except Skip as skip:
        return outcome("skip", str(skip))
    except Exception as error:
        return outcome("FAIL", f"{type(error).__name__}: {one_line(error)}", traceback.format_exc())
    if not findings.found:
        return outcome("FAIL", "the check found no figure")
    return outcome("FAIL" if any(finding.status == "FAIL" for finding in findings.found) else "ok")


def _clear_the_device(machine: Machine) -> None:
    """Raise the error of a kernel here, and not in the next check. Leave the GPU's memory to the next one."""
    torch: Any = sys.modules.get("torch")
    if machine.gpu and torch is not None and torch.cuda.is_initialized():
        torch.cuda.synchronize()
        torch.cuda.empty_cache()


def one_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0]
