"""The state of a run, built from its events. Every display uses it, for live and for finished runs."""

from collections.abc import Callable

from msgspec import Struct, field

from engine.config.phases import Phase
from engine.plan.timeline import ScheduledPhase, Timeline
from engine.protocol.event_log import read
from engine.protocol.events import (
    Alarm,
    AnyEvent,
    Evaluated,
    Finished,
    Note,
    Progress,
    RolledBack,
    Saved,
    Started,
    Starting,
    Step,
)
from engine.protocol.rundir import RunDir

WARM_UP_SECONDS = 2.0  # training is slow at first, while caches fill and kernels are chosen

NO_LAST_EVENT = "killed, or its process died"  # why an attempt ended that left no `finished` event
MAX_STEPS = 8192  # most `step` events that a state keeps
WINDOW = 32  # steps of a full list in which thinning keeps the extremes of these figures
NOISY: tuple[Callable[[Step], float], ...] = (
    lambda step: step.loss,
    lambda step: step.accuracy,
    lambda step: step.signal or 0.0,
)


class RunState(Struct):
    """The state of a run. Accuracies are in [0,1]. Lists are in the order of training."""

    started: Started | None = None
    steps: list[Step] = field(default_factory=list)
    watch: list[Evaluated] = field(default_factory=list)
    guard: list[Evaluated] = field(default_factory=list)
    final: list[Evaluated] = field(default_factory=list)
    alarms: list[Alarm] = field(default_factory=list)  # since the last rollback
    rollbacks: list[RolledBack] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    saved: Saved | None = None
    progress: Progress | None = None
    starting: str = ""  # what the process does before its first step, in words; empty once it trains or evaluates
    finished: Finished | None = None
    starts: list[Started] = field(default_factory=list)  # of earlier attempts
    ends: list[Finished] = field(default_factory=list)  # of earlier attempts that stopped, failed or were killed
    resumed_at: list[int] = field(default_factory=list)  # the step from which each attempt after the first went on
    begun: float = 0.0  # unix time of the first attempt's start
    last_event: float = 0.0  # unix time
    gpu_memory: int = 0  # most bytes of a GPU's memory that an attempt has held; 0 on a CPU, and if unknown
    elapsed: float = 0.0  # seconds over all attempts, with evaluations
    trained: float = 0.0  # seconds of the epochs alone; 0 in files of older versions
    stride: int = 1  # one `step` event out of `stride` events is kept
    merged: int = 0  # number of `step` events that the last entry of `steps` stands for

    @property
    def attempt(self) -> int:
        return self.started.attempt if self.started else 0

    @property
    def on_gpu(self) -> bool:
        return self.started is not None and not self.started.device.startswith("cpu")

    @property
    def total_steps(self) -> int:
        return self.started.total_steps if self.started else 0

    @property
    def timeline(self) -> Timeline | None:
        """The phases and their steps; None until they are known."""
        started = self.started
        if started is None or not (started.stretches or started.steps_per_epoch > 0):
            return None
        if started.stretches:
            return Timeline(started.stretches)
        epochs = round(started.total_steps / started.steps_per_epoch)  # the event is of a version without phases
        return Timeline([ScheduledPhase(Phase(0, epochs), 0, started.steps_per_epoch)])

    @property
    def total_epochs(self) -> float:
        return self.timeline.epochs if self.timeline else 0.0

    @property
    def evaluated_fraction(self) -> float | None:
        """The part of the present evaluation that is done, in [0,1]; None if the run does not evaluate now.

        The figure is an estimate until the evaluation is over, and may fall.
        """
        progress = self.progress  # read once: another thread may change the state
        return None if progress is None else min(progress.done / max(progress.total, 1), 1.0)

    @property
    def last_step(self) -> Step | None:
        return next(reversed(self.steps), None)

    @property
    def step(self) -> int:
        """Number of weight updates, as far as the events tell."""
        known = [step.step for step in self.steps[-1:]]  # read each field once: another thread may change the state
        known += [event.step for event in (self.saved, self.finished) if event]
        return max([0, self._from_step, *known])

    @property
    def _from_step(self) -> int:
        """The step from which training went on: after the last start, or after the last rollback since."""
        started, rollbacks = self.started, self.rollbacks
        if started is None:
            return 0
        return started.from_step if len(rollbacks) <= started.rollbacks else rollbacks[-1].to_step

    @property
    def epochs(self) -> float:
        """Number of epochs trained."""
        return self.timeline.epochs_at(self.step) if self.timeline else 0.0

    @property
    def saved_epochs(self) -> float:
        """Number of epochs of training in the last checkpoint."""
        saved = self.saved.step if self.saved else self._from_step
        return self.timeline.epochs_at(saved) if self.timeline else 0.0

    @property
    def last_accuracy(self) -> Evaluated | None:
        """The final evaluation; before the final evaluation, the newest evaluation on test images; else None."""
        return next((series[-1] for series in (self.final, self.watch) if series), None)

    @property
    def seconds_per_step(self) -> float | None:
        """Seconds per weight update, measured over this attempt's part of the present phase; None until known.

        The time of evaluations counts. The slow first steps do not count.
        """
        since = self._from_step
        if self.timeline:
            since = max(since, self.timeline.at(self.step).first_step)
        steps, last = iter(self.steps), self.last_step
        first = next((step for step in steps if step.step > since), None)
        if first is None or last is None or last.elapsed < first.elapsed + WARM_UP_SECONDS:
            return None
        warm = first
        for step in steps:
            if step is last or step.elapsed > first.elapsed + WARM_UP_SECONDS:
                break
            warm = step
        return (last.elapsed - warm.elapsed) / (last.step - warm.step) if last.elapsed > warm.elapsed else None

    @property
    def eta_seconds(self) -> float | None:
        """Seconds of training that remain; None if unknown or if no step remains.

        The time of a later phase follows from the present speed and the amount of computation of each phase.
        """
        pace, remaining = self.seconds_per_step, self.total_steps - self.step
        if pace is None or remaining <= 0 or self.finished is not None:
            return None
        return pace * (self.timeline.work_left(self.step) if self.timeline else remaining)


def apply(state: RunState, event: AnyEvent) -> RunState:
    """The state after one more event. Changes the given state in place and returns it.

    Steps and evaluations that are out of order are ignored. No event makes this function raise.
    """
    if event.t > state.last_event:
        state.last_event = event.t
    if event.elapsed > 0:
        state.elapsed = event.elapsed
        if event.trained or not isinstance(event, Finished):  # the last event of older versions has no `trained`
            state.trained = event.trained
    if isinstance(event, Step | Finished) and event.gpu_memory > state.gpu_memory:
        state.gpu_memory = event.gpu_memory
    if isinstance(event, Step | Evaluated | Progress | Finished):
        state.starting = ""
    match event:
        case Step():  # first, because most events are steps
            if event.step > (state.steps[-1].step if state.steps else 0):
                _keep(state, event)
        case Started():
            _start(state, event)
        case Starting():
            state.starting = event.phase
        case Evaluated():
            _evaluated(state, event)
        case Alarm():
            state.alarms.append(event)
        case RolledBack():
            _roll_back(state, event)
        case Note():
            state.notes.append(event)
        case Saved():
            state.saved = event
        case Progress():
            state.progress = event
        case Finished():
            state.finished, state.progress = event, None
    return state


def load(rundir: RunDir) -> RunState:
    """The state of a run from its whole events file; an empty state if there is no file yet."""
    state = RunState()
    for event in read(rundir.events):
        state = apply(state, event)
    return state


def _start(state: RunState, event: Started) -> None:
    """Begin a new attempt, which continues from `from_step`. Later steps of earlier attempts are lost; drop them."""
    since = event.from_step
    if state.started and not state.finished:  # a process that was killed wrote no last event
        state.finished = Finished(status="stopped", step=state.step, error=NO_LAST_EVENT, t=_last_time(state))
    _drop_after(state, since)
    state.alarms = [alarm for alarm in state.alarms if alarm.step <= since]
    state.rollbacks = state.rollbacks[: max(event.rollbacks, 0)]
    state.final = []
    state.ends += [state.finished] if state.finished and state.finished.status != "done" else []
    state.starts += [state.started] if state.started else []
    state.resumed_at += [since] * (state.started is not None)
    state.started, state.finished, state.progress, state.saved = event, None, None, None
    state.begun = state.begun or event.t
    state.starting = "first step"


def _last_time(state: RunState) -> float:
    """Unix time of the last step or evaluation of the present attempt, or of its start."""
    return max(event.t for event in (state.started, *state.steps[-1:], *state.watch[-1:], *state.final[-1:]) if event)


def _roll_back(state: RunState, event: RolledBack) -> None:
    """Continue from an earlier step. The rollback answers the alarms, except that of a loss that is not finite."""
    _drop_after(state, event.to_step)
    state.alarms = [alarm for alarm in state.alarms if alarm.kind == "diverged"]
    state.rollbacks.append(event)
    state.saved = None


def _drop_after(state: RunState, last: int) -> None:
    """Drop what was trained and measured after a step."""
    state.steps = [step for step in state.steps if step.step <= last]
    state.watch = [done for done in state.watch if done.step <= last]
    state.guard = [done for done in state.guard if done.step <= last]
    state.resumed_at = [step for step in state.resumed_at if step <= last]


def _keep(state: RunState, event: Step) -> None:
    """Keep every n-th step, the last step, and the turning points of the learning rate, which are few.

    More points of a long run would not change its curve.
    """
    if 0 < state.merged < state.stride and not _turns(state.steps, len(state.steps) - 1, event):
        state.steps[-1] = event
    else:
        state.steps.append(event)
        state.merged = 0
    state.merged += 1
    if len(state.steps) > MAX_STEPS:
        state.steps, state.stride = [*_thinned(state.steps[:-1]), event], 2 * state.stride


def _thinned(steps: list[Step]) -> list[Step]:
    """Every second step, the turning points of the learning rate, and the extremes of the noisy figures in each window.

    A chart has fewer columns than there are windows, so that each column keeps its lowest and its highest value.
    """
    kept = {*range(0, len(steps), 2), *(place for place in range(1, len(steps) - 1) if _turns(steps, place))}
    for begin in range(0, len(steps), WINDOW):
        window = range(begin, min(begin + WINDOW, len(steps)))
        for figure in NOISY:
            kept |= {pick(window, key=lambda place: figure(steps[place])) for pick in (min, max)}
    return [steps[place] for place in sorted(kept)]


def _turns(steps: list[Step], place: int, after: Step | None = None) -> bool:
    """Whether the learning rate is higher, or lower, at a step than at both of its neighbours."""
    if place < 1:
        return False
    before, here, then = steps[place - 1].lr, steps[place].lr, (after or steps[place + 1]).lr
    return (here > before and here > then) or (here < before and here < then)


def _evaluated(state: RunState, event: Evaluated) -> None:
    if event.stage == "final":
        state.final, state.progress = [*state.final, event], None
        return
    series = state.watch if event.stage == "watch" else state.guard
    if event.step > (series[-1].step if series else 0):
        series.append(event)
