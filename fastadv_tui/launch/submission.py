"""Turns what a user typed into a validated RunConfig, for the command line and for the launch form."""

import itertools
import re
import secrets
from collections.abc import Iterable, Mapping
from typing import Any

from engine.config import phases
from engine.config.attacks import has_step_size
from engine.config.datasets import USER_FUNCTION, own_spec, path_of, with_path
from engine.config.errors import ConfigError
from engine.config.keys import full_key, parse_value
from engine.config.norms import LINF, Norm
from engine.config.presets import build, preset_norm, scaled_from
from engine.config.run import RunConfig
from engine.config.settings import settings
from engine.config.units import both_units, reading_of
from engine.config.user_code import fingerprint_of, parse
from fastadv_tui.launch.axes import split
from fastadv_tui.launch.user_code import with_user_code
from fastadv_tui.paths import data_dir, ensure_home, typed_path

MAX_RUNS = 10_000  # of one sweep


def configure(dataset: str, typed: Mapping[str, str | None], preset: str | None = None) -> RunConfig:
    """The configuration for a data set and the texts that a user typed, by dotted key; None means not typed.

    Parses the texts, then calls `build`, which applies the preset.
    Raises: ConfigError, naming the setting, its value and what is allowed; HomeError, if the home folder is unusable.
    """
    norm = typed_norm(typed, preset_norm(dataset, preset))
    values = {key: parse_value(key, text, norm) for key, text in typed.items() if text is not None}
    keys = set(values)
    values["data_dir"] = _data_dir(values.get("data_dir") or "")
    if values.get("extra_data"):
        values["extra_data"] = str(typed_path(values["extra_data"]))  # the engine runs in another working folder
    dataset = absolute(dataset)
    if values.get("data_code"):
        raise ConfigError("data_code follows from the file of the data set; leave it out")
    values["data_code"] = code_of(dataset)
    config = with_user_code(build(dataset, values, preset))
    _check_phases(config, keys)
    _check_eps(config)
    return config


def typed_norm(typed: Mapping[str, str | None], otherwise: Norm) -> Norm:
    """The norm among the texts that a user typed. Raises: ConfigError, if there is no such norm."""
    text = typed.get("norm")
    norm: Norm = otherwise if text is None else parse_value("norm", text)
    return norm


def _check_eps(config: RunConfig) -> None:
    """Raises: ConfigError, if an adversarial method has no room for its attack. Old runs like that can be read."""
    if config.eps == 0 and config.method.spec.adversarial:
        raise ConfigError(
            f"eps = 0: the attack of {config.method.name} could not change an image; "
            "write an eps above 0, or use --method standard"
        )


def _check_phases(config: RunConfig, typed: set[str]) -> None:
    """Raises: ConfigError, if a typed setting has no effect because every phase sets its own value."""
    given = phases.parse(config.phases)
    overruled = {"batch_size"} if given and all(phase.batch_size for phase in given) else set()
    if given and given[0].lr is not None:
        overruled |= {f"optim.{name}" for name in ("lr", "schedule", "peak", "milestones", "gamma")}
    if dead := sorted(overruled & typed):
        raise ConfigError(
            f"{dead[0]} has no effect, because every phase sets its own value; "
            f'change the value in --set phases="{config.phases}"'
        )


def parse_pairs(pairs: Iterable[str]) -> dict[str, str]:
    """Read the `key=value` words of `--set` and `--grid`, as values by dotted key.

    Raises: ConfigError, if a word has no `=`, or two words have the same key.
    """
    found: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise ConfigError(f"{pair!r} has no `=`; write key=value, for example model.width=16")
        merge(found, {full_key(key.strip()): value.strip()})
    return found


def grid(axes: Mapping[str, str], seeds: str | None) -> list[dict[str, str]]:
    """The cross product of the axes (`eps` -> `2,4,8`) and the seeds (`0-2` or `0,3`): one dictionary per run.

    Raises: ConfigError, if an axis has no values or the seeds are not numbers.
    """
    values = {key: split(text) for key, text in axes.items()}
    if seeds is not None:
        values["seed"] = list(map(str, parse_seeds(seeds)))
    empty = [key for key, found in values.items() if not found]
    if empty:
        raise ConfigError(f"--grid {empty[0]}= has no values; write --grid {empty[0]}=A,B")
    return [dict(zip(values, chosen, strict=True)) for chosen in itertools.product(*values.values())]


def parse_seeds(text: str) -> list[int]:
    """The seeds in `0-2` or `0,3`, in their order.

    Raises: ConfigError, if a part is no number and no range, or if there are more than MAX_RUNS seeds.
    """
    ranges = [_range(part) for part in text.split(",")]
    if (count := sum(map(len, ranges))) > MAX_RUNS:
        raise ConfigError(f"--seeds {text!r} are {count:,} seeds: a sweep has at most {MAX_RUNS:,} runs")
    return [seed for part in ranges for seed in part]


def _range(text: str) -> range:
    match = re.fullmatch(r"\s*(\d{1,9})\s*(?:-\s*(\d{1,9})\s*)?", text)
    if not match or int(match[2] or match[1]) < int(match[1]):
        raise ConfigError(f"--seeds {text!r}: write 0-2 or 0,3,7")
    return range(int(match[1]), int(match[2] or match[1]) + 1)


def sweep_tag() -> str:
    """A new random tag that all runs of a sweep get."""
    return f"sweep-{secrets.token_hex(2)}"


def merge(typed: dict[str, Any], more: Mapping[str, Any]) -> None:
    """Add the settings `more` to the settings typed so far.

    Raises: ConfigError, if a setting of `more` is typed already.
    """
    for key, value in more.items():
        if typed.get(key) is not None:
            raise ConfigError(f"{key} is set twice, to {typed[key]} and to {value}; type one of them")
        typed[key] = value


def understood(config: RunConfig) -> str:
    """The perturbation sizes of a configuration, for linf in units of 1/255 and as fractions in [0,1]."""
    parts = [f"eps {both_units(config.eps, config.norm)}"]
    if config.method.spec.alpha:
        parts.append(f"alpha {both_units(config.alpha, config.norm)}")
    if has_step_size(config.eval.attack):
        parts.append(f"evaluation step {both_units(config.eval_step, config.norm)}")
    return " · ".join(parts)


def readings(typed: Mapping[str, str | None]) -> list[str]:
    """A line for each typed size whose unit is in doubt: how it was read, and how to write the other size.

    typed: texts by dotted key; a text may hold several values, separated by commas. With norm l2, no unit is in doubt.
    """
    norm = typed.get("norm") or LINF
    sizes = {key: text for key, text in typed.items() if text and key in settings() and settings()[key].is_size}
    return [
        f"{key} {reading}; write {value.strip()}/255 for the smaller size"
        for key, text in sizes.items()
        for value in text.split(",")
        if (reading := reading_of(value, norm))
    ]


def scaled_phases(config: RunConfig) -> str:
    """A line about the phases of the preset if they were scaled to the epochs of the run, else an empty text."""
    if (before := scaled_from(config)) is None:
        return ""
    return f"the phases of the preset were scaled from {before} epochs to {config.epochs}: {config.phases}"


def absolute(dataset: str) -> str:
    """The data set with an absolute path of the user's files, because the engine runs in another working folder."""
    path = path_of(dataset)
    return with_path(dataset, str(typed_path(path))) if path else dataset


def code_of(dataset: str) -> str:
    """The fingerprint of the user's file whose function gives the data; "" for other data sets. The file is only read.

    Raises: ConfigError, if the file cannot be read.
    """
    code = parse(dataset) if own_spec(dataset) is USER_FUNCTION else None
    return fingerprint_of(code.content()) if code else ""


def _data_dir(typed: str) -> str:
    """The absolute data folder, because the engine runs in another working folder.

    The default folder is created; a typed folder must exist.
    """
    if typed:
        return str(typed_path(typed))
    ensure_home()
    return str(data_dir())
