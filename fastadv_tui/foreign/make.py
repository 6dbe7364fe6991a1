"""Makes run folders of foreign runs: their facts in `foreign.json`, their curves as events."""

import hashlib
import math
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from engine.config.datasets import full_name
from engine.config.errors import ConfigError
from engine.config.norms import BOTH, LINF, Norm
from engine.config.units import parse_size
from engine.protocol.events import AnyEvent
from fastadv_tui.foreign.curve_events import OF_STEPS, events_of
from fastadv_tui.foreign.figures import ACCURACIES, divisor_of_accuracies, names_of_figures
from fastadv_tui.foreign.found import FoundRun, ImportFileError, Point
from fastadv_tui.runs.create import ID_ALPHABET, ID_LENGTH
from fastadv_tui.runs.foreign import Foreign, Source


class Typed(Struct, frozen=True, kw_only=True):
    """What a user typed about the runs; it wins over the file. maps: as `parse_maps` returns them."""

    name: str = ""
    dataset: str = ""
    method: str = ""
    norm: str = ""
    eps: str = ""
    attack: str = ""
    images: int = 0
    steps_per_epoch: float = 0.0
    maps: dict[str, str] = {}


class Made(Struct, frozen=True):
    """A foreign run that is ready to be written."""

    run_id: str
    foreign: Foreign
    events: list[AnyEvent]

    @property
    def content(self) -> bytes:
        """The content of `events.jsonl`."""
        return b"".join(msgspec.json.encode(event) + b"\n" for event in self.events)


def make(found: FoundRun, source: Source, path: str, typed: Typed, now: float) -> Made:
    """The facts and the events of a run. Raises: ImportFileError, if the run has nothing to compare with."""
    points = _figures(found, typed)
    steps = [point for point in points if "loss" in point.values]
    watched = [point for point in points if {"clean", "robust"} <= point.values.keys()]
    final = next((point for point in reversed(points) if point.values.keys() & {"final_clean", "final_robust"}), None)
    if not (steps or watched or final):
        raise ImportFileError(
            f"{found.name!r} has neither a loss nor clean and robust accuracy at one step; "
            "name the figures with --map robust=NAME --map clean=NAME"
        )
    _fill_epochs(points, steps, watched, typed.steps_per_epoch)
    result = _result(final, watched)
    known = {name for point in steps for name in point.values}
    foreign = Foreign(
        source=source, path=path, imported=now, name=typed.name or found.name, settings=found.settings,
        clean=result.get("clean"), robust=result.get("robust"), final=final is not None,
        unknown=tuple(name for name in OF_STEPS if name not in known), **_facts(found, typed),
    )  # fmt: skip
    return Made(_id_of(source, path, found.name), foreign, events_of(points, steps, watched, foreign, now))


def _figures(found: FoundRun, typed: Typed) -> list[Point]:
    """The points with the figures that we compare, by our names; accuracies as fractions."""
    names = names_of_figures({name: None for point in found.points for name in point.values}, typed.maps)
    by_figure = {
        figure: [point.values[name] for point in found.points if name in point.values] for figure, name in names.items()
    }
    divisor = divisor_of_accuracies(by_figure)
    merged: dict[int, Point] = {}
    for point in found.points:
        values = {
            figure: point.values[name] / (divisor if figure in ACCURACIES else 1.0)
            for figure, name in names.items()
            if name in point.values
        }
        if values:
            one = merged.setdefault(point.step, Point(step=point.step, epoch=point.epoch, t=point.t, values={}))
            one.values |= values
            one.epoch = point.epoch if one.epoch is None else one.epoch
    return [merged[step] for step in sorted(merged)]


def _fill_epochs(
    points: Sequence[Point], steps: Sequence[Point], watched: Sequence[Point], steps_per_epoch: float
) -> None:
    """Give every point an epoch: as typed, as in the file, else one for each evaluation."""
    last = points[-1].step
    known = next((point for point in reversed(points) if point.epoch), None)
    if not steps_per_epoch and known is not None and known.epoch:
        steps_per_epoch = known.step / known.epoch
    per_epoch = steps_per_epoch or last / max(len(watched), 1) or 1.0
    for point in points:
        if point.epoch is None or steps_per_epoch == 0:
            point.epoch = point.step / per_epoch


def _result(final: Point | None, watched: Sequence[Point]) -> dict[str, float]:
    """The accuracies to compare with: those after training, else the last ones while training."""
    if final is not None:
        return {name: final.values[f"final_{name}"] for name in ("clean", "robust") if f"final_{name}" in final.values}
    return {name: watched[-1].values[name] for name in ("clean", "robust")} if watched else {}


def _facts(found: FoundRun, typed: Typed) -> dict[str, Any]:
    """The facts that decide what a run may be compared with, from what was typed, the table, or the settings."""

    def fact(name: str, *keys: str) -> str:
        own = (found.settings.get(key) for key in (name, *keys))
        return str(getattr(typed, name, "") or found.facts.get(name) or next((x for x in own if x is not None), ""))

    norm = fact("norm") or LINF
    if norm not in BOTH:
        raise ImportFileError(f"{found.name!r} has the norm {norm!r}; type --norm linf or --norm l2")
    return {
        "dataset": full_name(fact("dataset")),
        "method": fact("method", "method.name"),
        "norm": norm,
        "eps": _size(found.name, fact("eps", "epsilon"), norm),
        "seed": _whole(found.name, "seed", fact("seed")),
        "attack": fact("attack"),
        "images": _whole(found.name, "images", fact("images")),
    }


def _size(name: str, text: str, norm: Norm) -> float:
    try:
        return parse_size(text, norm) if text else 0.0
    except ConfigError as error:
        raise ImportFileError(f"{name!r} has the eps {text!r} ({error}); type --eps") from None


def _whole(name: str, what: str, text: str) -> int:
    try:
        value = float(text or 0)
    except ValueError:
        value = math.nan
    if not (value >= 0 and value == round(value) <= 2**53):
        raise ImportFileError(f"{name!r} has {text!r} as {what}, which is no whole number")
    return int(value)


def _id_of(source: str, path: str, name: str) -> str:
    """The id of a foreign run. The same run of the same file has the same id, so a second import replaces the first."""
    digest = hashlib.sha256("\0".join((source, path, name)).encode("utf-8", "replace")).digest()
    return "f" + "".join(ID_ALPHABET[byte % len(ID_ALPHABET)] for byte in digest[: ID_LENGTH - 1])
