"""The files in a run directory. They are the whole protocol between the processes of a run."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from engine.config.errors import UserError
from engine.config.typed import decode
from engine.config.user_code import MODEL_COPY

if TYPE_CHECKING:
    from engine.protocol.submission import Submission

UNKNOWN_FIELD = re.compile(r"unknown field `(?P<name>[^`]*)`(?: - at `\$\.(?:config\.?)?(?P<place>[^`]*)`)?")


class SubmissionError(UserError):
    """The `config.json` of a run cannot be read. reason: why, in words that begin with `config.json`."""

    def __init__(self, run_id: str, reason: str) -> None:
        super().__init__(f"{run_id}: {reason}")
        self.reason = reason


class RunDir:
    """The paths of all files in a run directory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.id = path.name
        self.config = path / "config.json"
        self.request = path / "request.json"  # of an evaluation in a folder of its own, which is no run
        self.events = path / "events.jsonl"
        self.log = path / "engine.log"
        self.last = path / "last.pt"
        self.previous = path / "previous.pt"
        self.best = path / "best.pt"
        self.good = path / "good.pt"  # the training after the last epoch without a collapse; for rollbacks
        self.evaluation = path / "evaluation.pt"
        self.evaluations = path / "evaluations.jsonl"
        self.corruptions = path / "corruptions.jsonl"
        self.stop = path / "stop"
        self.queued = path / "queued.json"
        self.process = path / "process.json"
        self.exit = path / "exit.json"
        self.notes = path / "notes.json"
        self.lock = path / "lock"
        self.model_code = path / MODEL_COPY  # the copy of the file with the user's network

    def submission(self) -> "Submission":
        """Read `config.json`. Raises: SubmissionError."""
        from engine.protocol.submission import Submission  # loads all settings, which a list of runs does not need

        try:
            return decode(self.config.read_bytes(), Submission)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            raise SubmissionError(self.id, _why_unreadable(error)) from None

    def has_checkpoint(self) -> bool:
        """Whether the run has a checkpoint to resume from. The checkpoint is not read."""
        return self.last.exists() or self.previous.exists()

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


def _why_unreadable(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"config.json cannot be read ({error.strerror})"
    if found := UNKNOWN_FIELD.search(str(error)):
        setting = ".".join(filter(None, (found["place"], found["name"])))
        return f"config.json has the unknown setting {setting}; was it written by a newer version of fastadv?"
    if isinstance(error, msgspec.ValidationError):
        return f"config.json has a value that is not allowed ({error})"
    return f"config.json is damaged ({error})"
