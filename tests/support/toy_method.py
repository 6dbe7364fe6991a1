"""A training method in one file, as somebody else would add it: images blurred by noise of a chosen size."""

from typing import Annotated, Any

from msgspec import Meta

from engine.config.methods import Cost, MethodSpec
from engine.config.section import Section


class BlurOptions(Section, frozen=True):
    blur: Annotated[float, Meta(ge=0, le=1, description="standard deviation of the toy's noise, in [0,1]")] = 0.1


def toy_blur(learner: Any, batch: Any, threat: Any, rng: Any, *, alpha: float, blur: float) -> None:
    import torch

    noise = torch.randn(batch.x.shape, generator=rng) * blur
    learner.update((batch.x + noise).clamp(0, 1), batch.y)


METHOD = MethodSpec(
    name="toy-blur",
    summary="images blurred by noise",
    paper="none",
    step=toy_blur,
    options=BlurOptions,
    alpha=lambda eps, pgd_step: eps / 2,
    cost=lambda options: Cost(updates=1),
    adversarial=False,
)
