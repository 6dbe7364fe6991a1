"""Checks that end in every way, for the tests of the processes that do checks. They load no torch."""

import os
import signal
import subprocess
import sys
import time
from typing import Any

from tests.gpu.registry import Findings, Machine, Skip, check

QUICK: dict[str, Any] = {"seconds": 0.1, "cpu_seconds": 0.1, "on_cpu": "the same"}
SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]
NEVER = 600.0  # seconds, longer than any of these tests


def why_refused(machine: Machine) -> str:
    return "there is no GPU here" if machine.gpu else ""


def facts(machine: Machine) -> dict[str, str]:
    return {"device": machine.device, "commit": "abc"}


@check(1, "good", **QUICK)
def good(machine: Machine, findings: Findings) -> None:
    print("a library that writes to standard output")
    findings.at_most("one", 1, 2)
    findings.info("pid", str(os.getpid()))


@check(2, "beyond its limit", **QUICK)
def beyond(machine: Machine, findings: Findings) -> None:
    findings.at_least("apples", 3, 2)
    findings.at_most("pears", 3, 2)


@check(3, "raises", **QUICK)
def raises(machine: Machine, findings: Findings) -> None:
    findings.info("before", 1)
    raise ValueError("no such thing\nand a long story")


@check(4, "hangs", **QUICK, longest=1.0)
def hangs(machine: Machine, findings: Findings) -> None:
    time.sleep(NEVER)


@check(5, "kills its process", **QUICK)
def kills(machine: Machine, findings: Findings) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@check(6, "skips itself", **QUICK)
def skips(machine: Machine, findings: Findings) -> None:
    raise Skip("no such part in this version")


@check(7, "needs a GPU", seconds=1, cpu_seconds=0, on_cpu="needs a GPU", needs_gpu=True)
def needs_gpu(machine: Machine, findings: Findings) -> None:
    findings.holds("never done", False)


@check(8, "alone", **QUICK, environment={"FASTADV_TOY": "seen"})
def alone(machine: Machine, findings: Findings) -> None:
    findings.equal("the variable", os.environ.get("FASTADV_TOY"), "seen")
    findings.info("pid", str(os.getpid()))


@check(9, "finds nothing", **QUICK)
def nothing(machine: Machine, findings: Findings) -> None:
    pass


@check(10, "leaves a process", **QUICK)
def leaves(machine: Machine, findings: Findings) -> None:
    findings.info("pid", str(subprocess.Popen(SLEEP, start_new_session=True).pid))


@check(11, "good again", **QUICK)
def good_again(machine: Machine, findings: Findings) -> None:
    findings.equal("the variable", os.environ.get("FASTADV_TOY"), None)
    findings.slow_above("seconds", 3.0, 2.0)
    findings.info("pid", str(os.getpid()))


@check(12, "takes long", seconds=NEVER, cpu_seconds=NEVER, on_cpu="the same")
def long(machine: Machine, findings: Findings) -> None:
    findings.holds("never done in the tests", False)


@check(13, "outlasts the time", **QUICK)
def outlasts(machine: Machine, findings: Findings) -> None:
    time.sleep(NEVER)


@check(14, "kills a process of its own", **QUICK, alone=True)
def kills_own(machine: Machine, findings: Findings) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@check(15, "good at last", **QUICK)
def good_at_last(machine: Machine, findings: Findings) -> None:
    findings.info("pid", str(os.getpid()))
