"""The training methods: one MethodSpec per method, known before torch is loaded.

A method is one file with the function that trains on a minibatch, and with `METHOD`, the MethodSpec. The spec gives the
allowed value of `method.name`, the options and their defaults, the help text, the cost in FLOPs and the default step
size. BUILT_IN lists the modules of the built-in methods. FASTADV_PLUGINS names modules with further methods.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib import import_module
from typing import Any

from msgspec import Struct

from engine.config.errors import ConfigError
from engine.config.norms import LINF
from engine.config.plugins import found_in, plugins
from engine.config.section import Section, fields_of

_FILES = ("standard", "fgsm", "nfgsm", "pgd", "free", "sora", "fgsm_uap", "liet", "nuat", "gat", "trades")
BUILT_IN = tuple(f"engine.training.methods.{name}" for name in _FILES)
DEFAULT_METHOD = "fgsm"


class NoOptions(Section, frozen=True):
    """The options of a method without options."""


class Cost(Struct, frozen=True):
    """How often a method runs the network for each image of a minibatch.

    Three fields count pairs of a forward and a backward pass. The backward pass computes gradients for the image only
    (attacks), for the weights only (updates), or for both (shared). Two fields count single passes: forward passes
    (forwards), and backward passes for the weights through a forward pass that is counted already (backwards).
    """

    attacks: int = 0
    updates: int = 1
    shared: int = 0
    forwards: int = 0
    backwards: int = 0


class MethodSpec(Struct, frozen=True, kw_only=True):
    """A training method.

    step: the function that perturbs a minibatch and updates the weights (engine/training/methods/standard.py documents
    its signature). The options are passed as keywords, and so is `alpha` if the method has a step size.
    options: a Section. Two methods may have an option of the same name: its type must be the same, its default may
    differ. alpha: computes the default step size from eps and the PGD step size of the data set, all in the same unit;
    None for a method without a step size. norms: of the threat models that the method is defined for. cost: the passes
    through the network, given the options.
    updates: weight updates on each minibatch, given the options. signals: whether the method knows the losses before
    and after its attack, which give the overfitting signal. aligns: whether it knows the input gradients before and
    after, which give PertAlign. adversarial: whether the method aims at robust accuracy. title: the method's name in
    figures; empty for `name`.

    capturable: whether a CUDA graph may hold the step, which repeats what one step did. Such a step does the same
    operations each time. It uses no number from the host that changes, as `learner.step` and `learner.progress`, and
    never waits for the device. It takes `batch.delta` of zeros for images that had no perturbation before.
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
    norms: tuple[str, ...] = (LINF,)
    aligns: bool = False
    adversarial: bool = True
    capturable: bool = False
    title: str = ""

    @property
    def defaults(self) -> dict[str, Any]:
        """The default values of the options, by name."""
        return {field.name: field.default for field in fields_of(self.options)}


@cache
def methods() -> Mapping[str, MethodSpec]:
    """All training methods by name.

    Raises: ConfigError, if two methods share a name, or share an option with different types.
    """
    built_in = tuple(import_module(name) for name in BUILT_IN)  # by name, as these packages import this one
    found: dict[str, MethodSpec] = {}
    for spec in found_in((*built_in, *plugins()), "METHOD"):
        if spec.name in found:
            raise ConfigError(f"two training methods are called {spec.name}: rename the one in FASTADV_PLUGINS")
        found[spec.name] = spec
    _check_types(found)
    return found


def _check_types(specs: Mapping[str, MethodSpec]) -> None:
    seen: dict[str, tuple[str, Any]] = {}
    for spec in specs.values():
        for field in fields_of(spec.options):
            first, kind = seen.setdefault(field.name, (spec.name, field.type))
            if kind != field.type:
                raise ConfigError(
                    f"the option {field.name} has different types in {spec.name} and {first}: rename one of the two"
                )


def methods_with(option: str) -> list[str]:
    """The names of the methods that have the option."""
    return [name for name, spec in methods().items() if option in spec.defaults]


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def step_sizes() -> str:
    """The default step sizes in words: `1.25 eps for fgsm; eps for nfgsm, free`."""
    users: dict[str, list[str]] = {}
    for name, spec in methods().items():
        if spec.alpha is not None:
            users.setdefault(_step_size(spec.alpha), []).append(name)
    return "; ".join(f"{size} for {', '.join(names)}" for size, names in users.items())


def _step_size(alpha: Callable[[float, float], float]) -> str:
    """What a default step size depends on, found by two trials."""
    trials = ((0.25, 0.01), (0.125, 0.02))  # eps and the PGD step size of the data set
    if all(alpha(eps, pgd_step) == pgd_step for eps, pgd_step in trials):
        return "eps/4 (mnist: 0.01)"
    first, second = (alpha(eps, pgd_step) / eps for eps, pgd_step in trials)
    return "its own rule" if first != second else "eps" if first == 1 else f"{first:g} eps"


def check_option(method: str, key: str) -> None:
    """Check that a method has an option. A method ignores options that it does not have.

    key: dotted, such as `method.steps`.

    Raises: ConfigError, if the method does not have the option.
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
        raise ConfigError(f"{key} is an option of {_listed(others)}, not of {method}; {has}")
