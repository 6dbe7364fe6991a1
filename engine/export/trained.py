"""The trained network of a run, from a checkpoint, with what the network is."""

from dataclasses import dataclass
from pathlib import Path

import msgspec
from torch import nn

from engine.config.datasets import DatasetFacts, facts_of
from engine.config.errors import ConfigError
from engine.config.run import RunConfig
from engine.config.typed import decode
from engine.models import weight_file
from engine.models.build import build_network


@dataclass(frozen=True)
class Trained:
    """A network in eval mode on the CPU, and its run. step: weight updates of the checkpoint, 0 if unknown."""

    network: nn.Module
    config: RunConfig
    facts: DatasetFacts
    step: int


def trained_network(path: Path) -> Trained:
    """The network of a checkpoint, with the averaged weights if there are any.

    Raises: ConfigError, if the file is missing or damaged, or is no checkpoint that this version can read.
    """
    content, _ = weight_file.load(path)
    if not isinstance(content, dict) or "config" not in content or "model" not in content:
        raise ConfigError(f"{path} is no checkpoint of a run")
    try:
        config = decode(content["config"], RunConfig)
        facts = decode(content["facts"], DatasetFacts) if "facts" in content else facts_of(config.dataset)
        network = build_network(config.model, facts, path.parent)
        network.load_state_dict(content.get("averaged") or content["model"])
    except (msgspec.DecodeError, RuntimeError, TypeError) as error:
        text = str(error).partition("\n")[0]
        raise ConfigError(
            f"{path} cannot be read by this version of fastadv ({text}); use the version of the run"
        ) from None
    return Trained(network.eval(), config, facts, int(content.get("step", 0)))
