"""The names of runs in lists and charts: with the seed where several runs share the name."""

from collections.abc import Iterable

from fastadv_tui.history.row import Row


def names_with_seeds(rows: Iterable[Row]) -> dict[str, str]:
    """The name of each run by its id; with its seed, `fgsm s1`, if runs of other seeds have the same name."""
    rows = list(rows)
    seeds: dict[str, set[int]] = {}
    for row in rows:
        seeds.setdefault(row.name, set()).add(row.seed)
    return {row.id: f"{row.name} s{row.seed}" if len(seeds[row.name]) > 1 else row.name for row in rows}
