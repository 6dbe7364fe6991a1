"""Reads the launch form: the configurations of one run or of a sweep, and the command that submits the same."""

from collections.abc import Mapping

from msgspec import Struct

from engine.config.errors import ConfigError
from engine.config.keys import flatten
from engine.config.presets import PRESETS
from engine.config.run import RunConfig
from engine.config.settings import Kind, settings
from engine.config.units import units
from engine.protocol.rundir import RunDir
from fastadv_tui.launch.command_line import as_text, run_command, sweep_command
from fastadv_tui.launch.repeat import as_typed
from fastadv_tui.launch.submission import configure, grid

FREE_TEXT = ("name", "data_dir")


class LaunchPlan(Struct, frozen=True):
    """The configurations of the runs that a form describes, and the command that would submit the same runs."""

    configs: list[RunConfig]
    command: list[str]


def plan_form(typed: Mapping[str, str]) -> LaunchPlan:
    """Read a form: the typed texts by dotted key, with `dataset`. Fields with several values span a grid.

    Raises: ConfigError, UserError.
    """
    typed = dict(typed)
    dataset, preset = typed.pop("dataset", ""), typed.pop("preset", None)
    if not dataset:
        raise ConfigError("choose a data set: digits needs no download")
    seeds = typed.pop("seed") if _several(typed.get("seed", "")) else None
    axes = {key: text for key, text in typed.items() if key not in FREE_TEXT and _is_axis(key, text)}
    fixed = {key: text for key, text in typed.items() if key not in axes}
    configs = [configure(dataset, {**fixed, **chosen}, preset) for chosen in grid(axes, seeds)]
    given = {**fixed, **({"preset": preset} if preset else {})}
    return LaunchPlan(
        configs, sweep_command(dataset, given, axes, seeds) if len(configs) > 1 else run_command(dataset, given)
    )


def texts_of(rundir: RunDir) -> dict[str, str]:
    """The texts of a form for an existing run: data set, preset, seed, name and changed settings.

    Raises: SubmissionError.
    """
    return as_typed(rundir.submission().config)


def placeholder(config: RunConfig, key: str) -> str:
    """The value that an empty field stands for, as text."""
    if key == "method.alpha":
        return units(config.alpha)
    return as_text(key, flatten(config)[key])


def meaning(key: str) -> str:
    """The description of a setting, with its allowed values and its unit."""
    setting = settings()[key]
    first, stop, rest = setting.description.partition(". ")
    allowed = f" ({', '.join(setting.choices)})" if setting.choices and not setting.optional else ""
    if key == "preset":
        rest = f"{rest}. Presets: {', '.join(PRESETS)}"
    return f"{first}{allowed}{f', in units of {setting.unit}' if setting.unit else ''}{stop}{rest}"


def _several(text: str) -> bool:
    return "," in text or "-" in text.strip()[1:]


def _is_axis(key: str, text: str) -> bool:
    return "," in text and settings()[key].kind is not Kind.LIST
