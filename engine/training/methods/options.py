"""Options that several methods have in common."""

from typing import Annotated

from msgspec import Meta

Noise = Annotated[
    float, Meta(gt=0, le=16, description="Size of the random start, as a multiple of eps. Above 1 only for nfgsm")
]
StartInBox = Annotated[
    bool,
    Meta(description="Clip the random start to the image range [0,1] before the step. The result is always clipped"),
]
