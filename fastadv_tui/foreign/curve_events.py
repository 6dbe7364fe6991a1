"""The curves of a foreign run as events, so that every chart and comparison draws them."""

from collections.abc import Sequence

from engine.protocol.events import AnyEvent, Evaluated, Finished, Started, Step
from fastadv_tui.foreign.found import Point
from fastadv_tui.runs.foreign import Foreign

OF_STEPS = ("loss", "accuracy", "lr")  # the figures of a step; those that a file lacks stand in `Foreign.unknown`


def events_of(
    points: Sequence[Point], steps: Sequence[Point], watched: Sequence[Point], foreign: Foreign, now: float
) -> list[AnyEvent]:
    """The events of a run with a curve; none for a line of a table of results.

    points: in the order of their steps, by our names of figures, each with its epoch. steps, watched: those of them
    with a loss, and with clean and robust accuracy. now: Unix time, where the file tells none.
    """
    last, begun = points[-1], points[0].t or now
    if last.step == 0:
        return []
    events: list[AnyEvent] = [_started(last, begun)]
    watched_steps, trained_steps = ({point.step for point in each} for each in (watched, steps))
    for point in points:
        if point.step in trained_steps and point.step > 0:
            events.append(_step(point, begun))
        if point.step in watched_steps:
            events.append(_evaluated(point, begun, foreign))
    return [*events, Finished(t=last.t or now, status="done", step=last.step)]


def _started(last: Point, begun: float) -> Started:
    """The start that gives the epochs their length. What a foreign run does not tell is empty or 0."""
    epochs = max(round(last.epoch or 0.0), 1)
    return Started(
        t=begun,
        attempt=1,
        from_step=0,
        total_steps=last.step,
        steps_per_epoch=max(last.step // epochs, 1),
        device="another program",
        precision="unknown precision",
        threads=0,
        parameters=0,
        train_images=0,
        test_images=0,
        data_fingerprint="",
        official_data=None,
    )


def _step(point: Point, begun: float) -> Step:
    loss, accuracy, lr = (point.values.get(name, 0.0) for name in OF_STEPS)
    return Step(
        t=point.t or begun,
        step=point.step,
        epoch=round(point.epoch or 0.0, 4),
        lr=lr,
        loss=loss,
        accuracy=accuracy,
        images_per_second=0.0,
    )


def _evaluated(point: Point, begun: float, foreign: Foreign) -> Evaluated:
    return Evaluated(
        t=point.t or begun,
        stage="watch",
        split="test",
        step=max(point.step, 1),
        epoch=round(point.epoch or 0.0, 4),
        attack=foreign.attack,
        clean=point.values["clean"],
        robust=point.values["robust"],
        images=foreign.images,
    )
