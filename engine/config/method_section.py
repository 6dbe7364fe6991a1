"""The `method` section of a RunConfig: a name, a step size, and the options of every method that there is.

An option that the chosen method does not have is None. One that was not set has the chosen method's own default.
"""

from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import Meta, structs

from engine.config.methods import MethodSpec, methods
from engine.config.section import PerturbationSize, Section, fields_of

DEFAULT_METHOD = "fgsm"


class MethodSettings(Section, frozen=True):
    """What all methods have in common; `MethodConfig` adds the options of each."""

    name: Annotated[str, Meta(description="how training examples are perturbed")] = DEFAULT_METHOD
    alpha: Annotated[
        PerturbationSize | None, Meta(description="step size of the training attack; empty follows eps")
    ] = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self._read_as_nfgsm()
        own = self.spec.defaults
        for option in _all_options():
            value = getattr(self, option)
            set_to = None if option not in own else own[option] if value is None else value
            structs.force_setattr(self, option, set_to)
        self.spec.options(**self.options)  # checks what is particular to this method

    def _read_as_nfgsm(self) -> None:
        """Until version 0.1 N-FGSM was FGSM with more noise than eps; such configurations mean what they meant."""
        noise: float | None = getattr(self, "noise", None)
        if self.name == "fgsm" and noise is not None and noise > 1:
            if getattr(self, "init", None) in (None, "random"):
                structs.force_setattr(self, "name", "nfgsm")
            else:
                structs.force_setattr(self, "noise", None)  # it had no effect

    @property
    def spec(self) -> MethodSpec:
        """What is known of the chosen method."""
        return methods()[self.name]

    @property
    def options(self) -> dict[str, Any]:
        """The chosen method's own options."""
        return {option: getattr(self, option) for option in self.spec.defaults}


def _all_options() -> dict[str, Any]:
    """The options of all methods, with their types."""
    return {field.name: field.type for spec in methods().values() for field in fields_of(spec.options)}


def _with_options() -> type[MethodSettings]:
    """MethodSettings with a field for each option of each method, and the names that there are."""
    described = Meta(description="how training examples are perturbed")
    name = ("name", Annotated[Literal[tuple(methods())], described], DEFAULT_METHOD)
    options = [(option, _optional(kind), None) for option, kind in _all_options().items()]
    made: type[MethodSettings] = msgspec.defstruct(  # type: ignore[assignment]
        "MethodConfig",
        [name, *options],
        bases=(MethodSettings,),
        frozen=True,
        kw_only=True,
        forbid_unknown_fields=True,
        module=__name__,
    )
    return made


def _optional(kind: Any) -> Any:
    """The same type or None. Its bounds stay inside, its description goes outside, where it is looked for."""
    described = (meta.description for meta in getattr(kind, "__metadata__", ()) if meta.description)
    return Annotated[kind | None, Meta(description=next(described, ""))]


if TYPE_CHECKING:
    MethodConfig = MethodSettings
else:
    MethodConfig = _with_options()
