"""The numbers of an event under the names that trackers show: `train/loss`, `watch/robust`, `final/clean`."""

from engine.protocol.events import AnyEvent, Evaluated, Step

OF_STEPS = ("loss", "accuracy", "lr", "images_per_second", "signal", "alignment")  # named `train/...`
OF_EVALUATIONS = ("clean", "robust", "fgsm")  # named `watch/...`, `guard/...` and `final/...`


def scalars_of(event: AnyEvent) -> dict[str, float]:
    """The figures that are known; none for an event that is neither a step nor an evaluation."""
    if isinstance(event, Step):
        group, names = "train", OF_STEPS
    elif isinstance(event, Evaluated):
        group, names = event.stage, OF_EVALUATIONS
    else:
        return {}
    found = ((name, getattr(event, name)) for name in names)
    return {f"{group}/{name}": float(value) for name, value in found if value is not None}
