"""Messages with open files on a socket pair: a process that was started before its run learns which run it is for."""

import os
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct

from engine.config.typed import decode
from engine.protocol.rundir import RunDir
from engine.protocol.streams import write_to_log

MAX_BYTES = 1 << 16  # of a message
MAX_HANDLES = 2  # open files that come with a message
Message = TypeVar("Message", bound=Struct)


class GoAhead(Struct, frozen=True, kw_only=True):
    """To an engine that waits: the folder of its run, and the environment variables of its slot.

    The locks of the slot and of the run come with the message. The engine holds both until it ends.
    """

    folder: str
    environment: dict[str, str]


def send(connection: socket.socket, message: Struct, handles: Sequence[int]) -> None:
    """Send a message with open files. Raises: OSError, if the other process has ended."""
    socket.send_fds(connection, [msgspec.json.encode(message)], handles)


def receive(connection: socket.socket, kind: type[Message]) -> tuple[Message, list[int]] | None:
    """Wait for a message and its open files; None if the other process has ended or closed the connection."""
    content, handles, _, _ = socket.recv_fds(connection, MAX_BYTES, MAX_HANDLES)
    return (decode(content, kind), handles) if content else None


def wait_for_run(handle: int) -> RunDir | None:
    """Wait for the go-ahead of the supervisor; None if it has ended. handle: of the connection to the supervisor.

    The environment variables are set then, and the output goes to the log of the run. Raises: OSError.
    """
    with socket.socket(fileno=handle) as connection:
        received = receive(connection, GoAhead)
    if received is None:
        return None
    go, _ = received  # the locks stay open until this process ends
    os.environ.update(go.environment)
    rundir = RunDir(Path(go.folder))
    write_to_log(rundir.log)
    return rundir
