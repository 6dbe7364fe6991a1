"""The worker processes that decode images.

A worker writes pixels into memory that it shares with the engine. This memory is an anonymous mapping, made before the
fork. It is no file in /dev/shm, which is small in most containers. Requests and answers go through a pipe for each
worker: when a worker dies, its pipe ends, so the engine never waits for a worker that has gone.
"""

import errno
import mmap
import signal
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import cycle, islice
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import ForkProcess
from typing import Generic, NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from engine.config.errors import DataError, UserError
from engine.runtime.cores import usable_cores

MAX_WORKERS = 16
AHEAD = 2  # requests that a worker has at a time: it decodes one, and the other is finished or waits
PASSED_ON = (OSError, MemoryError, UserError)  # errors that a worker hands to the engine as they are
WAYS_OUT = {
    errno.EMFILE: "allow more open files with `ulimit -n`",
    errno.EAGAIN: "allow more processes with `ulimit -u`",
    errno.ENOMEM: "make memory free, or lower batch_size",
}

Request = TypeVar("Request")
Room = NDArray[np.uint8]  # the memory that one request is decoded into
Decode = Callable[[Request, Room], None]


class WorkersError(Exception):
    """No worker can be started. The message says why, and what helps."""


def workers_for(device: torch.device) -> int:
    """Processes that decode. GPU: one per core, but one core feeds the GPU. CPU: 1, as training needs all cores."""
    return 1 if device.type == "cpu" else max(1, min(usable_cores() - 1, MAX_WORKERS))


class _Worker(NamedTuple):
    """A worker as the engine sees it. rooms: its memory. Requests use the rooms in turn."""

    process: ForkProcess
    pipe: Connection
    rooms: Iterator[Room]


class WorkerPool(Generic[Request]):
    """Processes that decode. Leaving the context ends them.

    decode: decodes a request into a room of `room_bytes` bytes. The processes are forked, so that they share the lists
    that `decode` uses. A fork breaks OpenMP and CUDA; `decode` must use neither.

    Raises, when built: WorkersError.
    """

    def __init__(self, decode: Decode[Request], room_bytes: int, count: int) -> None:
        self._workers: list[_Worker] = []
        try:
            for _ in range(count):
                self._start(decode, [np.frombuffer(mmap.mmap(-1, room_bytes), np.uint8) for _ in range(AHEAD)])
        except OSError as error:
            self.end()
            way_out = WAYS_OUT.get(error.errno or 0, "see `fastadv doctor`")
            raise WorkersError(f"cannot start a process that decodes images ({error.strerror}); {way_out}") from None

    def _start(self, decode: Decode[Request], rooms: list[Room]) -> None:
        context = get_context("fork")
        ours, theirs = context.Pipe()
        with theirs:
            inherited = [ours, *(worker.pipe for worker in self._workers)]
            process = context.Process(target=_work, args=(theirs, inherited, decode, rooms), daemon=True)
            process.start()
        self._workers.append(_Worker(process, ours, cycle(rooms)))

    def decoded(self, requests: Iterator[Request]) -> Iterator[tuple[Request, Room]]:
        """Every request with the room that it was decoded into, in order. Asking for the next one frees the room.

        Raises: DataError, if a worker was killed; what `decode` raises.
        """
        asked: deque[tuple[_Worker, Request, Room]] = deque()
        for worker, request in zip(cycle(self._workers), islice(requests, AHEAD * len(self._workers)), strict=False):
            asked.append((worker, request, _send(worker, request)))
        while asked:
            worker, request, room = asked.popleft()
            _receive(worker)
            yield request, room
            for following in islice(requests, 1):
                asked.append((worker, following, _send(worker, following)))

    def end(self) -> None:
        for worker in self._workers:
            worker.process.kill()  # a worker has nothing to save
            worker.process.join()
            worker.process.close()
            worker.pipe.close()

    def __enter__(self) -> "WorkerPool[Request]":
        return self

    def __exit__(self, *_: object) -> None:
        self.end()


def decoded_here(
    decode: Decode[Request], room_bytes: int, requests: Iterator[Request]
) -> Iterator[tuple[Request, Room]]:
    """As `WorkerPool.decoded`, but in this process."""
    room = np.empty(room_bytes, np.uint8)
    for request in requests:
        decode(request, room)
        yield request, room


def _send(worker: _Worker, request: Request) -> Room:
    """Send a request. Returns the room that the worker decodes it into. Raises: DataError, if the worker was killed."""
    try:
        worker.pipe.send(request)
    except ConnectionError:
        raise _killed(worker) from None
    return next(worker.rooms)


def _receive(worker: _Worker) -> None:
    """Wait until the oldest request of a worker is decoded. Raises: DataError, if the worker was killed; its error."""
    try:
        problem = worker.pipe.recv()
    except (EOFError, ConnectionError):
        raise _killed(worker) from None
    if problem is not None:
        raise problem


def _killed(worker: _Worker) -> DataError:
    worker.process.join()
    code = worker.process.exitcode or 0
    why = f"signal {-code}" if code < 0 else f"exit code {code}"
    return DataError(f"a process that decodes images was killed, perhaps because memory ran out ({why})")


def _work(pipe: Connection, inherited: list[Connection], decode: Decode[Request], rooms: list[Room]) -> None:
    """The main function of a worker: decode requests until the engine has ended or closed the pipe.

    inherited: the engine's ends of the pipes. As long as a process has them open, its pipes do not end.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C reaches all processes of the terminal; the engine acts
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for connection in inherited:
        connection.close()
    torch.set_num_threads(1)  # more threads would need OpenMP
    with suppress(EOFError, ConnectionError):
        for room in cycle(rooms):
            pipe.send(_problem(decode, pipe.recv(), room))


def _problem(decode: Decode[Request], request: Request, room: Room) -> Exception | None:
    """Decode a request. Returns the error, if there is one, in a form that can be sent to another process."""
    try:
        decode(request, room)
    except PASSED_ON as error:
        return error
    except Exception:
        return RuntimeError(f"an error in a process that decodes images:\n{traceback.format_exc()}")
    return None
