"""The files in a run directory. They are the whole protocol between the processes of a run."""

from pathlib import Path

import msgspec
from msgspec import Struct

from engine.config.run import RunConfig


class Submission(Struct, frozen=True, kw_only=True):
    """The content of `config.json`: the configuration of a run, the time of submission, and the code version.

    submitted: Unix time in seconds. command: the words of the command line.
    """

    id: str
    submitted: float
    config: RunConfig
    version: str = ""
    commit: str = ""
    code_fingerprint: str = ""
    command: list[str] = []
    slots: int = 1  # runs that may use the device at the same time
    schema: int = 1


class RunDir:
    """The paths of all files in a run directory."""

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
        """Read `config.json`.

        Raises: OSError, msgspec.DecodeError (ValidationError is a subclass).
        """
        return msgspec.json.decode(self.config.read_bytes(), type=Submission)

    def request_stop(self, now: bool = False) -> None:
        """Ask the engine to save a checkpoint and end at the next minibatch. now: have the supervisor kill the engine.

        Raises: OSError.
        """
        self.stop.write_text("now" if now else "")

    def stop_asked(self) -> bool:
        """Whether the run was asked to stop. False if the file system gives an error, which may be temporary."""
        try:
            self.stop.stat()
        except OSError:
            return False
        return True

    def stop_now(self) -> bool:
        """Whether the supervisor shall kill the engine at once."""
        try:
            return self.stop.read_text() == "now"
        except OSError:
            return False
