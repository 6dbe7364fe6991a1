"""The work of a run before it starts, counted by the engine: one look at each network is enough."""

import subprocess
from collections.abc import Iterable

import msgspec

from engine.config import ModelConfig, RunConfig
from engine.data.facts import DATASETS
from engine.provenance import engine_command
from engine.work import Passes, training_flops


class FlopCounter:
    """What is known of networks so far. `count` waits for a process that takes seconds; `total` never waits."""

    def __init__(self) -> None:
        self._passes: dict[tuple[str, ModelConfig], Passes | None] = {}

    def missing(self, configs: Iterable[RunConfig]) -> list[RunConfig]:
        """Those whose networks have not been counted yet, one for each network."""
        return list({_key(config): config for config in configs if _key(config) not in self._passes}.values())

    def count(self, config: RunConfig) -> None:
        """Have the engine count a network; one that it cannot count has no figure, and is not asked for again."""
        done = subprocess.run(engine_command("--flops"), input=msgspec.json.encode(config), capture_output=True)
        try:
            self._passes[_key(config)] = msgspec.json.decode(done.stdout, type=Passes)
        except msgspec.DecodeError:
            self._passes[_key(config)] = None

    def total(self, config: RunConfig) -> int | None:
        """Floating-point operations of its training on the data of the release; None while not known."""
        passes = self._passes.get(_key(config))
        return training_flops(config, passes, DATASETS[config.dataset].train_images) if passes else None


def _key(config: RunConfig) -> tuple[str, ModelConfig]:
    return config.dataset, config.model
