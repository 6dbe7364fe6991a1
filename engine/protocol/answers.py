"""Write the answers of an engine command: one JSON object per line on standard output."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import BinaryIO

import msgspec

from engine.config.sendable import sendable
from engine.protocol.exit_code import ExitCode
from engine.protocol.requests import Refused

_output: BinaryIO | None = None  # for the answers; None for standard output


@contextmanager
def printing_elsewhere() -> Iterator[None]:
    """Inside the block, what other code prints goes to standard error, so that only answers are in the answers."""
    global _output
    _output = sys.stdout.buffer
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        _output = None


def answer(content: object) -> None:
    """Print one answer and flush it, because the other process waits for the answer.

    Raises: BrokenPipeError, if the other process has ended. The answer is then discarded.
    """
    output = _output or sys.stdout.buffer
    try:
        output.write(msgspec.json.encode(content) + b"\n")
        output.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), output.fileno())  # else Python complains again when it ends
        raise


def refuse_system_error(error: OSError) -> ExitCode:
    """Refuse because of an error of the system, such as of a disk. Returns the exit code for this answer."""
    return refuse(system_error_text(error))


def system_error_text(error: OSError) -> str:
    """An error of the system in one line, with the way out where there is one."""
    if "temporary directory" in str(error):  # Python found none; torch.compile and torchvision need one
        return f"{error.strerror}; make room in one of them, or set TMPDIR to another folder"
    return str(error)


def refuse(message: str) -> ExitCode:
    """Print a Refused answer with a one-line message for the user. Returns the exit code for this answer."""
    answer(Refused(message=sendable(message)))
    return ExitCode.REFUSED
