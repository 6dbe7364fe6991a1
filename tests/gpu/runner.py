"""Does checks in processes that may crash or hang, within a bounded time."""

import os
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from multiprocessing import get_context

from tests.gpu.registry import Check, Machine
from tests.gpu.worker import Outcome, Ready, serve
from tests.support.processes import TOKEN, kill_all, with_token
from tests.support.waiting import seconds

START_SECONDS = 120.0  # longest wait for a process that loads torch
KILL_SECONDS = 10.0  # longest wait for a killed process, which may hang in a driver
SPAWN = get_context("spawn")  # a fork of a process with CUDA cannot use CUDA


class RefusedError(Exception):
    """No check can be done. The message says why and what helps."""


class WorkerEnded(Exception):  # noqa: N818  # a check is told to fail by it, and the command goes on
    """The process of a check has ended, or was killed. The message says how, in words."""


class Worker:
    """A process that does checks. Whatever it starts carries a token of its own, and ends with it."""

    def __init__(self, module: str, machine: Machine, environment: Mapping[str, str], patience: float) -> None:
        """patience: seconds that it may take to start. Raises: RefusedError; WorkerEnded."""
        self._token = ".".join(filter(None, (os.environ.get(TOKEN), uuid.uuid4().hex)))
        self._pipe, theirs = SPAWN.Pipe()
        variables = {**environment, TOKEN: self._token}
        self._process = SPAWN.Process(target=serve, args=(theirs, module, machine, variables))
        self._process.start()
        theirs.close()
        ready = self._answer(patience)
        assert isinstance(ready, Ready)
        self.facts = ready.facts
        if ready.refused:
            self.end()
            raise RefusedError(ready.refused)

    def do(self, number: int, timeout: float) -> Outcome:
        """Do a check; timeout: in seconds. Raises: WorkerEnded."""
        self._pipe.send(number)
        outcome = self._answer(timeout)
        assert isinstance(outcome, Outcome)
        return outcome

    def end(self) -> None:
        """End the process and all that it has started."""
        self._pipe.close()
        self._process.join(2.0)
        self._kill()

    def _answer(self, timeout: float) -> object:
        try:
            if self._pipe.poll(timeout):
                return self._pipe.recv()
        except (EOFError, ConnectionError):
            self._process.join()
            code = self._process.exitcode or 0
            self._kill()
            raise WorkerEnded(f"its process died: {f'signal {-code}' if code < 0 else f'exit code {code}'}") from None
        self._kill()
        raise WorkerEnded(f"it took longer than {timeout:.0f} s")

    def _kill(self) -> None:
        if self._process.is_alive():
            self._process.kill()
        self._process.join(KILL_SECONDS)
        kill_all(lambda: [process for process in with_token(self._token) if process.pid != os.getpid()])


class Runner:
    """Does checks one after another. end: when all must be done, on the monotonic clock."""

    def __init__(self, module: str, machine: Machine, end: float) -> None:
        self._module, self._machine, self._end = module, machine, end
        self._shared: Worker | None = None  # does all checks that need no process of their own
        self._alone: Worker | None = None  # does one check
        self.facts: dict[str, str] = {}

    def run(self, checks: Iterable[Check], tell: Callable[[Outcome], None]) -> list[Outcome]:
        """Do the checks. tell: called with each outcome. Raises: RefusedError, if no check can be done."""
        outcomes = []
        try:
            for check in checks:
                outcomes.append(self._outcome(check))
                tell(outcomes[-1])
        finally:
            self._end_alone()
            self._end_shared()
        return outcomes

    def _outcome(self, check: Check) -> Outcome:
        left, needed = self._end - time.monotonic(), check.expected(self._machine)
        if left < needed:
            reason = f"it takes about {needed:.0f} s, and {max(left, 0):.0f} s are left of --minutes"
            return Outcome(check.number, check.name, "skip", reason=reason)
        begun = time.monotonic()
        allowed = seconds(check.timeout(self._machine))
        try:
            worker = self._worker(check)
            self.facts = self.facts or worker.facts
            outcome = worker.do(check.number, min(allowed, max(self._end - time.monotonic(), 0.1)))
        except WorkerEnded as ended:
            if check.alone:
                self._alone = None
            else:
                self._shared = None
            over = time.monotonic() >= self._end
            reason = "cut off: the time of --minutes is over" if over else str(ended)
            took = round(time.monotonic() - begun, 2)
            return Outcome(check.number, check.name, "skip" if over else "FAIL", took, reason)
        self._end_alone()
        if outcome.traceback:  # an error may have broken the device for this process
            self._end_shared()
        return outcome

    def _worker(self, check: Check) -> Worker:
        if check.alone:
            self._alone = self._started(check.environment)
            return self._alone
        if self._shared is None:
            self._shared = self._started({})
        return self._shared

    def _started(self, environment: Mapping[str, str]) -> Worker:
        patience = min(seconds(START_SECONDS), max(self._end - time.monotonic(), 0.1))
        return Worker(self._module, self._machine, environment, patience)

    def _end_alone(self) -> None:
        if self._alone is not None:
            self._alone.end()
            self._alone = None

    def _end_shared(self) -> None:
        if self._shared is not None:
            self._shared.end()
            self._shared = None
