"""Options that several methods have in common."""

from typing import Annotated

from msgspec import Meta

Noise = Annotated[
    float,
    Meta(
        gt=0,
        le=16,
        title="noise",
        extra={"unit": "eps"},
        description="Size of the random start, as a multiple of eps. Above 1 only for nfgsm",
    ),
]
StartInBox = Annotated[
    bool,
    Meta(
        title="clip the start",
        description="Clip the randomly started image to [0,1] before the first step. After a step it is clipped anyway",
    ),
]
