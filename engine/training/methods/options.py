"""Options that several methods have in common."""

from typing import Annotated

from msgspec import Meta

Noise = Annotated[
    float, Meta(gt=0, le=16, description="size of the random start, as a multiple of eps; above 1 only for nfgsm")
]
StartInBox = Annotated[
    bool,
    Meta(description="clip the random start to the image range [0,1] before the step; the result is always clipped"),
]
