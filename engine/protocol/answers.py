"""Answers of the engine's process: one JSON object a line on standard output."""

import sys

import msgspec


def answer(content: object) -> None:
    """Print one answer, at once: somebody waits for it."""
    sys.stdout.buffer.write(msgspec.json.encode(content) + b"\n")
    sys.stdout.buffer.flush()
