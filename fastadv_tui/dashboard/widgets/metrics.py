"""The metrics that the small charts can show: the numeric fields of a run's events, and the load of its device."""

from collections.abc import Callable, Iterable

from msgspec import Struct

from engine.protocol.events import Evaluated, Step
from fastadv_tui.hardware.sample_history import Metric as LoadFigure
from fastadv_tui.runs.state import RunState

Point = Step | Evaluated


class Metric(Struct, frozen=True):
    """One figure of a run, or of the device on which it trains, over its training.

    key: the name in the settings file. percent: values are fractions in [0,1]. smooth: whether the figure is noisy, so
    that smoothing makes sense. points: the events that have the figure. value: the figure of an event, or None.
    load: the figure of the device; `points` and `value` are not used then.
    """

    key: str
    title: str
    points: Callable[[RunState], Iterable[Point]]
    value: Callable[[Point], float | None]
    percent: bool = False
    smooth: bool = False
    load: LoadFigure | None = None


def _of_device(load: LoadFigure, title: str, percent: bool = False) -> Metric:
    return Metric(f"device_{load}", title, lambda run: (), lambda event: None, percent, load=load)


def _of_steps(key: str, title: str, percent: bool = False, smooth: bool = False, field: str = "") -> Metric:
    return Metric(key, title, lambda run: run.steps, lambda event: getattr(event, field or key), percent, smooth)


def _of_guard(key: str, field: str, title: str) -> Metric:
    return Metric(key, title, lambda run: run.guard, lambda event: getattr(event, field), percent=True)


def _without_gradient(event: Point) -> float | None:
    return event.without_gradient / event.images if isinstance(event, Evaluated) and event.images else None


METRICS = {
    metric.key: metric
    for metric in (
        _of_steps("loss", "Loss", smooth=True),
        _of_steps("signal", "Overfitting signal", percent=True, smooth=True),
        _of_steps("alignment", "Gradient alignment", smooth=True),
        _of_steps("lr", "Learning rate"),
        _of_steps("training_accuracy", "Training accuracy", percent=True, smooth=True, field="accuracy"),
        _of_steps("images_per_second", "Images per second"),
        _of_guard("guard_clean", "clean", "Training images, clean"),
        _of_guard("guard_robust", "robust", "Training images, robust"),
        _of_device("utilisation", "Device, utilisation", percent=True),
        _of_device("memory", "Device, memory", percent=True),
        _of_device("power", "Device, power in W"),
        _of_device("temperature", "Device, °C"),
        Metric("without_gradient", "Images without gradient", lambda run: run.watch, _without_gradient, percent=True),
    )
}


def known(keys: Iterable[str]) -> list[Metric]:
    """The metrics with these keys. Keys of other versions are left out."""
    return [METRICS[key] for key in keys if key in METRICS]
