"""What is known of each training method before torch is loaded: one MethodSpec a method.

A method is one file. It holds the function that trains on a minibatch, and beside it `METHOD`, its MethodSpec. From the
spec come the allowed values of `method.name`, the options and their defaults, the help, the cost in FLOPs and the
default step size. Our own methods are the modules in BUILT_IN; FASTADV_PLUGINS names others.
"""

from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from typing import Any

from msgspec import Struct

from engine.config.errors import ConfigError
from engine.config.plugins import found_in, plugins
from engine.config.section import Section, fields_of

BUILT_IN = tuple(f"engine.training.methods.{name}" for name in ("standard", "fgsm", "nfgsm", "pgd", "free"))


class NoOptions(Section, frozen=True):
    """The options of a method that has none."""


class Cost(Struct, frozen=True):
    """How often a method goes through the network for each image of a minibatch.

    attacks: a forward pass, and a backward one to the image alone; updates: a forward pass, and a backward one to the
    weights alone; shared: a forward pass, and a backward one to both.
    """

    attacks: int = 0
    updates: int = 1
    shared: int = 0


class MethodSpec(Struct, frozen=True, kw_only=True):
    """A training method.

    step: the function that makes the perturbations of a minibatch and updates the weights (see
    engine/training/methods/standard.py for its signature); it is given the options as keywords, and `alpha` if the
    method has one.
    options: a Section; a name that another method has, too, must have the same type there, and may have another
    default. alpha: the default step size, from eps and the data set's step size of PGD, all fractions in [0,1]; None
    for a method without a step size.
    updates: weight updates on each minibatch. signals: whether the method knows the losses before and after its attack,
    from which the overfitting signal comes. adversarial: whether it aims at robust accuracy.
    """

    name: str
    summary: str
    paper: str
    step: Callable[..., Any]
    options: type[Section] = NoOptions
    alpha: Callable[[float, float], float] | None = None
    cost: Callable[[Any], Cost] = lambda options: Cost()
    updates: Callable[[Any], int] = lambda options: 1
    signals: bool = False
    adversarial: bool = True

    @property
    def defaults(self) -> dict[str, Any]:
        """The options by name, with their default values."""
        return {field.name: field.default for field in fields_of(self.options)}


@cache
def methods() -> Mapping[str, MethodSpec]:
    """Every training method by its name.

    Raises: ConfigError, if two have the same name, or the same option with different types.
    """
    built_in = tuple(import_module(name) for name in BUILT_IN)  # by name: they stand above this package
    found: dict[str, MethodSpec] = {}
    for spec in found_in((*built_in, *plugins()), "METHOD"):
        if spec.name in found:
            raise ConfigError(f"two training methods are called {spec.name}")
        found[spec.name] = spec
    _check_types(found)
    return found


def _check_types(specs: Mapping[str, MethodSpec]) -> None:
    seen: dict[str, tuple[str, Any]] = {}
    for spec in specs.values():
        for field in fields_of(spec.options):
            first, kind = seen.setdefault(field.name, (spec.name, field.type))
            if kind != field.type:
                raise ConfigError(f"the option {field.name} of {spec.name} has another type than that of {first}")


def methods_with(option: str) -> list[str]:
    """The names of the methods that have an option."""
    return [name for name, spec in methods().items() if option in spec.defaults]


def check_option(method: str, key: str) -> None:
    """Refuse an option that a method does not have: it would change nothing. key: dotted, such as `method.steps`.

    Raises: ConfigError.
    """
    section, _, option = key.rpartition(".")
    spec = methods().get(method)
    if section != "method" or spec is None or option == "name":
        return
    own = [*(["alpha"] if spec.alpha else []), *spec.defaults]
    if option not in own:
        others = (
            [name for name, other in methods().items() if other.alpha] if option == "alpha" else methods_with(option)
        )
        has = f"it has {', '.join(own)}" if own else "it has no options"
        raise ConfigError(f"{key} is an option of {' and '.join(others)}, not of {method}; {has}")
