"""Makes the network that a function or class of the user gives."""

import copy
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedParameter

from engine.config.datasets import DatasetFacts
from engine.config.errors import ConfigError, UserError
from engine.config.sections import ModelConfig
from engine.config.user_code import MODEL_COPY, UserCode, file_to_run
from engine.runtime.user_code import blame, load

Maker = Callable[..., Any]


def path_of(config: ModelConfig, folder: Path | None) -> Path:
    """The file to run: the copy in the run directory `folder`, if there is one, else the user's file.

    Raises: ConfigError, if the file is missing or is not the one that the run was submitted with.
    """
    assert config.user_code is not None
    return file_to_run(config.user_code, config.code, folder, MODEL_COPY)


def load_maker(code: UserCode, path: Path) -> Maker:
    """Import the user's code. Torch's global generator stays as it is, so the seed alone decides initial weights.

    Raises: ConfigError, if the import fails, or the name is no function and no class.
    """
    with torch.random.fork_rng(devices=[]):
        maker = load(code, path)
    if isinstance(maker, nn.Module):
        raise ConfigError(
            f"{code.short}: {code.name} is a network already; name a function or class that makes one, so that the "
            "seed decides its weights"
        )
    if not callable(maker):
        raise ConfigError(f"{code.short}: {code.name} is {_a(maker)}; name a function or class that gives a network")
    called: Maker = maker
    return called


def user_network(config: ModelConfig, facts: DatasetFacts, folder: Path | None = None) -> nn.Module:
    """The user's network, with new weights. It takes images in [0,1], (B, C, H, W). folder: as for `path_of`.

    Raises: ConfigError, if the file cannot be used, or gives no network.
    """
    path = path_of(config, folder)
    assert config.user_code is not None
    return call_maker(load_maker(config.user_code, path), config, facts, path)


def call_maker(maker: Maker, config: ModelConfig, facts: DatasetFacts, path: Path) -> nn.Module:
    """The network that a function or class gives. It gets `classes` and `image_shape`, (C, H, W), if it has parameters
    of these names, and the arguments that the user has set. path: its file, for messages.

    Raises: ConfigError, if the call fails or gives no network.
    """
    code = config.user_code
    assert code is not None
    known = {"classes": facts.classes, "image_shape": (facts.channels, facts.height, facts.width)}
    taken = {name: value for name, value in known.items() if name in _parameters(maker)}
    try:
        network = maker(**(taken | config.arguments))
    except UserError:
        raise
    except (Exception, SystemExit) as error:  # the user's code can raise anything
        raise ConfigError(blame(error, code, path)) from None
    if not isinstance(network, nn.Module):
        raise ConfigError(f"{code.short}: {code.name} gives {_a(network)}, and no torch.nn.Module")
    if any(isinstance(p, UninitializedParameter) for p in network.parameters()):
        raise ConfigError(f"{code.short}: its lazy layers have no size yet; write their sizes, as in nn.Linear(64, 10)")
    return network


def note_random_numbers(model: nn.Module, images: Tensor) -> None:
    """Note in a network of unknown layers whether it draws random numbers in training (see `has_random_layers`).

    images: a few, of any content. Weights, statistics and torch's generator stay as they are.
    """
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        before = torch.random.get_rng_state()
        copy.deepcopy(model).train()(images)
        model.draws = not torch.equal(before, torch.random.get_rng_state())  # type: ignore[assignment]


def _parameters(maker: Maker) -> tuple[str, ...]:
    try:
        return tuple(inspect.signature(maker).parameters)
    except (TypeError, ValueError):  # written in C
        return ()


def _a(value: object) -> str:
    name = type(value).__name__
    return "nothing" if value is None else f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"
