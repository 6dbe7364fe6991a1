"""Several processes that copy images, which end with the one that started them, however that ends."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from multiprocessing import connection, get_context, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess

from engine.data.prepare.copy import CopyError, Report, Task, perform
from engine.protocol.stop import die_with_parent

LOOK_EVERY = 0.1  # seconds between looks whether to stop
NOT_FOR_WORKERS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}  # a terminal's Ctrl-C reaches them too


class WorkerPool:
    """Processes to give tasks to."""

    def __init__(self, workers: int) -> None:
        context = get_context("spawn")  # a fork would inherit the others' pipes, and so outlive us
        resource_tracker.ensure_running()  # or the first process starts it, which unblocks signals
        before = signal.pthread_sigmask(signal.SIG_BLOCK, NOT_FOR_WORKERS)  # inherited, from their first moment on
        try:
            self._members = dict(_start(context.Pipe(), context.Process) for _ in range(workers))
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def perform(self, tasks: Iterator[Task], check: Callable[[], None]) -> Iterator[Report]:
        """The reports of all tasks, as they come. Raises: CopyError, and whatever `check` raises."""
        busy: set[Connection] = set()
        for pipe in self._members:
            self._give(pipe, tasks, busy)
        while busy:
            check()
            for ready in connection.wait(list(busy), timeout=LOOK_EVERY):
                assert isinstance(ready, Connection)
                busy.discard(ready)
                yield self._received(ready)
                self._give(ready, tasks, busy)

    def end(self) -> None:
        """Have everybody end after the image at hand, and wait for it."""
        for pipe in self._members:
            pipe.close()
        for process in self._members.values():
            process.join()

    def _give(self, pipe: Connection, tasks: Iterator[Task], busy: set[Connection]) -> None:
        task = next(tasks, None)
        if task is not None:
            with suppress(BrokenPipeError):  # it died: what is received says so
                pipe.send(task)
            busy.add(pipe)

    def _received(self, pipe: Connection) -> Report:
        try:
            answer = pipe.recv()
        except (EOFError, ConnectionResetError):
            process = self._members[pipe]
            process.join()
            code = process.exitcode or 0
            why = f"signal {-code}" if code < 0 else f"exit code {code}"
            raise CopyError(
                f"a worker died ({why}; is memory short?); the same command goes on from here, "
                "with fewer --workers if need be"
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


def _work(pipe: Connection, boss: int) -> None:
    """A worker's life: tasks in, reports out, until the pipe is closed."""
    die_with_parent(signal.SIGKILL)
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while os.getppid() == boss:
            task = pipe.recv()
            try:
                report = perform(task, pipe.poll)  # nothing comes while it works but the end
            except CopyError as error:
                pipe.send(error)
            else:
                pipe.send(report)
