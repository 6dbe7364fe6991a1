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
    newest: dict[str, int] = {}  # number of the last step, and of the last evaluation of each stage
    for event in events:
        match event:
            case Step() | Evaluated():
                if _kind(event) == "final" or event.step > newest.get(_kind(event), 0):
                    kept.append(event)
                    newest[_kind(event)] = event.step
            case Started():
                kept = [each for each in kept if each.step <= event.from_step and _kind(each) != "final"]
                newest = {_kind(each): each.step for each in kept}
            case RolledBack():
                kept = [each for each in kept if each.step <= event.to_step]
                newest = {_kind(each): each.step for each in kept}
    return kept


def _kind(event: Step | Evaluated) -> str:
    return event.stage if isinstance(event, Evaluated) else "step"
