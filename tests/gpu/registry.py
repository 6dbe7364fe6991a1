"""What an acceptance check is: its number, name and times, how it runs on a CPU, and the figures that it finds."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

Status = Literal["ok", "FAIL", "skip", "slow", "info"]
TIMEOUT = 6.0  # times the expected seconds after which a check is killed
MIN_TIMEOUT = 90.0  # seconds; a check of two seconds may meet a busy disk


class Skip(Exception):  # noqa: N818  # it is no error
    """The check cannot be done here. The message says why."""


@dataclass(frozen=True)
class Machine:
    """Where the checks run. device: `cuda` or `cpu`. small: use small networks and few steps."""

    device: str
    small: bool = False

    @property
    def gpu(self) -> bool:
        return self.device == "cuda"

    @property
    def setting(self) -> str:
        """The value of the setting `device` for a run."""
        return "cuda:0" if self.gpu else "cpu"

    def size(self, full: int, small: int) -> int:
        """The first number, or the second one for a small check."""
        return small if self.small else full


@dataclass(frozen=True)
class Finding:
    """One figure of a check. limit: in words; empty if there is none."""

    what: str
    figure: str
    limit: str = ""
    status: Status = "info"


class Findings:
    """The figures of a check so far. Each method but `info`, `slow_below` and `slow_above` compares with a limit."""

    def __init__(self) -> None:
        self.found: list[Finding] = []

    def at_most(self, what: str, value: float, limit: float, unit: str = "") -> None:
        """NaN is not at most anything."""
        self._judge(what, value, f"<= {_number(limit)}{unit}", value <= limit, unit)

    def at_least(self, what: str, value: float, limit: float, unit: str = "") -> None:
        self._judge(what, value, f">= {_number(limit)}{unit}", value >= limit, unit)

    def equal(self, what: str, value: object, wanted: object) -> None:
        self._add(what, _text(value), f"= {_text(wanted)}", "ok" if value == wanted else "FAIL")

    def holds(self, what: str, value: bool, seen: str = "") -> None:
        """seen: what was found, in words."""
        self._add(what, seen or ("yes" if value else "no"), "it holds", "ok" if value else "FAIL")

    def slow_below(self, what: str, value: float, limit: float, unit: str = "") -> None:
        """A speed that is worth a look below the limit, and no failure."""
        self._add(what, _number(value) + unit, f">= {_number(limit)}{unit}", "ok" if value >= limit else "slow")

    def slow_above(self, what: str, value: float, limit: float, unit: str = "") -> None:
        """A time or a count that is worth a look above the limit, and no failure."""
        self._add(what, _number(value) + unit, f"<= {_number(limit)}{unit}", "ok" if value <= limit else "slow")

    def info(self, what: str, value: float | str, unit: str = "") -> None:
        self._add(what, value if isinstance(value, str) else _number(value) + unit, "", "info")

    def _judge(self, what: str, value: float, limit: str, ok: bool, unit: str) -> None:
        self._add(what, _number(value) + unit, limit, "ok" if ok else "FAIL")

    def _add(self, what: str, figure: str, limit: str, status: Status) -> None:
        self.found.append(Finding(what, figure, limit, status))


def _text(value: object) -> str:
    """A value as users read it; several values in a row."""
    return ", ".join(map(_text, value)) if isinstance(value, list | tuple) else str(value)


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


Work = Callable[[Machine, Findings], None]


@dataclass(frozen=True)
class Check:
    """One check.

    seconds: expected on a fast GPU. cpu_seconds: expected of the small check on one core. on_cpu: how the check runs on
    a CPU, in words; with `needs_gpu`, why it does not. alone: whether it needs a process of its own, because it changes
    switches of the process or may end it. environment: of that process. longest: seconds after which the check is
    killed; 0: TIMEOUT times what is expected, and at least MIN_TIMEOUT.
    """

    number: int
    name: str
    work: Work
    seconds: float
    cpu_seconds: float
    on_cpu: str
    needs_gpu: bool = False
    alone: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    longest: float = 0.0

    def expected(self, machine: Machine) -> float:
        """Seconds that the check should take."""
        return self.cpu_seconds if machine.small and not machine.gpu else self.seconds

    def timeout(self, machine: Machine) -> float:
        """Seconds after which the check is killed."""
        return self.longest or max(TIMEOUT * self.expected(machine), MIN_TIMEOUT)


CHECKS: dict[int, Check] = {}  # all checks of the modules that are loaded


def check(
    number: int,
    name: str,
    *,
    seconds: float,
    cpu_seconds: float,
    on_cpu: str,
    needs_gpu: bool = False,
    alone: bool = False,
    environment: Mapping[str, str] | None = None,
    longest: float = 0.0,
) -> Callable[[Work], Work]:
    """Register a function as a check. The parameters are the fields of `Check`."""

    def register(work: Work) -> Work:
        assert number not in CHECKS, f"two checks have the number {number}"
        apart, variables = alone or bool(environment), environment or {}
        CHECKS[number] = Check(number, name, work, seconds, cpu_seconds, on_cpu, needs_gpu, apart, variables, longest)
        return work

    return register
