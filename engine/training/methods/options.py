"""Options that several methods have in common."""

from typing import Annotated

from msgspec import Meta

from engine.config.section import Count

Noise = Annotated[
    float,
    Meta(
        gt=0,
        le=16,
        title="noise",
        extra={"unit": "eps"},
        description="Size of the random start, as a multiple of eps. fgsm takes at most 1",
    ),
]
StartInBox = Annotated[
    bool,
    Meta(
        title="clip the start",
        description="Clip the randomly started image to [0,1] before the first step. After a step it is clipped anyway",
    ),
]
Steps = Annotated[
    Count, Meta(title="steps", description="PGD steps on each training minibatch. More are stronger and slower")
]
Weight = Annotated[
    float,
    Meta(
        ge=0,
        le=10_000,
        title="weight",
        description="Weight of the term that keeps the answers alike before and after the attack, beside the "
        "cross-entropy. nuat, liet: reached at the end of training, after a linear rise from 0",
    ),
]
