"""Builds the `fastadv run` or `fastadv sweep` command that submits the same runs as a filled form."""

from collections.abc import Mapping
from typing import Any

from engine.config.keys import SHORT_KEYS
from engine.config.norms import LINF
from engine.config.settings import settings
from engine.config.units import typed_size

OPTIONS = {
    "method.name": "--method", "norm": "--norm", "eps": "--eps", "method.alpha": "--alpha", "epochs": "--epochs",
    "seed": "--seed", "batch_size": "--batch-size", "precision": "--precision", "compile": "--compile",
    "device": "--device", "model.name": "--model", "extra_data": "--extra-data", "extra_fraction": "--extra-fraction",
    "data_dir": "--data-dir", "preset": "--preset", "name": "--name", "eval.attack": "--eval",
}  # fmt: skip


def as_text(key: str, value: Any, norm: str = LINF) -> str:
    """A value as a user would type it: perturbation sizes in units of 1/255, booleans as true or false.

    norm: of the run; for l2, perturbation sizes are plain numbers. `parse_value` reads exactly this value again.
    """
    if value is None:
        return ""
    if key in settings() and settings()[key].is_size:
        return typed_size(value, norm)
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, tuple | list) else str(value)


def run_command(dataset: str, given: Mapping[str, str]) -> list[str]:
    """The words of `fastadv run` for a data set and settings, typed by dotted key."""
    words = ["fastadv", "run", dataset]
    for key, text in given.items():
        words += [OPTIONS[key], text] if key in OPTIONS else ["--set", f"{key}={text}"]
    return words


def sweep_command(dataset: str, given: Mapping[str, str], axes: Mapping[str, str], seeds: str | None) -> list[str]:
    """The words of `fastadv sweep`. given: settings of all runs; axes: settings with several values, as `2,4,8`."""
    short = {full: short for short, full in SHORT_KEYS.items()}
    words = ["fastadv", "sweep", dataset]
    for key, text in axes.items():
        words += ["--grid", f"{short.get(key, key)}={text}"]
    for key, text in given.items():
        words += [OPTIONS[key], text] if key in ("preset", "data_dir") else ["--set", f"{short.get(key, key)}={text}"]
    return [*words, *(["--seeds", seeds] if seeds else [])]
