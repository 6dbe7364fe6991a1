"""What the history says of a run in each column."""

from collections.abc import Callable

from engine.config.units import units
from fastadv_tui.history.row import Row
from fastadv_tui.text.quantities import (
    GLYPHS,
    attack_name,
    format_age,
    format_bytes,
    format_duration,
    format_flops,
    format_percent,
)

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
    "clean": lambda row: format_percent(row.clean),
    "robust": lambda row: format_percent(row.robust),
    "attack": lambda row: attack_name(row.attack) if row.final or not row.attack else f"({attack_name(row.attack)})",
    "epochs": lambda row: f"{row.epochs:.3g}/{row.total_epochs:.3g}",
    "duration": lambda row: format_duration(row.duration),
    "images_per_second": lambda row: f"{row.images_per_second:,.0f}",
    "peak_memory": lambda row: format_bytes(row.peak_memory) if row.peak_memory else "",
    "flops": lambda row: format_flops(row.flops) if row.flops else "",
    "submitted": lambda row: format_age(row.submitted),
    "tags": lambda row: " ".join(row.tags),
    "note": lambda row: row.note,
}
