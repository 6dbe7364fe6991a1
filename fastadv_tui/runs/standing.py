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
    found = Standing()
    for event in events:
        match event:
            case Step():
                if event.step > (found.steps[-1].step if found.steps else 0):
                    found.steps.append(event)
            case Evaluated():
                found.evaluations.append(event)
            case Started():
                _drop_after(found, event.from_step)
                found.evaluations = [each for each in found.evaluations if each.stage != "final"]
            case RolledBack():
                _drop_after(found, event.to_step)
    return found


def _drop_after(found: Standing, last: int) -> None:
    found.steps = [step for step in found.steps if step.step <= last]
    found.evaluations = [each for each in found.evaluations if each.step <= last]
