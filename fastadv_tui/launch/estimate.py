"""Estimates for the plan of a form: work, time, memory, and the place in the queue."""

from collections.abc import Callable, Iterable

from engine.config.run import RunConfig
from engine.protocol.requests import Counted
from fastadv_tui.errors import DeviceError
from fastadv_tui.history.row import Row
from fastadv_tui.launch.again import alike
from fastadv_tui.launch.cost import FlopCounter, PastPaces
from fastadv_tui.launch.form import LaunchPlan
from fastadv_tui.launch.line import Place, place_of_new
from fastadv_tui.launch.plan_text import Estimates
from fastadv_tui.supervise.queue import RunQueue

MAX_RUNS = 200  # runs of one plan whose starts and ends are forecast


class Estimator:
    """Collects estimates. `known` never waits; call `count` and `look` in threads.

    ask: asks the engine about the network of a run.
    """

    def __init__(self, ask: Callable[[RunConfig], Counted]) -> None:
        self._flops = FlopCounter(ask)
        self._queue = RunQueue.of_home()
        self._paces: PastPaces | None = None
        self._place: Place | None = None
        self._same: list[Row] = []
        self._problem = ""

    def known(self, plan: LaunchPlan, memory_total: int | None) -> Estimates:
        """What is known by now. memory_total: of this machine, in bytes."""
        paces = self._paces
        return Estimates(
            flops=[self._flops.total(config) for config in plan.variants],
            counting=self.uncounted(plan),
            seconds=[paces.seconds(config) if paces else None for config in plan.variants],
            memory=[paces.memory(config) if paces else None for config in plan.variants],
            memory_total=memory_total,
            place=self._place,
            same=self._same,
            problem=self._problem,
            uncountable=next(filter(None, map(self._flops.problem, plan.variants)), ""),
        )

    def uncounted(self, plan: LaunchPlan) -> bool:
        """Whether a network of the plan is not counted yet."""
        return bool(self._flops.missing(plan.variants))

    def count(self, plan: LaunchPlan, cancelled: Callable[[], bool]) -> None:
        """Have the engine count the networks that are new. Raises: SupersededError."""
        for config in self._flops.missing(plan.variants):
            if cancelled():
                return
            self._flops.count(config)

    def look(self, plan: LaunchPlan, rows: Iterable[Row]) -> None:
        """Look at the queue, at the runs that train, and at the past ones. rows: of the history. Raises: OSError."""
        rows = list(rows)
        self._paces = self._paces or PastPaces(rows)
        configs = plan.configs if plan.count <= MAX_RUNS else plan.variants[:1]
        self._same = alike(configs, rows)
        try:
            place = place_of_new(configs, rows, self._paces, self._queue)
        except DeviceError as error:
            self._place, self._problem = None, str(error)
        else:
            self._place, self._problem = place, ""
