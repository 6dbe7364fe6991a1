"""Estimates of a run before it starts: floating-point operations, and seconds by the pace of past runs."""

import statistics
import subprocess
from collections.abc import Iterable, Mapping
from typing import Any

from engine.config.keys import flatten
from engine.config.run import RunConfig
from engine.plan.cost import training_flops
from engine.protocol.requests import Counted
from fastadv_tui.errors import UserError
from fastadv_tui.history.row import Row
from fastadv_tui.history.run_settings import settings_of
from fastadv_tui.runs import engine_client


class FlopCounter:
    """Counts each network once and keeps the counts. `count` waits seconds for the engine; `total` never waits."""

    def __init__(self) -> None:
        self._counted: dict[tuple[object, ...], Counted | None] = {}
        self._engines: list[subprocess.Popen[bytes]] = []  # that count or have counted; two threads may count at once

    def missing(self, configs: Iterable[RunConfig]) -> list[RunConfig]:
        """The configurations whose networks are not counted yet, one per network."""
        return list({_key(config): config for config in configs if _key(config) not in self._counted}.values())

    def count(self, config: RunConfig) -> None:
        """Let the engine count a network. A network that the engine cannot count gets no figure and no second try."""
        try:
            self._counted[_key(config)] = engine_client.count_flops(config, self._engines.append)
        except UserError:
            self._counted[_key(config)] = None

    def stop(self) -> None:
        """Kill the engines that count: quitting must not wait for a count that nobody will see."""
        for engine in self._engines:
            engine.kill()  # does nothing to an engine that has ended

    def total(self, config: RunConfig) -> int | None:
        """Floating-point operations of the training on the official data set; None while they are unknown."""
        counted = self._counted.get(_key(config))
        return training_flops(config, counted.passes, counted.train_images) if counted else None


def _key(config: RunConfig) -> tuple[object, ...]:
    return config.dataset, config.data_dir, config.model, frozenset(phase.crop for phase in config.phase_list)


# Past runs with the same values of these settings predict the seconds per epoch of a new run.
PACE_KEYS = (
    "model.name", "model.width", "model.depth", "batch_size", "phases", "micro_batch", "method.name", "method.steps",
    "method.replays",
)  # fmt: skip


class PastPaces:
    """Seconds per epoch of past runs. Runs with equal values of PACE_KEYS on one data set count as alike."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._paces: dict[str, list[float]] = {}
        for row in rows:
            if row.status == "done" and row.epochs:
                self._paces.setdefault(_likeness(row.dataset, settings_of(row)), []).append(row.duration / row.epochs)

    def seconds(self, config: RunConfig) -> float | None:
        """Estimated seconds of a run: its epochs times the median pace of runs that are alike; None without any."""
        paces = self._paces.get(_likeness(config.dataset, flatten(config)))
        return statistics.median(paces) * config.epochs if paces else None


def _likeness(dataset: str, values: Mapping[str, Any]) -> str:
    return repr([dataset, *(values.get(key) for key in PACE_KEYS)])
