"""The runs of a table of `fastadv reproduce`: which there are, and which are still to train."""

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from engine.config.run import RunConfig
from fastadv_tui.history.paper_tables import PaperTable, Scale, TableRow, epochs_of, known_rows
from fastadv_tui.history.row import Row
from fastadv_tui.launch import again
from fastadv_tui.launch.submission import configure, merge


class ToDo(Struct, frozen=True):
    """What is left of a table. missing: no run has them. interrupted: runs to continue; diverged: runs to leave."""

    missing: list[RunConfig]
    interrupted: list[Row]
    diverged: list[Row]


def configs_of(table: PaperTable, scale: Scale, seeds: Iterable[int], typed: Mapping[str, str]) -> list[RunConfig]:
    """The runs of a table: all rows with the first seed, then all with the next one.

    typed: further settings of all runs, as texts by dotted key. Raises: ConfigError, if one of them is not allowed, or
    is one of those that make the table.
    """
    rows, _ = known_rows(table)
    return [_config(table, row, scale, seed, typed) for seed in seeds for row in rows]


def to_do(table: PaperTable, configs: Sequence[RunConfig], everything: Sequence[Row]) -> ToDo:
    """Which of the runs are still to train. everything: all rows of the history."""
    tags = [table.tag]
    ended = again.ended_early(configs, tags, everything)
    return ToDo(
        missing=again.lacking(configs, tags, everything),
        interrupted=[row for row in ended if row.outcome != "diverged"],
        diverged=[row for row in ended if row.outcome == "diverged"],
    )


def _config(table: PaperTable, row: TableRow, scale: Scale, seed: int, typed: Mapping[str, str]) -> RunConfig:
    settings = {
        "dataset": table.dataset, "name": f"{table.name}: {row.name}", "seed": str(seed), **row.settings,
    }  # fmt: skip
    if scale.width is not None:
        settings["model.width"] = str(scale.width)
    if scale.epochs is not None:
        settings["epochs"] = str(epochs_of(table, row, scale.epochs))
    merge(settings, typed)
    return configure(settings.pop("dataset"), settings, settings.pop("preset", table.preset))
