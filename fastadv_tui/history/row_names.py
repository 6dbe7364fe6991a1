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


def names_text(rows: Iterable[Row]) -> str:
    """The names of the runs of one line, each once: `fgsm`, `fgsm, mine`."""
    return ", ".join(dict.fromkeys(row.name for row in rows))


def names_apart(rows: Iterable[Row]) -> dict[str, str]:
    """As `names_with_seeds`; with the id, too, where runs share name and seed: `fgsm s1 k3f9`."""
    named = names_with_seeds(rows)
    shared = Counter(named.values())
    return {run_id: f"{name} {run_id}" if shared[name] > 1 else name for run_id, name in named.items()}


def name_among(row: Row, rows: Iterable[Row]) -> str:
    """The name that tells a run from all others: `fgsm`, `fgsm s1` or `fgsm s1 k3f9`."""
    return names_apart(_same_name(row, rows))[row.id]


def label_among(row: Row, rows: Iterable[Row]) -> str:
    """A run for questions: its name, with the seed if runs of other seeds share it, and its id: `fgsm s1 (k3f9)`."""
    seed = names_with_seeds(_same_name(row, rows))[row.id].removeprefix(row.name)
    return f"{one_line(row.name, 30)}{seed} ({row.id})"


def _same_name(row: Row, rows: Iterable[Row]) -> list[Row]:
    return [row, *(other for other in rows if other.name == row.name and other.id != row.id)]


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
