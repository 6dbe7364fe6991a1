"""What the history says of a run in each column."""

from collections.abc import Callable

from engine.config.units import units
from fastadv_tui.history.row import Row
from fastadv_tui.text.quantities import GLYPHS, ago, attack_name, duration, percent, size, work

CELLS: dict[str, Callable[[Row], str]] = {
    "id": lambda row: row.id,
    "status": lambda row: f"{GLYPHS[row.status]} {row.status}",
    "name": lambda row: row.name,
    "dataset": lambda row: row.dataset,
    "method": lambda row: row.method,
    "preset": lambda row: row.preset,
    "eps": lambda row: units(row.eps),
    "alpha": lambda row: units(row.alpha),
    "seed": lambda row: str(row.seed),
    "clean": lambda row: percent(row.clean),
    "robust": lambda row: percent(row.robust),
    "attack": lambda row: attack_name(row.attack) if row.final or not row.attack else f"({attack_name(row.attack)})",
    "epochs": lambda row: f"{row.epochs:.3g}/{row.total_epochs:.3g}",
    "duration": lambda row: duration(row.duration),
    "images_per_second": lambda row: f"{row.images_per_second:,.0f}",
    "peak_memory": lambda row: size(row.peak_memory) if row.peak_memory else "",
    "flops": lambda row: work(row.flops) if row.flops else "",
    "submitted": lambda row: ago(row.submitted),
    "tags": lambda row: " ".join(row.tags),
    "note": lambda row: row.note,
}
