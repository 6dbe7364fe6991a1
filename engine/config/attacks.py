"""The names of evaluation attacks. An attack is a sequence of stages; each attacks the images that are still right."""

import re
from collections.abc import Sequence
from importlib.util import find_spec

from engine.config.errors import ConfigError

DEFAULT = "pgd-50-10"  # the attack that `auto` stands for
COMPOSITES = {"aa-quick": ("apgd-ce", "apgd-t"), "aa": ("apgd-ce", "apgd-t", "fab-t", "square")}
SINGLE = COMPOSITES["aa"]  # stages with a name of their own
PACKAGE, FROM_PACKAGE = "pyautoattack", ("fab-t", "square")
SYNTAX = "pgd-STEPS[-RESTARTS], aa-quick, aa (AutoAttack), or stages such as apgd-ce+apgd-t"

TARGETS = 9  # of AutoAttack's targeted attacks: the classes that the network ranks highest, except the label
MIN_CLASSES_FOR_DLR = 4  # the loss of the targeted APGD divides by a difference of the four highest logits


def stages_of(name: str) -> tuple[str, ...]:
    """The stages of an attack: `aa-quick` gives ("apgd-ce", "apgd-t"), `pgd-10` gives ("pgd-10",).

    Raises: ConfigError, if the name is no attack's.
    """
    stages = COMPOSITES.get(name) or tuple(name.split("+"))
    if not all(stage in SINGLE or _pgd(stage) for stage in stages):
        raise ConfigError(
            f"unknown attack {name!r}: use auto, none, pgd-50-10 (50 steps, 10 restarts), pgd-10, aa-quick, "
            "aa (AutoAttack), or several such as apgd-ce+apgd-t"
        )
    if len(set(stages)) < len(stages):
        raise ConfigError(f"attack {name!r} has a stage twice; write each stage once")
    return stages


def parse_pgd(stage: str) -> tuple[int, int]:
    """The steps and restarts of a stage of PGD: `pgd-50-10` gives (50, 10), `pgd-10` gives (10, 1).

    Raises: ConfigError, if the stage is not PGD.
    """
    match = _pgd(stage)
    if not match:
        raise ConfigError(f"{stage!r} is not PGD; write pgd-50-10 (50 steps, 10 restarts) or pgd-10")
    return int(match[1]), int(match[2] or 1)


def has_step_size(name: str) -> bool:
    """Whether the setting `eval.step_size` has an effect on an attack. auto counts as PGD; none has no effect."""
    return name == "auto" or any(map(_pgd, name.split("+")))


def check_attack(name: str, classes: int) -> None:
    """Check that an attack, auto or none can be made on a data set with this number of classes.

    Raises: ConfigError, if pyautoattack is not installed, or if no stage is left.
    """
    if name in ("auto", "none"):
        return
    check_package(name)
    if not stages_for(stages_of(name), classes):
        raise ConfigError(
            f"attack {name!r} needs at least {MIN_CLASSES_FOR_DLR} classes, and the data set has {classes}; use "
            "apgd-ce or pgd-50-10"
        )


def check_package(name: str) -> None:
    """Raises: ConfigError, if the attack needs pyautoattack and the package is not installed."""
    needing = [stage for stage in FROM_PACKAGE if name in COMPOSITES and stage in COMPOSITES[name]]
    needing = needing or [stage for stage in FROM_PACKAGE if stage in name.split("+")]
    if needing and find_spec(PACKAGE) is None:
        raise ConfigError(
            f"attack {name!r} needs the package {PACKAGE} for {' and '.join(needing)}: "
            f"pip install {PACKAGE}, or use aa-quick"
        )


def stages_for(stages: Sequence[str], classes: int) -> tuple[str, ...]:
    """The stages that are defined for a data set with this number of classes."""
    return tuple(stage for stage in stages if stage != "apgd-t" or classes >= MIN_CLASSES_FOR_DLR)


def targets_for(classes: int) -> int:
    """The number of targets of a targeted attack on a data set with this number of classes."""
    return min(TARGETS, classes - 1)


def remarks_on(name: str, classes: int) -> list[str]:
    """What a user should know of an attack on a data set with this number of classes, one line each."""
    stages = stages_of(DEFAULT if name in ("auto", "none") else name)
    found = []
    if "apgd-t" in stages and classes < MIN_CLASSES_FOR_DLR:
        found.append(
            f"apgd-t is left out: its loss is defined for at least {MIN_CLASSES_FOR_DLR} classes, and the data set has "
            f"{classes}"
        )
    targeted = [stage for stage in stages_for(stages, classes) if stage in ("apgd-t", "fab-t")]
    if targeted and (targets := targets_for(classes)) < TARGETS:
        having = "has" if len(targeted) == 1 else "have"
        found.append(f"{' and '.join(targeted)} {having} {targets} targets instead of {TARGETS}: {classes} classes")
    return found


def _pgd(stage: str) -> re.Match[str] | None:
    return re.fullmatch(r"pgd-([1-9]\d{0,5})(?:-([1-9]\d{0,5}))?", stage, re.ASCII)
