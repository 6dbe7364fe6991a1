"""The names of runs in lists and charts: with the seed where several runs share the name."""

from collections import Counter
from collections.abc import Iterable, Sequence

from fastadv_tui.history.row import Row
from fastadv_tui.text.sanitize import one_line


def names_with_seeds(rows: Iterable[Row]) -> dict[str, str]:
    """The name of each run by its id; with its seed, `fgsm s1`, if runs of other seeds have the same name."""
    rows = list(rows)
    seeds: dict[str, set[int]] = {}
    for row in rows:
        seeds.setdefault(row.name, set()).add(row.seed)
    return {row.id: f"{row.name} s{row.seed}" if len(seeds[row.name]) > 1 else row.name for row in rows}


def distinct_names(rows: Sequence[Row], limit: int, with_seeds: bool = True) -> list[str]:
    """A name of at most `limit` characters for each run: `fgsm`; where several share it, `fgsm s1`, else `fgsm k3f9`.

    with_seeds: False if the rows stand for groups of seeds.
    """
    named = names_with_seeds(rows) if with_seeds else {row.id: row.name for row in rows}
    shared = Counter(named.values())
    return [
        f"{one_line(row.name, max(limit - len(row.id) - 1, 1))} {row.id}"
        if shared[named[row.id]] > 1
        else one_line(named[row.id], limit)
        for row in rows
    ]
