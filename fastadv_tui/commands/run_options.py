"""The options that say what to train. `run` and `sweep` have the same ones, by the decorator `run_options`."""

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import typer
from msgspec import Struct

from engine.config.datasets import dataset_names
from engine.config.methods import methods
from fastadv_tui.commands import completion
from fastadv_tui.commands.arguments import Set


class Asked(Struct, frozen=True):
    """What a user asks to train. Settings are texts by dotted key.

    typed: the settings of the command line. file: those of the file of `--config`, which the command line overrules.
    """

    dataset: str
    preset: str | None
    typed: dict[str, str]
    file: dict[str, str]

    @property
    def settings(self) -> dict[str, str]:
        """The settings of the file and of the command line."""
        return {**self.file, **self.typed}


def _text(help_: str, *names: str, **more: Any) -> Any:
    return Annotated[str | None, typer.Option(*names, help=help_, **more)]


OPTIONS: dict[str, tuple[str, Any]] = {  # by name of the parameter: dotted key of the setting, annotation
    "model": (
        "model.name",
        _text(
            "Network to train: preact-resnet18, torchvision's resnet50, timm:NAME, or your own, FILE.py:NAME.",
            autocompletion=completion.networks,
        ),
    ),
    "method": (
        "method.name",
        _text(
            f"Method that perturbs the training examples: {', '.join(methods())}.",
            autocompletion=completion.methods,
        ),
    ),
    "norm": ("norm", _text("Norm of the threat model.", metavar=completion.choices_of("norm"))),
    "eps": (
        "eps",
        _text(
            "Radius of the ball: 8 or 8/255. A number below 1, such as 0.3, is on the [0,1] scale. "
            "With --norm l2, a plain number: 0.5 or 128/255."
        ),
    ),
    "alpha": ("method.alpha", _text("Step size of the training attack, typed like eps; default: follows from eps.")),
    "epochs": ("epochs", _text("Number of passes over the training data.")),
    "batch_size": ("batch_size", _text("Number of images in a minibatch.")),
    "seed": ("seed", _text("Seed of initial weights, data order and noise.")),
    "precision": (
        "precision",
        _text("Floating-point format of training.", metavar=completion.choices_of("precision")),
    ),
    "compiling": (
        "compile",
        _text("Use torch.compile; auto: for long runs.", "--compile", metavar=completion.choices_of("compile")),
    ),
    "device": ("device", _text("Device to train on.", metavar="[auto|cpu|cuda:N]")),
    "extra_data": (
        "extra_data",
        _text("Npz file with further training images: arrays image (uint8) and label.", metavar="FILE"),
    ),
    "extra_fraction": ("extra_fraction", _text("Fraction of each minibatch that comes from --extra-data.")),
    "data_dir": ("data_dir", _text("Folder of the data sets; default: $FASTADV_HOME/data.")),
    "on_collapse": (
        "on_collapse",
        _text("What to do at catastrophic overfitting.", metavar=completion.choices_of("on_collapse")),
    ),
    "name": ("name", _text("Display name of the run.")),
    "evaluation": (
        "eval.attack",
        _text("Attack of the final evaluation: auto, none, pgd-STEPS[-RESTARTS], aa-quick or aa.", "--eval"),
    ),
}
OTHERS: dict[str, Any] = {  # parameters that are no settings
    "preset": _text(
        "Preset whose settings the run starts from, e.g. wong2020.",
        autocompletion=completion.presets,
    ),
    "config": _text(
        "TOML file with settings, as `fastadv show RUN --toml` prints it. Options overrule the file.", metavar="FILE"
    ),
    "settings": Set,
}
DATASET = Annotated[
    str | None,
    typer.Argument(
        metavar="DATASET",
        help=f"Data set: {dataset_names()}. Default: that of --config.",
        autocompletion=completion.datasets,
    ),
]


def run_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the argument and the options that say what to train. They are passed on as its first argument."""

    @functools.wraps(command)
    def with_options(**given: Any) -> None:
        own = {name: given.pop(name) for name in kept}
        command(asked_of(given), **own)

    _, *parameters = inspect.signature(command).parameters.values()
    kept = [parameter.name for parameter in parameters]
    annotations = {"dataset": DATASET, **{name: kind for name, (_, kind) in OPTIONS.items()}, **OTHERS}
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)
        for name, kind in annotations.items()
    ]
    own = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in parameters]
    with_options.__signature__ = inspect.Signature([*added, *own])  # type: ignore[attr-defined]
    with_options.__annotations__ = annotations | {parameter.name: parameter.annotation for parameter in own}
    return with_options


def asked_of(given: Mapping[str, Any]) -> Asked:
    """What the values of the options mean. given: by name of the parameter.

    Raises: ConfigError, if a setting is typed twice, no data set is named, or the file cannot be used.
    """
    from engine.config.errors import ConfigError
    from fastadv_tui.launch.submission import merge, parse_pairs
    from fastadv_tui.launch.toml_text import read_toml
    from fastadv_tui.paths import typed_path

    typed = {key: given[name] for name, (key, _) in OPTIONS.items() if given[name] is not None}
    merge(typed, parse_pairs(given["settings"] or ()))
    file = read_toml(typed_path(given["config"])) if given["config"] else {}
    in_file, preset = file.pop("dataset", None), file.pop("preset", None)
    dataset = given["dataset"] or in_file
    if not dataset:
        raise ConfigError("type a data set, such as `fastadv run digits`, or --config FILE")
    return Asked(dataset, given["preset"] or preset, typed, file)
