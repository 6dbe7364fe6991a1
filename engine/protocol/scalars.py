"""The numbers of an event under the names that trackers show: `train/loss`, `watch/robust`, `final/clean`."""

from collections.abc import Sequence

from engine.protocol.events import AnyEvent, Evaluated, Step

OF_STEPS = ("loss", "accuracy", "lr", "images_per_second", "signal", "alignment")  # named `train/...`
OF_EVALUATIONS = ("clean", "robust", "fgsm")  # named `watch/...`, `guard/...` and `final/...`


def scalars_of(event: AnyEvent) -> dict[str, float]:
    """The figures that are known; none for an event that is neither a step nor an evaluation."""
    if isinstance(event, Step):
        return _known(event, "train", OF_STEPS)
    return _known(event, event.stage, OF_EVALUATIONS) if isinstance(event, Evaluated) else {}


def _known(event: Step | Evaluated, group: str, names: Sequence[str]) -> dict[str, float]:
    found = ((name, getattr(event, name)) for name in names)
    return {f"{group}/{name}": float(value) for name, value in found if value is not None}
