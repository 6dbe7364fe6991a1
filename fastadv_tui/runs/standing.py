"""The steps and evaluations of a run that stand: not those that a resume or a rollback has replaced.

`runs/state.py` keeps some thousand steps of a long run, enough for a chart. This module keeps every step.
"""

from collections.abc import Iterable

from msgspec import Struct, field

from engine.protocol.event_log import read
from engine.protocol.events import AnyEvent, Evaluated, RolledBack, Started, Step
from engine.protocol.rundir import RunDir


class Standing(Struct):
    """Steps and evaluations in the order of training."""

    steps: list[Step] = field(default_factory=list)
    evaluations: list[Evaluated] = field(default_factory=list)


def standing_of(rundir: RunDir) -> Standing:
    """What stands of all events of a run; empty lists if the run has no events."""
    return standing(read(rundir.events))


def standing(events: Iterable[AnyEvent]) -> Standing:
    kept = without_replaced(events)
    return Standing(
        [event for event in kept if isinstance(event, Step)], [event for event in kept if isinstance(event, Evaluated)]
    )


def without_replaced(events: Iterable[AnyEvent]) -> list[Step | Evaluated]:
    """The steps and evaluations among events that no later one of the events makes void, in their order."""
    kept: list[Step | Evaluated] = []
    newest = 0
    for event in events:
        match event:
            case Step():
                if event.step > newest:
                    kept.append(event)
                    newest = event.step
            case Evaluated():
                kept.append(event)
            case Started() | RolledBack():
                newest = event.from_step if isinstance(event, Started) else event.to_step
                first = isinstance(event, Started)  # a resumed run evaluates its last weights again
                kept = [each for each in kept if each.step <= newest and not (first and _is_final(each))]
    return kept


def _is_final(event: Step | Evaluated) -> bool:
    return isinstance(event, Evaluated) and event.stage == "final"
