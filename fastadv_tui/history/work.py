"""How much of the work of a run was done, from its row. Phases with larger images cost more."""

from engine.config.errors import ConfigError
from engine.config.phases import parse
from fastadv_tui.history.row import Row
from fastadv_tui.history.run_settings import setting_of


def flops_done(row: Row) -> float:
    """Floating-point operations of the epochs that were trained; all that are planned if the epochs are unknown."""
    return flops_until(row, row.epochs) if 0 <= row.epochs < row.total_epochs else float(row.flops)


def flops_until(row: Row, epoch: float) -> float:
    """Floating-point operations of the first epochs."""
    return row.flops * work_until(row, epoch) / max(work_until(row, row.total_epochs), 1e-9)


def work_until(row: Row, epoch: float) -> float:
    """The work of the first epochs. Its unit is the work of an epoch, for phases that of an epoch with 1x1 pixels."""
    try:
        phases = parse(str(setting_of(row, "phases") or ""))
    except ConfigError:  # written by another version
        phases = ()
    if not all(phase.crop for phase in phases):
        return epoch
    done = [max(min(epoch, phase.end) - phase.begin, 0) * phase.crop**2 for phase in phases]
    return sum(done) if phases else epoch
