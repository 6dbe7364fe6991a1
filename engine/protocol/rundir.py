"""The layout of a run directory, which is the whole protocol between the processes."""

from pathlib import Path

import msgspec
from msgspec import Struct

from engine.config.run import RunConfig


class Submission(Struct, frozen=True, kw_only=True):
    """`config.json`: what was asked for, when, and with which code."""

    id: str
    submitted: float
    config: RunConfig
    version: str = ""
    commit: str = ""
    code_fingerprint: str = ""
    command: list[str] = []
    slots: int = 1  # runs that may share the device at a time
    schema: int = 1


class RunDir:
    """Every file name in a run directory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.id = path.name
        self.config = path / "config.json"
        self.events = path / "events.jsonl"
        self.log = path / "engine.log"
        self.last = path / "last.pt"
        self.previous = path / "previous.pt"
        self.best = path / "best.pt"
        self.evaluation = path / "evaluation.pt"
        self.stop = path / "stop"
        self.process = path / "process.json"
        self.exit = path / "exit.json"
        self.notes = path / "notes.json"
        self.lock = path / "lock"

    def submission(self) -> Submission:
        """What was submitted.

        Raises: OSError, msgspec.DecodeError (ValidationError is one).
        """
        return msgspec.json.decode(self.config.read_bytes(), type=Submission)

    def request_stop(self, now: bool = False) -> None:
        """Ask the engine to save and end at the next batch; `now` has the supervisor kill it.

        Raises: OSError.
        """
        self.stop.write_text("now" if now else "")

    def stop_asked(self) -> bool:
        """Whether the run was asked to stop; where that cannot be seen, it was not: file systems have hiccups."""
        try:
            self.stop.stat()
        except OSError:
            return False
        return True

    def stop_now(self) -> bool:
        """Whether the run is to be killed."""
        try:
            return self.stop.read_text() == "now"
        except OSError:
            return False
