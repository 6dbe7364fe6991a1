"""Estimates of a run before it starts: floating-point operations, and seconds by the pace of past runs."""

import statistics
from collections.abc import Callable, Iterable

from engine.config.keys import flatten
from engine.config.run import RunConfig
from engine.plan.cost import training_flops
from engine.protocol.requests import Counted
from fastadv_tui.errors import UserError
from fastadv_tui.history.row import Row
from fastadv_tui.history.run_settings import as_stored, setting_of
from fastadv_tui.runs import engine_client
from fastadv_tui.runs.engine_server import SupersededError


class FlopCounter:
    """Counts each network once and keeps the counts. `count` waits for the engine; `total` never waits.

    ask: asks the engine about the network of a run; by default in a process of its own, which takes seconds.
    """

    def __init__(self, ask: Callable[[RunConfig], Counted] = engine_client.count_flops) -> None:
        self._ask = ask
        self._counted: dict[tuple[object, ...], Counted | str] = {}  # a text: why there is no figure

    def missing(self, configs: Iterable[RunConfig]) -> list[RunConfig]:
        """The configurations whose networks are not counted yet, one per network."""
        return list({_key(config): config for config in configs if _key(config) not in self._counted}.values())

    def count(self, config: RunConfig) -> None:
        """Let the engine count a network. A network that the engine cannot count gets no figure and no second try.

        Raises: SupersededError, if the engine was asked something else meanwhile.
        """
        try:
            self._counted[_key(config)] = self._ask(config)
        except SupersededError:
            raise
        except UserError as error:
            self._counted[_key(config)] = str(error)

    def total(self, config: RunConfig) -> int | None:
        """Floating-point operations of the training on the official data set; None while they are unknown."""
        counted = self._counted.get(_key(config))
        if not isinstance(counted, Counted):
            return None
        return training_flops(config, counted.passes, counted.train_images)

    def problem(self, config: RunConfig) -> str:
        """Why the engine cannot count the network, in one line; empty if it can, or has not tried yet."""
        counted = self._counted.get(_key(config))
        return counted if isinstance(counted, str) else ""


def _key(config: RunConfig) -> tuple[object, ...]:
    crops = frozenset(phase.crop for phase in config.phase_list)
    return config.dataset, config.data_code, config.data_dir, config.model, crops


# Past runs with the same values of these settings predict the seconds per epoch of a new run.
PACE_KEYS = (
    "model.name", "model.width", "model.depth", "model.args", "batch_size", "phases", "micro_batch", "method.name",
    "method.steps", "method.replays",
)  # fmt: skip


class PastPaces:
    """What past runs took. Runs with equal values of PACE_KEYS on one data set count as alike."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._paces: dict[str, list[float]] = {}
        self._memory: dict[str, list[int]] = {}
        for row in rows:
            if row.status == "done" and row.epochs:
                alike = _likeness(row.dataset, (setting_of(row, key) for key in PACE_KEYS))
                self._paces.setdefault(alike, []).append(row.duration / row.epochs)
                if row.peak_memory:
                    self._memory.setdefault(alike, []).append(row.peak_memory)

    def seconds(self, config: RunConfig) -> float | None:
        """Estimated seconds of a run: its epochs times the median pace of runs that are alike; None without any."""
        paces = self._paces.get(_likeness_of(config))
        return statistics.median(paces) * config.epochs if paces else None

    def memory(self, config: RunConfig) -> float | None:
        """Estimated peak of a run's main memory in bytes: the median of runs that are alike; None without any."""
        peaks = self._memory.get(_likeness_of(config))
        return statistics.median(peaks) if peaks else None


def _likeness_of(config: RunConfig) -> str:
    values = flatten(config)
    return _likeness(config.dataset, (as_stored(values[key]) for key in PACE_KEYS))


def _likeness(dataset: str, values: Iterable[object]) -> str:
    return repr([dataset, *values])
