"""Reads the launch form: the runs that it describes, or every error at the setting that it belongs to."""

import itertools
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct, structs

from engine.config.applies import DECIDING, applies
from engine.config.datasets import spec_of
from engine.config.errors import ConfigError
from engine.config.keys import flatten, parse_value, problem
from engine.config.norms import BOTH, LINF
from engine.config.presets import check_dataset, check_preset
from engine.config.run import RunConfig
from engine.config.settings import settings
from engine.config.units import units
from fastadv_tui.errors import UserError
from fastadv_tui.launch.axes import is_axis, values_of
from fastadv_tui.launch.command_line import as_text, run_command, sweep_command
from fastadv_tui.launch.form_fields import TAGS
from fastadv_tui.launch.submission import MAX_RUNS, configure, parse_seeds
from fastadv_tui.paths import data_dir

FIRST_DATASET = "digits"  # needs no download
MAX_DEFAULTS = 20  # characters of the defaults of several runs in one field
OWN_DEFAULTS = "each run its own"
MAX_VARIANTS = 256  # combinations that are checked while the user types; the start checks all


class LaunchPlan(Struct, frozen=True):
    """The runs that a form describes, and the command that would submit the same runs.

    variants: one configuration for each combination of the values, with the first of the `seeds`.
    """

    variants: list[RunConfig]
    seeds: list[int]
    command: list[str]

    @property
    def count(self) -> int:
        """The number of runs."""
        return len(self.variants) * len(self.seeds)

    @property
    def configs(self) -> list[RunConfig]:
        """The configurations of all runs, in the order in which they are submitted."""
        return [structs.replace(config, seed=seed) for config in self.variants for seed in self.seeds]


class FormReading(Struct, frozen=True):
    """What a form says. plan: None if there are errors. errors: by key, in one line each.

    shown: the settings that have an effect. defaults: by key, the text of the value that an empty field stands for.
    """

    plan: LaunchPlan | None
    errors: dict[str, str]
    shown: frozenset[str]
    defaults: dict[str, str]


def read_form(texts: Mapping[str, str]) -> FormReading:
    """Read the texts of a form, by dotted key. Texts of settings without an effect are ignored. Reads no file.

    Raises: UserError, if not even an empty form can be read, such as for an unusable home folder.
    """
    typed = {key: text for key in settings() if (text := texts.get(key, "").strip())}
    norms = [norm for norm in values_of("norm", typed.get("norm", "")) if norm in BOTH] or [LINF]
    errors = {key: error for key, text in typed.items() if (error := _own_error(key, text, norms))}
    if "dataset" not in typed:
        errors["dataset"] = f"choose a data set; {FIRST_DATASET} needs no download"
    sound = {key: text for key, text in typed.items() if key not in errors}
    deciding, _ = _sound_variants({key: sound[key] for key in DECIDING if key in sound})
    shown = frozenset(key for key in settings() if _is_offered(key, key in typed, deciding))
    sound = {key: text for key, text in sound.items() if key in shown}
    variants, conflicts = _sound_variants(sound)
    conflicts |= {key: error for key in conflicts if (error := _of_some_methods(key, deciding))}
    errors = {key: error for key, error in (errors | conflicts).items() if key in shown}
    plan = None
    if not errors:
        try:
            plan = _plan(sound, variants, texts.get(TAGS, "").split())
        except ConfigError as error:
            errors = {next((key for key in sound if is_axis(key, sound[key])), "seed"): str(error)}
    return FormReading(plan, errors, shown, _defaults(sound, variants))


def plan_form(texts: Mapping[str, str]) -> LaunchPlan:
    """The plan of a form, with every combination of its values checked.

    Raises: ConfigError, for the first error; UserError.
    """
    reading = read_form(texts)
    for key, error in reading.errors.items():
        raise ConfigError(f"{key}: {error}")
    assert reading.plan is not None
    if len(reading.plan.variants) < MAX_VARIANTS:
        return reading.plan
    sound = {key: text for key in reading.shown if (text := texts.get(key, "").strip())}
    return structs.replace(reading.plan, variants=_variants(sound, MAX_RUNS))


def _is_offered(key: str, typed: bool, configs: Sequence[RunConfig]) -> bool:
    """Whether a form shows a setting. Of the options of methods it offers those that all of its methods have.

    A typed option that only some have stays, with its error: to ignore it would start other runs than those meant.
    """
    having = [applies(key, config) for config in configs]
    return any(having) if typed or not key.startswith("method.") else all(having)


# -- errors -------------------------------------------------------------------------------------------------------


def _own_error(key: str, text: str, norms: Sequence[str]) -> str:
    """What is wrong with the text of a setting, whatever the others say; empty if nothing is.

    norms: of the runs, which decide how sizes are read.
    """
    try:
        if key == "seed" and is_axis(key, text):
            parse_seeds(text)
            return ""
        values = values_of(key, text)
        if not values:
            return "write a value before and after each comma"
        for value in values:
            _check_value(key, value, norms)
    except ConfigError as error:
        return _without_key(key, str(error)).removeprefix("--seeds ")
    return ""


def _check_value(key: str, value: str, norms: Sequence[str]) -> None:
    if key == "dataset":
        check_dataset(value)
    elif key == "preset":
        check_preset(value)
    else:
        try:
            for norm in norms:
                parse_value(key, value, norm)
        except ConfigError as error:
            raise ConfigError(problem(settings()[key], value) or str(error)) from None


def _sound_variants(typed: Mapping[str, str]) -> tuple[list[RunConfig], dict[str, str]]:
    """The configurations for as many of the texts as agree, and by key the errors of the others. Raises: UserError."""
    sound, errors = dict(typed), dict[str, str]()
    while True:
        try:
            return _variants(sound), errors
        except UserError as error:
            if not sound:
                raise
            key = _culprit(sound, str(error))
            errors[key] = _without_key(key, str(error))
            del sound[key]


def _of_some_methods(key: str, configs: Sequence[RunConfig]) -> str:
    """The error of an option that only some of the chosen methods have; empty for any other setting."""
    having, lacking = (
        list(dict.fromkeys(config.method.name for config in configs if applies(key, config) == has))
        for has in (True, False)
    )
    if not key.startswith("method.") or not having or not lacking:
        return ""
    return f"only {', '.join(having)} has it; empty this field, or start {', '.join(lacking)} in a form without it"


def _culprit(typed: Mapping[str, str], message: str) -> str:
    """The setting that an error belongs to: without it, the error is gone. Of several, the one that is named first."""

    def is_gone(key: str) -> bool:
        try:
            _variants({other: text for other, text in typed.items() if other != key})
        except UserError as error:
            return str(error) != message
        return True

    def place(key: str) -> int:
        found = message.find(key.rpartition(".")[2])
        return found if found >= 0 else len(message)

    return min(filter(is_gone, typed), key=place, default=next(iter(typed)))


def _without_key(key: str, message: str) -> str:
    """The message without the name and the value of its setting, which stand above it anyway."""
    section, _, leaf = key.rpartition(".")
    message = message.removeprefix(f"{key}: ").removeprefix(f"{section}: ")
    return re.sub(rf"^{re.escape(leaf)} = ('[^']*'|\([^)]*\)|\S+): ", "", message)


# -- runs ---------------------------------------------------------------------------------------------------------


def _variants(typed: Mapping[str, str], most: int = MAX_VARIANTS) -> list[RunConfig]:
    """One configuration for each combination of the values, up to a number. Raises: ConfigError, UserError."""
    given = {"data_dir": str(data_dir()), **typed}  # `configure` would create the default folder
    dataset, preset = given.pop("dataset", FIRST_DATASET), given.pop("preset", None)
    if is_axis("seed", seeds := given.get("seed", "")):
        given["seed"] = str(parse_seeds(seeds)[0])
    values = {key: values_of(key, text) for key, text in given.items()}
    combinations = itertools.islice(itertools.product(*values.values()), most)
    return [configure(dataset, dict(zip(values, chosen, strict=True)), preset) for chosen in combinations]


def _plan(typed: Mapping[str, str], variants: list[RunConfig], tags: Iterable[str]) -> LaunchPlan:
    """Raises: ConfigError, if there are more than MAX_RUNS runs."""
    given = dict(typed)
    dataset = given.pop("dataset")
    seeds = given.pop("seed") if is_axis("seed", given.get("seed", "")) else None
    numbers = parse_seeds(seeds) if seeds else [variants[0].seed]
    axes = {key: text for key, text in given.items() if is_axis(key, text)}
    count = len(numbers) * math.prod(len(values_of(key, text)) for key, text in axes.items())
    if count > MAX_RUNS:
        raise ConfigError(f"these are {count:,} runs; a sweep has at most {MAX_RUNS:,}")
    fixed = {key: text for key, text in given.items() if key not in axes}
    several = count > 1
    command = sweep_command(dataset, fixed, axes, seeds) if several else run_command(dataset, fixed)
    return LaunchPlan(variants, numbers, [*command, *(word for tag in tags for word in ("--tag", tag))])


def _defaults(typed: Mapping[str, str], variants: Sequence[RunConfig]) -> dict[str, str]:
    """By key, the value that an empty field stands for: of a typed setting, the value without it."""
    first = {key: values_of(key, text)[0] for key, text in typed.items() if key != "seed"}
    flats = [(config, flatten(config)) for config in variants]
    found = {
        key: _listed(dict.fromkeys(_default_text(config, flat, key) for config, flat in flats))
        for key in settings()
        if key not in typed
    }
    for key in typed:
        (others, *_), _ = _sound_variants({other: text for other, text in first.items() if other != key})
        found[key] = _default_text(others, flatten(others), key)
    if variants[0].norm != LINF:
        found["eps"] = ""  # a run of this norm has no eps but the typed one
    return found | {"dataset": ""}


def _listed(defaults: Iterable[str]) -> str:
    """The defaults of all runs of a form, which differ if they follow from a setting with several values."""
    texts = list(defaults)
    shown = " or ".join(texts)
    return shown if len(texts) == 1 or len(shown) <= MAX_DEFAULTS else OWN_DEFAULTS


def _default_text(config: RunConfig, flat: Mapping[str, Any], key: str) -> str:
    """The value of a setting in a run, as text; where the value follows from other settings, the one that follows.

    flat: all values of `config`, by key.
    """
    match key:
        case "method.alpha":
            return units(config.alpha, config.norm)
        case "eval.step_size":
            return units(config.eval_step, config.norm)
        case "crop_padding" if config.crop_padding is None:
            facts = spec_of(config.dataset).facts
            return str(facts.padding if facts else 0)
        case "name":
            return config.title
        case "data_dir" if config.data_dir == str(data_dir()):
            return "$FASTADV_HOME/data"
    return as_text(key, flat[key], config.norm).removesuffix(".0")
