"""The tables that `fastadv reproduce` trains: their runs, and the published results beside them.

A run of a table is known by the tag `reproduce:TABLE`. Its settings tell which row of the table it belongs to.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from engine.config.errors import ConfigError
from engine.config.keys import parse_value
from engine.config.methods import methods
from engine.config.presets import PRESETS, preset_settings
from engine.config.settings import settings
from engine.config.suggest import did_you_mean
from fastadv_tui.history.row import Row
from fastadv_tui.history.run_settings import setting_of
from fastadv_tui.history.variants import has_settings

FULL = "full"
FASTER = {"small": "16x10", "tiny": "8x2"}  # of tables whose network has a width
FIXED_FASTER = {"small": "x3", "tiny": "x1"}
SCALE = re.compile(r"(\d{1,4})?x(\d{1,6})")


class TableRow(Struct, frozen=True):
    """A row of a table. settings: by dotted key, as a user would type them. published: ids of results beside it."""

    name: str
    settings: Mapping[str, str]
    published: tuple[str, ...] = ()

    @property
    def method(self) -> str:
        return self.settings["method.name"]


class PaperTable(Struct, frozen=True, kw_only=True):
    """A table.

    epochs: those of the full size; 0: those of the preset. width: whether the network has a width that can be changed.
    timed_by: name of the row whose training time counts as 1. published: ids of results that no row trains.
    note: what sets the runs apart from the published ones.
    """

    name: str
    summary: str
    dataset: str
    preset: str
    rows: tuple[TableRow, ...]
    epochs: int = 0
    width: bool = True
    timed_by: str = ""
    published: tuple[str, ...] = ()
    note: str = ""

    @property
    def tag(self) -> str:
        return f"reproduce:{self.name}"

    @property
    def scales(self) -> Mapping[str, str]:
        return FASTER if self.width else FIXED_FASTER


class Scale(Struct, frozen=True):
    """The size of the runs. width: channels of the first stage; epochs: of most methods. None: any, or the preset's."""

    width: int | None = None
    epochs: int | None = None


def _fgsm(init: str, alpha: int, *published: str, early: bool = False) -> TableRow:
    settings = {"method.name": "fgsm", "method.init": init, "method.alpha": str(alpha)}
    stop = {"early_stop.enabled": "true"} if early else {}
    return TableRow(f"{init} start, alpha {alpha}{', early stop' * early}", settings | stop, published)


def _of_method(name: str, *published: str, label: str = "", **settings: str) -> TableRow:
    options = {key.replace("__", "."): text for key, text in settings.items()}
    return TableRow(label or name, {"method.name": name, **options}, published)


TABLES = {
    table.name: table
    for table in (
        PaperTable(
            name="ablation",
            summary="FGSM on CIFAR-10 at eps 8: random, zero and previous start, step sizes 4 to 16, early stop",
            dataset="cifar10",
            preset="wong2020",
            rows=(
                *(_fgsm("random", alpha) for alpha in (4, 6, 8)),
                _fgsm("random", 10, "fgsm", "fgsm-rerun-8", "fgsm-rerun-17"),
                *(_fgsm("random", alpha) for alpha in (12, 14)),
                _fgsm("random", 16, "fgsm-alpha-16"),
                _fgsm("zero", 4),
                _fgsm("zero", 8, "fgsm-zero"),
                _fgsm("zero", 16),
                _fgsm("zero", 8, "fgsm-zero-early", early=True),
                _fgsm("previous", 4),
                _fgsm("previous", 8, "fgsm-previous"),
                _fgsm("previous", 16),
            ),
            timed_by="random start, alpha 10",
            note="the paper does not say the step size of its zero and previous start; here 8 stands beside them",
        ),
        PaperTable(
            name="methods",
            summary="FGSM, free and PGD-7 on CIFAR-10 at eps 8, with the schedule of DAWNBench",
            dataset="cifar10",
            preset="wong2020",
            rows=(
                _of_method("fgsm", "fgsm", "fgsm-rerun-8", "fgsm-rerun-17", "fgsm-weights"),
                _of_method("free", "free", "free-rerun-8", label="free, m=8", method__replays="8"),
                _of_method("pgd", "pgd-7", "pgd-7-rerun-8", label="pgd-7", method__steps="7"),
            ),
            timed_by="fgsm",
        ),
        PaperTable(
            name="science",
            summary="single-step methods since 2020 on CIFAR-10 at eps 8, with one recipe for all",
            dataset="cifar10",
            preset="wong2020",
            epochs=100,
            rows=(
                _of_method("fgsm", "fgsm", "fgsm-weights"),
                _of_method("nfgsm", "fastat-n-fgsm"),
                _of_method("sora"),
                _of_method("fgsm-uap", "fastat-fgsm-uap"),
                _of_method("liet", "fastat-liet"),
                _of_method("nuat", "fastat-nuat"),
                _of_method("gat", "fastat-gat"),
                _of_method(
                    "pgd", label="pgd-2", method__steps="2", method__alpha="4"
                ),  # eps/2, as two steps must reach the border
                _of_method("trades", method__steps="10"),
            ),
            timed_by="fgsm",
            published=("fastat-gradalign", "fastat-pgd-10-ema"),
            note="these runs have the learning rate of the preset, without label smoothing and averaged weights",
        ),
        PaperTable(
            name="mnist",
            summary="FGSM and PGD-40 on MNIST at eps 0.3",
            dataset="mnist",
            preset="wong2020-mnist",
            width=False,
            rows=(
                _of_method("fgsm", "fgsm-mnist", "fgsm-mnist-weights"),
                _of_method("pgd", label="pgd-40", method__steps="40"),
            ),
            timed_by="fgsm",
        ),
        PaperTable(
            name="imagenet",
            summary="FGSM and free (m=4) on ImageNet at eps 2 and 4",
            dataset="imagenet",
            preset="wong2020-imagenet",
            width=False,
            rows=(
                _of_method("fgsm", "fgsm-imagenet-2", label="fgsm, eps 2", eps="2"),
                _of_method("free", "free-imagenet-2", label="free m=4, eps 2", eps="2", method__replays="4"),
                _of_method("fgsm", "fgsm-imagenet-4", "fgsm-imagenet-weights", label="fgsm, eps 4", eps="4"),
            ),
            timed_by="fgsm, eps 2",
        ),
    )
}


def table_called(name: str) -> PaperTable:
    """Raises: ConfigError, if there is no such table."""
    if name not in TABLES:
        hint = did_you_mean(name, TABLES)
        raise ConfigError(f"unknown table {name!r}; use {', '.join(TABLES)}{f' ({hint})' if hint else ''}")
    return TABLES[name]


def known_rows(table: PaperTable) -> tuple[list[TableRow], list[str]]:
    """The rows whose methods this version has, and the names of the methods that it lacks."""
    known = [row for row in table.rows if row.method in methods()]
    return known, [row.method for row in table.rows if row.method not in methods()]


def parse_scale(table: PaperTable, text: str) -> Scale:
    """The scale that a user typed: `16x10`, `x10`, or a name. Raises: ConfigError."""
    if text == FULL:
        width = settings()["model.width"].default if table.width else None
        return Scale(width, table.epochs or PRESETS[table.preset].settings["epochs"])
    match = SCALE.fullmatch(table.scales.get(text, text))
    names = ", ".join((FULL, *(f"{name} ({size})" for name, size in table.scales.items())))
    if not match or (match[1] and not int(match[1])) or not int(match[2]):
        example = "16x10 (width 16, 10 epochs)" if table.width else "x10 (10 epochs)"
        raise ConfigError(f"--scale {text!r}: write {example}, or a name: {names}")
    if match[1] and not table.width:
        raise ConfigError(f"--scale {text}: the network of {table.name} has one width only; write x{match[2]}")
    return Scale(int(match[1]) if match[1] else None, int(match[2]))


def epochs_of(table: PaperTable, row: TableRow, epochs: int) -> int:
    """Epochs of a row at a scale. A method with fewer epochs in the preset keeps its share (free: 10 of 15)."""
    usual: int = PRESETS[table.preset].settings["epochs"]
    own: int = preset_settings(table.preset, row.method)["epochs"]
    return max(1, round(epochs * own / usual))


def has_scale(table: PaperTable, row: TableRow, run: Row, scale: Scale) -> bool:
    """Whether a run of a row has a scale."""
    if scale.width is not None and setting_of(run, "model.width") != scale.width:
        return False
    return scale.epochs is None or run.total_epochs == epochs_of(table, row, scale.epochs)


def row_of_run(table: PaperTable, run: Row) -> TableRow | None:
    """The row of the table that a run belongs to: of those whose settings the run has, the one that says most."""
    fitting = [row for row in table.rows if row.method in methods() and has_settings(run, _values(row))]
    return max(fitting, key=lambda row: len(row.settings), default=None)


def of_table(table: PaperTable, rows: Sequence[Row]) -> list[Row]:
    """The runs that were submitted for the table."""
    return [row for row in rows if table.tag in row.tags]


def _values(row: TableRow) -> dict[str, Any]:
    return {key: parse_value(key, text) for key, text in row.settings.items()}
