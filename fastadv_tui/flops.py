"""The work of a run before it starts, counted by the engine: one look at each network is enough."""

import subprocess
from collections.abc import Iterable

import msgspec

from engine.config.run import RunConfig
from engine.plan.cost import training_flops
from engine.protocol.provenance import engine_command
from engine.protocol.requests import Counted


class FlopCounter:
    """What is known of networks so far. `count` waits for a process that takes seconds; `total` never waits."""

    def __init__(self) -> None:
        self._counted: dict[tuple[object, ...], Counted | None] = {}

    def missing(self, configs: Iterable[RunConfig]) -> list[RunConfig]:
        """Those whose networks have not been counted yet, one for each network."""
        return list({_key(config): config for config in configs if _key(config) not in self._counted}.values())

    def count(self, config: RunConfig) -> None:
        """Have the engine count a network; one that it cannot count has no figure, and is not asked for again."""
        try:
            done = subprocess.run(engine_command("--flops"), input=msgspec.json.encode(config), capture_output=True)
            self._counted[_key(config)] = msgspec.json.decode(done.stdout, type=Counted)
        except (OSError, msgspec.DecodeError):
            self._counted[_key(config)] = None

    def total(self, config: RunConfig) -> int | None:
        """Floating-point operations of its training on the data of the release; None while not known."""
        counted = self._counted.get(_key(config))
        return training_flops(config, counted.passes, counted.train_images) if counted else None


def _key(config: RunConfig) -> tuple[object, ...]:
    return config.dataset, config.data_dir, config.model, frozenset(phase.crop for phase in config.phase_list)
