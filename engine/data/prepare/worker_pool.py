"""Worker processes that copy images. They end when their parent process ends, even if it is killed."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from multiprocessing import connection, get_context, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess

from engine.data.prepare.copy import CopyError, Report, Task, perform
from engine.protocol.stop import die_with_parent

CHECK_EVERY = 0.1  # seconds between checks for a request to stop
# Blocked in workers: a Ctrl-C reaches all processes of the terminal, but only the parent acts on it.
BLOCKED_SIGNALS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}


class WorkerPool:
    """Processes that perform tasks. Leaving the context ends them."""

    def __init__(self, workers: int) -> None:
        context = get_context("spawn")  # a forked worker would inherit the other pipes, and so outlive its parent
        resource_tracker.ensure_running()  # else the first worker's start does this and unblocks signals
        before = signal.pthread_sigmask(signal.SIG_BLOCK, BLOCKED_SIGNALS)  # workers inherit this from their start on
        try:
            self._processes = dict(_start(context.Pipe(), context.Process) for _ in range(workers))
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def perform(self, tasks: Iterator[Task], check: Callable[[], None]) -> Iterator[Report]:
        """The reports of all tasks, in the order of completion. Raises: CopyError, and whatever `check` raises."""
        busy: set[Connection] = set()
        for pipe in self._processes:
            self._send_task(pipe, tasks, busy)
        while busy:
            check()
            for ready in connection.wait(list(busy), timeout=CHECK_EVERY):
                assert isinstance(ready, Connection)
                busy.discard(ready)
                yield self._receive(ready)
                self._send_task(ready, tasks, busy)

    def end(self) -> None:
        """Let each worker finish its current image and end; wait until all have ended."""
        for pipe in self._processes:
            pipe.close()
        for process in self._processes.values():
            process.join()

    def _send_task(self, pipe: Connection, tasks: Iterator[Task], busy: set[Connection]) -> None:
        task = next(tasks, None)
        if task is not None:
            with suppress(BrokenPipeError):  # the worker died: `_receive` reports it
                pipe.send(task)
            busy.add(pipe)

    def _receive(self, pipe: Connection) -> Report:
        try:
            answer = pipe.recv()
        except (EOFError, ConnectionResetError):
            process = self._processes[pipe]
            process.join()
            code = process.exitcode or 0
            why = f"signal {-code}" if code < 0 else f"exit code {code}"
            raise CopyError(
                f"a worker died ({why}); run the same command again to continue, with fewer --workers if memory ran out"
            ) from None
        if isinstance(answer, CopyError):
            raise answer
        assert isinstance(answer, Report)
        return answer

    def __enter__(self) -> "WorkerPool":
        return self

    def __exit__(self, *_: object) -> None:
        self.end()


def _start(pipe: tuple[Connection, Connection], make: type[SpawnProcess]) -> tuple[Connection, SpawnProcess]:
    ours, theirs = pipe
    process = make(target=_work, args=(theirs, os.getpid()), daemon=True)
    process.start()
    theirs.close()
    return ours, process


def _work(pipe: Connection, parent: int) -> None:
    """The main function of a worker: receive tasks and send reports, until the pipe is closed."""
    die_with_parent(signal.SIGKILL)
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while os.getppid() == parent:
            task = pipe.recv()
            try:
                report = perform(task, pipe.poll)  # during a task the pipe becomes readable only when it is closed
            except CopyError as error:
                pipe.send(error)
            else:
                pipe.send(report)
