"""Answers of the engine's process: one JSON object a line on standard output."""

import sys

import msgspec

from engine.protocol.exit_code import ExitCode
from engine.protocol.requests import Refused


def answer(content: object) -> None:
    """Print one answer, at once: somebody waits for it."""
    sys.stdout.buffer.write(msgspec.json.encode(content) + b"\n")
    sys.stdout.buffer.flush()


def refuse(message: str) -> ExitCode:
    """Answer with what a user can put right, in one line; returns the exit code that goes with this answer."""
    answer(Refused(message=message))
    return ExitCode.REFUSED
