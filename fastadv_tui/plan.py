"""What a filled form means: one run or a sweep, as a command, and how long it will take."""

import statistics
from collections.abc import Iterable, Mapping
from typing import Any, get_args

import msgspec
from msgspec import Struct

from engine.config.errors import ConfigError
from engine.config.keys import SHORT_KEYS, choices, description, fields, flatten
from engine.config.presets import PRESETS
from engine.config.run import RunConfig
from engine.config.units import units
from engine.protocol.rundir import RunDir
from fastadv_tui.errors import UserError
from fastadv_tui.history.row import Row
from fastadv_tui.history.run_settings import changed_settings, settings_of
from fastadv_tui.submission import configure, grid

OPTIONS = {
    "method.name": "--method", "eps": "--eps", "method.alpha": "--alpha", "epochs": "--epochs", "seed": "--seed",
    "batch_size": "--batch-size", "precision": "--precision", "compile": "--compile", "device": "--device",
    "model.name": "--model", "data_dir": "--data-dir", "preset": "--preset", "name": "--name", "eval.attack": "--eval",
}  # fmt: skip
ALIKE = (
    "model.name", "model.width", "model.depth", "batch_size", "phases", "micro_batch", "method.name", "method.steps",
    "method.replays",
)  # fmt: skip
FREE_TEXT = ("name", "data_dir")


class Plan(Struct, frozen=True):
    """The runs that a form stands for, and the command that would submit the same."""

    configs: list[RunConfig]
    command: list[str]


def plan(typed: Mapping[str, str]) -> Plan:
    """Read a form: texts by dotted key, `dataset` among them. Fields with several values span a grid.

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
    return Plan(configs, _sweep(dataset, given, axes, seeds) if len(configs) > 1 else _run(dataset, given))


def texts_of(rundir: RunDir) -> dict[str, str]:
    """The form of an existing run: its data set, preset, and what it changed. Raises: UserError."""
    try:
        config = rundir.submission().config
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{rundir.config} cannot be read: {error}") from None
    changed = {key: as_text(key, value) for key, value in changed_settings(config).items()}
    return {
        "dataset": config.dataset,
        "preset": config.preset,
        "seed": str(config.seed),
        "name": config.name,
        **changed,
    }


def as_text(key: str, value: Any) -> str:
    """A value as a user would type it."""
    if value is None:
        return ""
    if key in fields() and "1/255" in str(fields()[key].type):
        return units(value) if value * 255 >= 1 else f"{units(value)}/255"
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, tuple | list) else str(value)


def placeholder(config: RunConfig, key: str) -> str:
    """What an empty field would be."""
    if key == "method.alpha":
        return units(config.alpha)
    return as_text(key, flatten(config)[key])


def meaning(key: str) -> str:
    """What a field means, its unit, and what it may be."""
    kind = str(fields()[key].type)
    allowed = f": {', '.join(map(str, choices(key)))}" if "Literal" in kind and not _optional(key) else ""
    if key == "preset":
        allowed = f": {', '.join(PRESETS)}"
    return f"{description(key)}{allowed}{', in 1/255' if '1/255' in kind else ''}"


def expected_seconds(config: RunConfig, rows: Iterable[Row]) -> float | None:
    """Seconds that a run would take, from past ones on the same network, data and method; None without any."""
    wanted = {**flatten(config), "dataset": config.dataset}
    paces = [
        row.duration / row.epochs
        for row in rows
        if row.dataset == config.dataset and row.status == "done" and row.epochs and _alike(settings_of(row), wanted)
    ]
    return statistics.median(paces) * config.epochs if paces else None


def _alike(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return all(one.get(key) == other.get(key) for key in ALIKE)


def _optional(key: str) -> bool:
    return type(None) in get_args(fields()[key].type)


def _several(text: str) -> bool:
    return "," in text or "-" in text.strip()[1:]


def _is_axis(key: str, text: str) -> bool:
    return "," in text and "tuple" not in str(fields()[key].type)


def _run(dataset: str, given: Mapping[str, str]) -> list[str]:
    words = ["fastadv", "run", dataset]
    for key, text in given.items():
        words += [OPTIONS[key], text] if key in OPTIONS else ["--set", f"{key}={text}"]
    return words


def _sweep(dataset: str, given: Mapping[str, str], axes: Mapping[str, str], seeds: str | None) -> list[str]:
    short = {full: short for short, full in SHORT_KEYS.items()}
    words = ["fastadv", "sweep", dataset]
    for key, text in axes.items():
        words += ["--grid", f"{short.get(key, key)}={text}"]
    for key, text in given.items():
        words += [OPTIONS[key], text] if key in ("preset", "data_dir") else ["--set", f"{short.get(key, key)}={text}"]
    return [*words, *(["--seeds", seeds] if seeds else [])]
