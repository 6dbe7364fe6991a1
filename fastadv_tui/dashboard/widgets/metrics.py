"""The metrics that the small charts can show: the numeric fields of a run's events."""

from collections.abc import Callable, Iterable

from msgspec import Struct

from engine.protocol.events import Evaluated, Step
from fastadv_tui.runs.state import RunState

Point = Step | Evaluated


class Metric(Struct, frozen=True):
    """One figure of a run over its training.

    key: the name in the settings file. percent: values are fractions in [0,1]. smooth: whether the figure is noisy, so
    that smoothing makes sense. points: the events that have the figure. value: the figure of an event, or None.
    """

    key: str
    title: str
    points: Callable[[RunState], Iterable[Point]]
    value: Callable[[Point], float | None]
    percent: bool = False
    smooth: bool = False


def _of_steps(key: str, title: str, percent: bool = False, smooth: bool = False) -> Metric:
    return Metric(key, title, lambda run: run.steps, lambda event: getattr(event, key), percent, smooth)


def _of_guard(key: str, field: str, title: str) -> Metric:
    return Metric(key, title, lambda run: run.guard, lambda event: getattr(event, field), percent=True)


def _without_gradient(event: Point) -> float | None:
    return event.without_gradient / event.images if isinstance(event, Evaluated) and event.images else None


METRICS = {
    metric.key: metric
    for metric in (
        _of_steps("loss", "Loss", smooth=True),
        _of_steps("signal", "Overfitting signal", percent=True, smooth=True),
        _of_steps("lr", "Learning rate"),
        _of_steps("accuracy", "Training accuracy", percent=True, smooth=True),
        _of_steps("images_per_second", "Images per second"),
        _of_guard("guard_clean", "clean", "Guard, clean"),
        _of_guard("guard_robust", "robust", "Guard, robust"),
        Metric("without_gradient", "Images without gradient", lambda run: run.watch, _without_gradient, percent=True),
    )
}


def known(keys: Iterable[str]) -> list[Metric]:
    """The metrics with these keys. Keys of other versions are left out."""
    return [METRICS[key] for key in keys if key in METRICS]
