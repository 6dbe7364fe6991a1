"""What is known of a run from its events: the same for a live run and a finished one, for every display."""

from msgspec import Struct, field

from engine.config.phases import Phase
from engine.plan.timeline import ScheduledPhase, Timeline
from engine.protocol.event_log import read
from engine.protocol.events import Alarm, AnyEvent, Evaluated, Finished, Note, Progress, Saved, Started, Step
from engine.protocol.rundir import RunDir

WARM_UP = 2.0  # seconds of training in which caches fill and kernels are chosen

MOST_STEPS = 8192


class RunState(Struct):
    """Figures as in the events: accuracies in [0,1], times in seconds. Lists are in the order of training."""

    started: Started | None = None
    steps: list[Step] = field(default_factory=list)
    watch: list[Evaluated] = field(default_factory=list)
    guard: list[Evaluated] = field(default_factory=list)
    final: list[Evaluated] = field(default_factory=list)
    alarms: list[Alarm] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    saved: Saved | None = None
    progress: Progress | None = None
    finished: Finished | None = None
    begun: float = 0.0  # unix time of the first attempt's start
    last_event: float = 0.0  # unix time
    elapsed: float = 0.0  # seconds of training over all attempts
    stride: int = 1  # of the steps that happened, those that are kept
    unkept: int = 0  # steps that the last one in the list stands for

    @property
    def attempt(self) -> int:
        return self.started.attempt if self.started else 0

    @property
    def total_steps(self) -> int:
        return self.started.total_steps if self.started else 0

    @property
    def timeline(self) -> Timeline | None:
        """Phases and their steps; None until that is known."""
        started = self.started
        if started is None or not (started.stretches or started.steps_per_epoch > 0):
            return None
        if started.stretches:
            return Timeline(started.stretches)
        epochs = round(started.total_steps / started.steps_per_epoch)  # written before there were phases
        return Timeline([ScheduledPhase(Phase(0, epochs), 0, started.steps_per_epoch)])

    @property
    def total_epochs(self) -> float:
        return self.timeline.epochs if self.timeline else 0.0

    @property
    def last_step(self) -> Step | None:
        return next(reversed(self.steps), None)

    @property
    def step(self) -> int:
        """Weight updates made, as far as is known."""
        known = [step.step for step in self.steps[-1:]]  # each asked once: another thread may bring news meanwhile
        known += [event.step for event in (self.saved, self.finished) if event]
        return max([0, started.from_step if (started := self.started) else 0, *known])

    @property
    def epochs(self) -> float:
        """Epochs done."""
        return self.timeline.epochs_at(self.step) if self.timeline else 0.0

    @property
    def last_accuracy(self) -> Evaluated | None:
        """The newest evaluation on test images: the final one, if there is one."""
        return next((series[-1] for series in (self.final, self.watch) if series), None)

    @property
    def seconds_per_step(self) -> float | None:
        """Measured over what this attempt did of the present phase, evaluations included and slow first steps not;
        None until that is known.
        """
        since = self.started.from_step if self.started else 0
        if self.timeline:
            since = max(since, self.timeline.at(self.step).first_step)
        steps, last = iter(self.steps), self.last_step
        first = next((step for step in steps if step.step > since), None)
        if first is None or last is None or last.elapsed < first.elapsed + WARM_UP:
            return None
        warm = first
        for step in steps:
            if step is last or step.elapsed > first.elapsed + WARM_UP:
                break
            warm = step
        return (last.elapsed - warm.elapsed) / (last.step - warm.step) if last.elapsed > warm.elapsed else None

    @property
    def eta_seconds(self) -> float | None:
        """Seconds of training that remain; None while unknown or when nothing remains.

        Phases to come are taken to be slower or faster than this one by what they compute.
        """
        pace, remaining = self.seconds_per_step, self.total_steps - self.step
        if pace is None or remaining <= 0 or self.finished is not None:
            return None
        return pace * (self.timeline.work_left(self.step) if self.timeline else remaining)


def apply(state: RunState, event: AnyEvent) -> RunState:
    """The state after one more event. Takes over the state that it is given (its lists grow in place).

    Events that are out of order or of an earlier attempt's future are left out; none can make it raise.
    """
    if event.t > state.last_event:
        state.last_event = event.t
    if event.elapsed > 0:
        state.elapsed = event.elapsed
    match event:
        case Step():  # most events are
            if event.step > (state.steps[-1].step if state.steps else 0):
                _keep(state, event)
        case Started():
            _start(state, event)
        case Evaluated():
            _evaluated(state, event)
        case Alarm():
            state.alarms.append(event)
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
    """The state of a run from its whole events file; empty if there is none yet."""
    state = RunState()
    for event in read(rundir.events):
        state = apply(state, event)
    return state


def _start(state: RunState, event: Started) -> None:
    """A new attempt goes on from `from_step`: what earlier attempts did after it was lost and is done again."""
    since = event.from_step
    state.steps = [step for step in state.steps if step.step <= since]
    state.watch = [done for done in state.watch if done.step <= since]
    state.guard = [done for done in state.guard if done.step <= since]
    state.alarms = [alarm for alarm in state.alarms if alarm.step <= since]
    state.final = []
    state.started, state.finished, state.progress, state.saved = event, None, None, None
    state.begun = state.begun or event.t


def _keep(state: RunState, event: Step) -> None:
    """Of a run of days every n-th step is kept, evenly, and always the last: more points draw the same curve."""
    if 0 < state.unkept < state.stride:
        state.steps[-1] = event
    else:
        state.steps.append(event)
        state.unkept = 0
    state.unkept += 1
    if len(state.steps) > MOST_STEPS:
        state.steps, state.stride = [*state.steps[:-1:2], event], 2 * state.stride


def _evaluated(state: RunState, event: Evaluated) -> None:
    if event.stage == "final":
        state.final, state.progress = [*state.final, event], None
        return
    series = state.watch if event.stage == "watch" else state.guard
    if event.step > (series[-1].step if series else 0):
        series.append(event)
