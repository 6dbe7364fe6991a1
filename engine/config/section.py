"""Section: the base class of RunConfig and its sections. Every way of building a section validates its fields."""

import math
from functools import cache
from typing import Annotated

import msgspec
from msgspec import Meta, Struct, structs

from engine.config.errors import ConfigError
from engine.config.typed import decoder

PerturbationSize = Annotated[float, Meta(ge=0, extra={"unit": "1/255"})]  # RunConfig checks the bound of its norm
Count = Annotated[int, Meta(ge=1, le=1_000_000)]
Padding = Annotated[int, Meta(ge=0, le=64)]  # pixels
Fraction = Annotated[float, Meta(ge=0, le=1)]
HalfOpenFraction = Annotated[float, Meta(ge=0, lt=1)]


@cache
def fields_of(kind: type[Struct]) -> tuple[structs.FieldInfo, ...]:
    """The fields of a struct, cached: msgspec would resolve their types again at each call."""
    return structs.fields(kind)


class Section(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A struct that validates its fields in the constructor, too. msgspec alone validates only while decoding."""

    def __post_init__(self) -> None:
        values = structs.asdict(self)
        for name, value in values.items():
            if isinstance(value, float) and not math.isfinite(value):
                raise ConfigError(f"{name} = {value}: write a finite number")
        try:
            msgspec.convert(values, _without_post_init(type(self)))
        except msgspec.ValidationError:
            self._raise_for_first_wrong_field()

    def _raise_for_first_wrong_field(self) -> None:
        """Check field by field. This is slow, and a history reads ten thousand configs; hence only after an error."""
        for field in fields_of(type(self)):
            value = getattr(self, field.name)
            try:
                msgspec.convert(value, field.type)
            except msgspec.ValidationError as error:
                raise ConfigError(f"{field.name} = {value!r}: {error}") from None


@cache
def _without_post_init(kind: type[Struct]) -> type[Struct]:
    """A struct with the same fields but without `__post_init__`, so that msgspec checks all fields in one call."""
    twin = msgspec.defstruct(kind.__name__, [(field.name, field.type) for field in fields_of(kind)], kw_only=True)
    decoder(twin)  # prepares the type, so that `convert` may be interrupted
    return twin
