"""What every section of a RunConfig has in common: its fields are checked however it is built."""

import math
from functools import cache
from typing import Annotated

import msgspec
from msgspec import Meta, Struct, structs

from engine.config.errors import ConfigError

PerturbationSize = Annotated[float, Meta(ge=0, le=1, extra={"unit": "1/255"})]
Count = Annotated[int, Meta(ge=1, le=1_000_000)]
Fraction = Annotated[float, Meta(ge=0, le=1)]


@cache
def fields_of(kind: type[Struct]) -> tuple[structs.FieldInfo, ...]:
    """The fields of a struct; msgspec finds their types anew at each call."""
    return structs.fields(kind)


class Section(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Validated when built by hand, too: msgspec alone checks only what it decodes."""

    def __post_init__(self) -> None:
        values = structs.asdict(self)
        for name, value in values.items():
            if isinstance(value, float) and not math.isfinite(value):
                raise ConfigError(f"{name} must be finite, not {value}")
        try:
            msgspec.convert(values, _unchecked(type(self)))
        except msgspec.ValidationError:
            self._name_what_is_wrong()

    def _name_what_is_wrong(self) -> None:
        """Field by field, which is slow: ten thousand configs are read for a history."""
        for field in fields_of(type(self)):
            value = getattr(self, field.name)
            try:
                msgspec.convert(value, field.type)
            except msgspec.ValidationError as error:
                raise ConfigError(f"{field.name} = {value!r}: {error}") from None


@cache
def _unchecked(kind: type[Struct]) -> type[Struct]:
    """A struct with the same fields and no check of its own, for msgspec to check them all at once."""
    return msgspec.defstruct(kind.__name__, [(field.name, field.type) for field in fields_of(kind)], kw_only=True)
