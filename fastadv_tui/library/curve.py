"""A figure of a run over its training: what can be asked for, and where the events have it."""

from collections.abc import Iterator
from operator import attrgetter
from typing import Any

from msgspec import Struct

from engine.config.suggest import did_you_mean
from engine.protocol.events import Stage
from fastadv_tui.errors import UserError
from fastadv_tui.history.row import Row
from fastadv_tui.runs.standing import Standing

# Each of these is measured between epochs: on test images (`watch`), or on training images (`guard`).
MEASURED: dict[str, tuple[Stage, str]] = {
    "robust": ("watch", "robust"),
    "clean": ("watch", "clean"),
    "guard_robust": ("guard", "robust"),
    "guard_clean": ("guard", "clean"),
    "guard_fgsm": ("guard", "fgsm"),
}
OF_STEPS = ("loss", "accuracy", "lr", "signal", "alignment", "images_per_second")
NAMES = (*MEASURED, *OF_STEPS)
IN_ROW = {"clean": 1, "robust": 2}  # places in a point of `Row.curve`


class CurveError(UserError):
    """No figure has this name."""


class Curve(Struct, frozen=True):
    """A figure over training. The three lists have one entry for each point.

    steps: numbers of weight updates, from 1. epochs: the same in epochs. values: accuracies are fractions in [0,1].

    A curve is a sequence of its points (epoch, value), so `plot(*zip(*curve))` draws it.
    """

    name: str
    steps: list[int]
    epochs: list[float]
    values: list[float]

    def __len__(self) -> int:
        return len(self.values)

    def __iter__(self) -> Iterator[tuple[float, float]]:
        return zip(self.epochs, self.values, strict=True)


def check_name(name: str) -> None:
    """Raises: CurveError, unless the figure exists."""
    if name not in NAMES:
        hint = did_you_mean(name, NAMES) or f"use {', '.join(NAMES)}"
        raise CurveError(f"no curve is named {name!r}; {hint}")


def curve_of_events(name: str, standing: Standing) -> Curve:
    """A figure from the events of a run. Points at which the figure is unknown are left out."""
    found: list[Any]  # Step or Evaluated; both have `step` and `epoch`
    if name in MEASURED:
        stage, field = MEASURED[name]
        found = [event for event in standing.evaluations if event.stage == stage]
    else:
        field, found = name, [*standing.steps]
    get = attrgetter(field)
    points = [(event.step, event.epoch, value) for event in found if (value := get(event)) is not None]
    return Curve(name, [point[0] for point in points], [point[1] for point in points], [point[2] for point in points])


def curve_of_row(name: str, row: Row) -> Curve:
    """A figure of a run whose folder is gone: the points that the history keeps, at most 50, with unknown steps."""
    place = IN_ROW.get(name)
    points = [(point[0], point[place]) for point in row.curve] if place else []
    return Curve(name, [], [epoch for epoch, _ in points], [value for _, value in points])
