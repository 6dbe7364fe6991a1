"""The columns of the history: each with its key, its title, its kind of value and its text."""

import math
from collections.abc import Callable, Iterable
from functools import cache, partial
from operator import attrgetter
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from engine.config.norms import Norm
from engine.config.settings import Kind as SettingKind
from engine.config.settings import Setting, settings
from engine.config.units import eps_text, units
from engine.protocol.evaluations import EvaluationRecord
from fastadv_tui.history.evaluations import short_text
from fastadv_tui.history.row import Row
from fastadv_tui.history.run_settings import setting_of
from fastadv_tui.history.work import flops_done
from fastadv_tui.text.quantities import (
    GLYPHS,
    attack_name,
    format_age,
    format_bytes,
    format_duration,
    format_flops,
    format_part_of_flops,
    format_percent,
    format_time,
)

Kind = Literal["word", "flag", "list", "size", "fraction", "time", "duration", "number"]
TEXT_OF_KIND: dict[Kind, Callable[[Any], str]] = {
    "word": str,
    "flag": lambda flag: "yes" if flag else "no",
    "list": " ".join,
    "size": units,
    "fraction": format_percent,
    "time": format_time,
    "duration": format_duration,
    "number": str,
}

NUMERIC = ("size", "fraction", "duration", "number")
EVALUATION = "eval:"  # begins the key of a column of results of `fastadv eval`, such as `eval:pgd-20`


class Column(Struct, frozen=True):
    """One column.

    key: the name that users type; also the field or property of Row.
    title: the heading in `fastadv runs` and in comparisons; the history screen shows the key.
    kind: a size is a perturbation size, in the unit of the run's norm; a fraction is in [0,1]; a time is a unix time; a
        duration is in seconds.
    value: returns the value of a row that filters and sorting compare; None if the value is unknown.
    text: returns the text of a row's table cell.
    """

    key: str
    title: str
    kind: Kind
    value: Callable[[Row], Any]
    text: Callable[[Row], str]

    @property
    def numeric(self) -> bool:
        """Whether the values are numbers that people compare digit by digit."""
        return self.kind in NUMERIC

    @property
    def sortable(self) -> bool:
        """Whether rows can be sorted and compared by this column."""
        return self.kind != "list"

    def text_or(self, row: Row, unknown: str) -> str:
        """The text of the table cell, or `unknown` if the row has no value in this column."""
        return unknown if self.value(row) is None else self.text(row)


def status_word(row: Row) -> str:
    """The status for users. A running run that was asked to stop is `stopping ...` until it has stopped."""
    return "stopping ..." if row.stopping else row.status


def status_text(row: Row) -> str:
    """The state with its glyph: `✓ done`, `▼ collapsed`."""
    return f"{GLYPHS[row.state]} {status_word(row) if row.live else row.state}"


def age_text(row: Row) -> str:
    """How long ago a run ended; for a run that has not ended, how long ago the run was submitted."""
    return format_age(row.ended or row.submitted)


def ended_text(row: Row) -> str:
    """How long ago a run ended; `-` if it has not, or if nobody knows."""
    return "-" if row.live or not row.ended else format_age(row.ended)


def reason_text(row: Row) -> str:
    """What went wrong in training and why the run ended: `collapsed`, or `diverged: the loss is nan at step 612`.

    A run that was rolled back says so, whatever came of it.
    """
    said = not row.outcome or row.reason.startswith(row.outcome) or row.state == row.outcome
    return "; ".join(filter(None, ["" if said else row.outcome, row.reason, rollback_text(row)]))


def rollback_text(row: Row) -> str:
    """Where training was rolled back: `rolled back at epoch 4`, `rolled back at epochs 4 and 9`, or empty."""
    epochs = [f"{epoch:.4g}" for epoch, _ in row.rollbacks]
    return f"rolled back at epoch{'s' * (len(epochs) > 1)} {' and '.join(epochs)}" if epochs else ""


def evaluation_text(row: Row) -> str:
    """The attack and the number of images of the newest evaluation: `PGD-50-10 on 1,000`."""
    return f"{attack_name(row.attack)} on {row.images:,}"


def _epochs(count: float) -> str:
    """A number of epochs with three digits at least: `2.22`, `15`, `1000`."""
    return f"{count:.3g}" if count < 999 else f"{count:.0f}"


def _trained(row: Row) -> str:
    """The epochs that were trained, of all; of all is unknown for a published result."""
    return f"{_epochs(row.epochs)}/{_epochs(row.total_epochs)}" if row.total_epochs else _epochs(row.epochs)


def _attack(row: Row) -> str:
    """The attack of the newest evaluation; in parentheses unless this was the final evaluation."""
    name = attack_name(row.attack)
    return name if row.final or not name else f"({name})"


def _work(row: Row) -> str:
    """The work that was done: `685 GFLOP`. Of an unfinished run, what is planned as well: `394 of 685 GFLOP`."""
    return format_part_of_flops(flops_done(row), row.flops) if row.flops else ""


def _memory(row: Row) -> float | None:
    """The memory of the device that the run trained on, in bytes; of a GPU, or main memory. None if unknown."""
    return (row.peak_memory if row.gpu_memory is None else row.gpu_memory) or None


def _memory_text(row: Row) -> str:
    """`3.0 GB`, and `3.0 GB GPU` for memory of a GPU."""
    memory = _memory(row)
    return "" if memory is None else format_bytes(memory) + (" GPU" if row.gpu_memory is not None else "")


def _column(
    key: str, kind: Kind, text: Callable[[Row], str] | None = None, title: str = "", zero_is_unknown: bool = False
) -> Column:
    field = attrgetter(key)
    value = (lambda row: field(row) or None) if zero_is_unknown else field
    return Column(key, title or key, kind, value, text or (lambda row: TEXT_OF_KIND[kind](field(row))))


COLUMNS = {
    column.key: column
    for column in (
        _column("id", "word"),
        _column("name", "word"),
        _column("dataset", "word"),
        _column("method", "word"),
        _column("norm", "word"),
        _column("eps", "size", lambda row: eps_text(row.eps, row.norm)),
        _column("alpha", "size", lambda row: units(row.alpha, row.norm)),
        _column("preset", "word"),
        _column("seed", "number"),
        _column("status", "word", status_text),
        _column("host", "word"),
        _column("submitted", "time", lambda row: format_age(row.submitted), zero_is_unknown=True),
        _column("started", "time", zero_is_unknown=True),
        _column("ended", "time", zero_is_unknown=True),
        _column("duration", "duration", title="took", zero_is_unknown=True),
        _column("training_time", "duration", title="training", zero_is_unknown=True),
        _column("epochs", "number", _trained),
        _column("total_epochs", "number", lambda row: _epochs(row.total_epochs)),
        _column("clean", "fraction"),
        _column("robust", "fraction"),
        _column("best_robust", "fraction", title="best robust"),
        _column("best_epoch", "number", lambda row: "" if row.best_epoch is None else _epochs(row.best_epoch),
                title="at epoch"),
        _column("attack", "word", _attack),
        _column("evaluations", "list", lambda row: "; ".join(map(short_text, reversed(row.evaluations)))),
        _column("images", "number", lambda row: f"{row.images:,}"),
        _column("final", "flag"),
        Column("peak_memory", "memory", "number", _memory, _memory_text),
        _column("images_per_second", "number", lambda row: f"{row.images_per_second:,.0f}", title="images/s",
                zero_is_unknown=True),
        Column("flops", "work", "number", lambda row: flops_done(row) if row.flops else None, _work),
        _column("data_fingerprint", "word"),
        _column("code_fingerprint", "word"),
        _column("tags", "list"),
        _column("note", "word"),
        _column("pinned", "flag"),
    )
}  # fmt: skip
FIELDS_WITHOUT_COLUMN = (
    "settings",
    "stopping",
    "reason",
    "curve",
    "alarms",
    "rollbacks",
    "replaced",
    "origin",
    "without_gradient",
    "answers",
    "gpu_memory",  # the column peak_memory shows it
)  # the fields of Row that have no column

COMPUTED = ("best_robust", "best_epoch")  # the columns that follow from fields of Row

OF_COLUMNS = ("method.name", "method.alpha", "epochs")  # the settings that columns of the row show already

# The columns of the row that the history screen can show, in the order of its dialog for choosing columns.
SHOWABLE = (
    "id", "status", "name", "dataset", "method", "preset", "norm", "eps", "alpha", "seed", "clean", "robust",
    "best_robust", "best_epoch", "attack", "images", "evaluations", "epochs", "training_time", "duration",
    "images_per_second", "peak_memory", "flops", "submitted", "tags", "note",
)  # fmt: skip


@cache
def column_of(key: str) -> Column | None:
    """The column of a key: of a field of the row, of a setting, or of the results of an attack (`eval:pgd-20`).

    The result of an attack is the newest one at the eps of the run. None if there is no such column.
    """
    if key in COLUMNS:
        return COLUMNS[key]
    if key in settings():
        return _setting_column(settings()[key])
    if key.startswith(EVALUATION):
        attack = key.removeprefix(EVALUATION)
        value = partial(_evaluated, attack=attack)
        return Column(key, attack_name(attack), "fraction", value, lambda row: format_percent(value(row)))
    return None


def text_of_mean(column: Column, row: Row, mean: float) -> str:
    """The text of a figure that is a mean over runs like `row`."""
    if column.key == "flops":  # a mean of work that was done, of which no part is left to do
        return format_flops(mean)
    if column.key == "peak_memory" and row.gpu_memory is not None:
        return column.text_or(replace(row, gpu_memory=mean), "-")
    return column.text_or(replace(row, **{column.key: mean}), "-")


def known_columns(rows: Iterable[Row]) -> list[str]:
    """The keys of all columns that the history screen can show: figures, results of the rows' attacks, settings."""
    attacks = dict.fromkeys(record.attack for row in rows for record in row.evaluations)
    others = [key for key in settings() if key not in COLUMNS and key not in OF_COLUMNS]
    return [*SHOWABLE, *(EVALUATION + attack for attack in attacks), *others]


def _evaluated(row: Row, attack: str) -> float | None:
    """The newest robust accuracy of the last weights under an attack at the eps of the run."""
    found = (
        record.robust
        for record in reversed(row.evaluations)
        if record.attack == attack and record.checkpoint == "last" and _same_threat(record, row)
    )
    return next(found, None)


def _same_threat(record: EvaluationRecord, row: Row) -> bool:
    return record.norm == row.norm and math.isclose(record.eps, row.eps, rel_tol=1e-9)


def _setting_column(setting: Setting) -> Column:
    if setting.is_size:
        kind: Kind = "size"
    else:
        kind = "number" if setting.kind in (SettingKind.INTEGER, SettingKind.NUMBER) else "word"
    key = setting.key
    return Column(
        key,
        key,
        kind,
        lambda row: setting_of(row, key),
        lambda row: _setting_text(kind, setting_of(row, key), row.norm),
    )


def _setting_text(kind: Kind, value: Any, norm: Norm) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ",".join(map(str, value))
    return units(value, norm) if kind == "size" else str(value)
