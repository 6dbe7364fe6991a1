"""A row of the history: what is remembered of one run, small enough for ten thousand of them."""

from functools import cache
from typing import Any

import msgspec
from msgspec import Struct, field

from engine.config.keys import flatten
from engine.config.presets import preset_settings
from engine.config.run import RunConfig
from engine.config.sections import ModelConfig
from engine.protocol.events import Evaluated
from engine.protocol.files import write_atomic
from engine.protocol.rundir import RunDir
from fastadv_tui import records, state, status
from fastadv_tui.records import ExitRecord

CURVE_POINTS = 50
UNCOUNTED = ("dataset", "preset", "name", "data_dir", "seed")  # have a column of their own, or mean nothing elsewhere


class Row(Struct, kw_only=True):
    """One run. Accuracies, eps and alpha are in [0,1]; times are unix times or seconds; memory is in bytes; flops are
    those of the whole training.

    clean and robust are those of the final evaluation if `final`, else the last ones watched.
    curve: (epoch, clean, robust), thinned to at most CURVE_POINTS.
    """

    id: str
    name: str = ""
    dataset: str = ""
    method: str = ""
    eps: float = 0.0
    alpha: float = 0.0
    preset: str = ""
    settings: dict[str, Any] = {}
    seed: int = 0
    status: str = "queued"
    reason: str = ""
    host: str = ""
    submitted: float = 0.0
    started: float = 0.0
    ended: float = 0.0
    duration: float = 0.0
    epochs: float = 0.0
    total_epochs: float = 0.0
    clean: float | None = None
    robust: float | None = None
    attack: str = ""
    images: int = 0
    final: bool = False
    curve: list[tuple[float, float, float]] = []
    alarms: list[str] = []
    peak_memory: int = 0
    images_per_second: float = 0.0
    flops: int = 0
    data_fingerprint: str = ""
    code_fingerprint: str = ""
    tags: list[str] = []
    note: str = ""
    pinned: bool = False

    @property
    def live(self) -> bool:
        return self.status in status.LIVE


class Notes(Struct, omit_defaults=True):
    """`notes.json`: what the user wrote on a run; a name here beats the one it was submitted with."""

    name: str = ""
    tags: list[str] = field(default_factory=list)
    note: str = ""
    pinned: bool = False


def read_notes(rundir: RunDir) -> Notes:
    """The user's notes; empty ones if there are none that can be read."""
    try:
        return notes_to_change(rundir)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return Notes()


def notes_to_change(rundir: RunDir) -> Notes:
    """The user's notes, empty ones only if there are none: what cannot be read must not be written over.

    Raises: OSError, msgspec.DecodeError, UnicodeDecodeError.
    """
    try:
        return msgspec.json.decode(rundir.notes.read_bytes(), type=Notes)
    except FileNotFoundError:
        return Notes()


def write_notes(rundir: RunDir, notes: Notes) -> None:
    """Raises: OSError."""
    write_atomic(rundir.notes, msgspec.json.encode(notes))


def row_of(rundir: RunDir) -> Row:
    """The row of a run, derived from its directory; what is missing or damaged there is left empty."""
    row = Row(id=rundir.id)
    run = state.load(rundir)
    verdict = status.derive(rundir, run)
    if not verdict.live and run.finished is None:
        run = state.load(rundir)  # it may have ended while its events were read, and a row that ended is believed
    _take_submission(row, rundir)
    _take_progress(row, run)
    row.status, row.reason, row.host = verdict.status, verdict.reason, verdict.host
    row.ended = verdict.ended or 0.0
    exit_record = records.read(rundir.exit, ExitRecord)
    row.peak_memory = exit_record.peak_memory if exit_record else 0
    notes = read_notes(rundir)
    row.name, row.tags, row.note, row.pinned = notes.name or row.name, notes.tags, notes.note, notes.pinned
    return row


def changed_settings(config: RunConfig) -> dict[str, Any]:
    """The settings that differ from the preset, by dotted key."""
    usual = _usual(config.dataset, config.model.name, config.preset, config.method.name)
    changed = {k: v for k, v in flatten(config).items() if k not in UNCOUNTED and v != usual.get(k)}
    return {key: plain(value) for key, value in changed.items()}


def plain(value: Any) -> Any:
    """A setting as it comes back from the file: JSON has no tuples."""
    return list(value) if isinstance(value, tuple) else value


def thin(points: list[Evaluated], most: int = CURVE_POINTS) -> list[tuple[float, float, float]]:
    """At most so many of the points, the first and the last among them."""
    if len(points) > most:
        points = [points[round(n * (len(points) - 1) / (most - 1))] for n in range(most)]
    return [(round(p.epoch, 2), round(p.clean, 4), round(p.robust, 4)) for p in points]


def _take_submission(row: Row, rundir: RunDir) -> None:
    try:
        submission = rundir.submission()
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return
    config = submission.config
    row.name, row.dataset, row.method, row.preset = config.title, config.dataset, config.method.name, config.preset
    row.eps, row.alpha, row.seed, row.total_epochs = config.eps, config.alpha, config.seed, config.epochs
    row.settings, row.submitted = changed_settings(config), submission.submitted
    row.code_fingerprint = submission.code_fingerprint


def _take_progress(row: Row, run: state.RunState) -> None:
    row.started, row.duration, row.epochs = run.begun, run.elapsed, round(run.epochs, 3)
    row.curve, row.alarms = thin(run.watch), [alarm.kind for alarm in run.alarms]
    if run.started:
        row.data_fingerprint, row.flops = run.started.data_fingerprint, run.started.flops
    row.images_per_second = run.last_step.images_per_second if run.last_step else 0.0
    last = run.last_accuracy
    if last is not None:
        row.clean, row.robust, row.attack, row.images = last.clean, last.robust, last.attack, last.images
        row.final = last.stage == "final"


@cache
def _usual(dataset: Any, model: Any, preset: str, method: str) -> dict[str, Any]:
    """The settings of a run that changes nothing of its preset."""
    return {**flatten(RunConfig(dataset=dataset, model=ModelConfig(name=model))), **preset_settings(preset, method)}
