"""The `method` section of a RunConfig: the method's name, a step size, and the options of all methods.

An option that the chosen method does not have is None. An option that was not set has the chosen method's default.
"""

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import Meta, structs

from engine.config.groups import Group
from engine.config.methods import DEFAULT_METHOD, MethodSpec, methods, step_sizes
from engine.config.section import PerturbationSize, Section, fields_of

_NAME = Meta(
    title="method",
    description="Training method. It decides how an attack perturbs the training images. standard: no attack",
)


class MethodSettings(Section, frozen=True):
    """The settings that all methods share. `MethodConfig` adds the options of each method."""

    group: ClassVar[Group] = Group.ATTACK

    name: Annotated[str, _NAME] = DEFAULT_METHOD
    alpha: Annotated[
        PerturbationSize | None,
        Meta(title="step size (alpha)", description=f"Step size of the training attack. auto: {step_sizes()}"),
    ] = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self._convert_old_nfgsm()
        own = self.spec.defaults
        for option in _all_options():
            value = getattr(self, option)
            set_to = None if option not in own else own[option] if value is None else value
            structs.force_setattr(self, option, set_to)
        self.spec.options(**self.options)  # raises ConfigError where the method's own rules forbid a value

    def _convert_old_nfgsm(self) -> None:
        """Read a configuration of version 0.1, which stored N-FGSM as FGSM with noise above eps."""
        noise: float | None = getattr(self, "noise", None)
        if self.name == "fgsm" and noise is not None and noise > 1:
            if getattr(self, "init", None) in (None, "random"):
                structs.force_setattr(self, "name", "nfgsm")
            else:
                structs.force_setattr(self, "noise", None)  # without a random start, the noise had no effect

    @property
    def spec(self) -> MethodSpec:
        """The MethodSpec of the chosen method."""
        return methods()[self.name]

    @property
    def options(self) -> dict[str, Any]:
        """The options of the chosen method, by name."""
        return {option: getattr(self, option) for option in self.spec.defaults}


def _all_options() -> dict[str, Any]:
    """The options of all methods: name and type."""
    return {field.name: field.type for spec in methods().values() for field in fields_of(spec.options)}


def _make_method_config() -> type[MethodSettings]:
    """Build MethodConfig: MethodSettings with a field per option of any method, and `name` limited to known methods."""
    name = ("name", Annotated[Literal[tuple(methods())], _NAME], DEFAULT_METHOD)
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
    """The type or None. The bounds stay on the type; the texts move outside, where `settings` reads them."""
    metas = getattr(kind, "__metadata__", ())
    title, description = (
        next((text for meta in metas if (text := getattr(meta, name))), "") for name in ("title", "description")
    )
    return Annotated[kind | None, Meta(title=title, description=description)]


if TYPE_CHECKING:
    MethodConfig = MethodSettings
else:
    MethodConfig = _make_method_config()
