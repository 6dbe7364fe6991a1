"""The standard streams of a process that goes on after it has answered a question."""

import os
from pathlib import Path


def release_questions() -> None:
    """Let go of standard input and standard output. Who asked a question there reads to the end of the output."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1):
        os.dup2(nothing, stream)
    os.close(nothing)


def write_to_log(log: Path) -> None:
    """Append standard output and standard error to a log from now on. Raises: OSError."""
    with log.open("ab") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
