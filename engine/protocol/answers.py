"""Write the answers of an engine command: one JSON object per line on standard output."""

import sys

import msgspec

from engine.config.sendable import sendable
from engine.protocol.exit_code import ExitCode
from engine.protocol.requests import Refused


def answer(content: object) -> None:
    """Print one answer and flush it, because the other process waits for the answer."""
    sys.stdout.buffer.write(msgspec.json.encode(content) + b"\n")
    sys.stdout.buffer.flush()


def refuse(message: str) -> ExitCode:
    """Print a Refused answer with a one-line message for the user. Returns the exit code for this answer."""
    answer(Refused(message=sendable(message)))
    return ExitCode.REFUSED
