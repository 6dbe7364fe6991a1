"""Mirrors one run: reads its events as they come, and hands them to the client of a tracker."""

from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from engine.config.keys import flatten
from engine.protocol.events import AnyEvent
from engine.protocol.rundir import RunDir
from engine.protocol.scalars import scalars_of
from fastadv_tui.errors import UserError
from fastadv_tui.extras import check_extra
from fastadv_tui.history.notes import read_notes
from fastadv_tui.runs.observe import Observation, RunObserver
from fastadv_tui.runs.standing import without_replaced
from fastadv_tui.trackers.messages import Begin, End, Point, Points
from fastadv_tui.trackers.progress import Mirrored, read_mirrored, write_mirrored
from fastadv_tui.trackers.worker_process import NoAnswerError, TrackerProcess

TOOLS = ("wandb", "mlflow", "trackio")  # the keys of `clients.CLIENTS`, whose module the face does not load
BATCH = 500  # points in a message; each message has a time limit
NOT_SENT = ("data_dir", "log.tensorboard")  # settings that tell nothing about the training


def check_tool(tool: str) -> None:
    """Raises: UserError, unless the tracker is known; MissingExtraError, if its package is not installed."""
    if tool not in TOOLS:
        raise UserError(f"--to {tool!r}: use {', '.join(TOOLS[:-1])} or {TOOLS[-1]}")
    check_extra(tool, f"--to {tool}")


class Destination(Struct, frozen=True):
    """Where runs are mirrored to. tool: `wandb`, `mlflow` or `trackio`. offline: to this machine only."""

    tool: str
    project: str
    offline: bool = False

    @property
    def key(self) -> str:
        return f"{self.tool} {'offline' if self.offline else 'online'} {self.project}"


class Mirror:
    """The mirror of one run. `where` tells after the first `update` how to see it; `sent` counts the points.

    again: send all of it once more, as another run of the tracker.
    """

    def __init__(self, rundir: RunDir, destination: Destination, again: bool = False) -> None:
        self.rundir, self.where, self.sent = rundir, "", 0
        self._destination, self._process = destination, TrackerProcess(destination.tool)
        self._progress = read_mirrored(rundir, destination.key)
        if again and self._progress.remote:
            self._progress = Mirrored(number=self._progress.number + 1)
        self._events: list[AnyEvent] = []
        self._observer = RunObserver(rundir, on_event=lambda event, state: self._events.append(event))
        self._begun = False
        self._confirmed = 0  # events that an earlier mirror has sent

    def update(self) -> bool:
        """Send what is new, and close the run of the tracker if the run has ended. Returns: whether the run is live.

        Raises: UserError, if the run cannot be read, or the tracker refuses or gives no answer; OSError.
        """
        seen = self._observer.look()
        status, live = seen.status.status, seen.status.live
        if not self._begun:
            ended_there = live or self._progress.status == status
            if self._progress.remote and ended_there and len(self._events) <= self._progress.events:
                return live  # nothing is new, so the client need not be loaded
            self._begin(seen)
        self._send(self._events[self._progress.events :])
        if not live:
            self._end(status)
            self._save(status=status)
        return live

    def _begin(self, seen: Observation) -> None:
        if seen.submission is None:
            raise UserError(f"{self.rundir.id}: {seen.problem}; a run without its settings cannot be mirrored")
        settings: dict[str, Any] = {key: value for key, value in flatten(seen.submission.config).items()
                                    if key not in NOT_SENT and value is not None}  # fmt: skip
        notes, number = read_notes(self.rundir), self._progress.number
        begin = Begin(
            tool=self._destination.tool,
            remote=self._progress.remote,
            wanted=self.rundir.id + f"-{number}" * (number > 1),
            name=notes.name or seen.submission.config.title,
            project=self._destination.project,
            settings=settings,
            tags=notes.tags,
            offline=self._destination.offline,
        )
        answer = self._process.ask(begin)
        if answer.remote != self._progress.remote:  # a new run, maybe in place of one that was deleted there
            self._progress = Mirrored(remote=answer.remote, number=number)
        self.where, self._begun, self._confirmed = answer.where, True, self._progress.events

    def _send(self, new: list[AnyEvent]) -> None:
        """Send steps and evaluations. Those that other new events make void are left out; earlier ones stay there."""
        if not new:
            return
        points = [Point(event.step, event.t, scalars_of(event)) for event in without_replaced(new)]
        for begin in range(0, len(points), BATCH):
            self._process.ask(Points(points[begin : begin + BATCH]))
        self.sent += len(points)
        self._save(events=self._progress.events + len(new), status="")

    def _end(self, status: str) -> None:
        """A client that gives no answer may have sent nothing of all it took: the next mirror sends it once more."""
        try:
            self._process.ask(End(status))
        except (NoAnswerError, KeyboardInterrupt):
            self._save(events=self._confirmed)
            raise

    def _save(self, **fields: Any) -> None:
        self._progress = replace(self._progress, **fields)
        write_mirrored(self.rundir, self._destination.key, self._progress)

    def finish(self) -> None:
        """Close the run of the tracker although the run goes on. Raises: as `update`."""
        if self._begun and not self._progress.status:
            self._end("running")

    def close(self) -> None:
        """End the process of the client, at once."""
        self._process.close()
