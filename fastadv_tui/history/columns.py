"""The columns of the history: what each is called, how users compare its values, and how its values read."""

from collections.abc import Callable
from operator import attrgetter
from typing import Any, Literal

from msgspec import Struct

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


class Column(Struct, frozen=True):
    """One column.

    key: what users type; also the field of Row.
    title: the heading in `fastadv runs` and in comparisons; the history screen shows the key.
    kind: a size is a fraction in [0,1] that users type in units of 1/255; a fraction is in [0,1]; a time is a unix
        time; a duration is in seconds.
    value: what filters and sorting compare; None where it is unknown.
    text: the cell of a table.
    """

    key: str
    title: str
    kind: Kind
    value: Callable[[Row], Any]
    text: Callable[[Row], str]

    @property
    def ordered(self) -> bool:
        """Whether rows can be sorted and filtered by this column."""
        return self.kind != "list"

    def text_or(self, row: Row, unknown: str) -> str:
        """The cell of a table, or `unknown` where there is no value."""
        return unknown if self.value(row) is None else self.text(row)


def status_text(row: Row) -> str:
    """The status with its glyph: `✓ done`."""
    return f"{GLYPHS[row.status]} {row.status}"


def measured_by(row: Row) -> str:
    """What the accuracies stand on: `PGD-50-10 on 1,000`, the number being that of images."""
    return f"{attack_name(row.attack)} on {row.images:,}"


def _attack(row: Row) -> str:
    """The attack of the evaluation, in parentheses if that was made while training."""
    name = attack_name(row.attack)
    return name if row.final or not name else f"({name})"


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
        _column("eps", "size"),
        _column("alpha", "size"),
        _column("preset", "word"),
        _column("seed", "number"),
        _column("status", "word", status_text),
        _column("host", "word"),
        _column("submitted", "time", lambda row: format_age(row.submitted), title="when", zero_is_unknown=True),
        _column("started", "time", zero_is_unknown=True),
        _column("ended", "time", zero_is_unknown=True),
        _column("duration", "duration", title="took", zero_is_unknown=True),
        _column("epochs", "number", lambda row: f"{row.epochs:.3g}/{row.total_epochs:.3g}"),
        _column("total_epochs", "number", lambda row: f"{row.total_epochs:.3g}"),
        _column("clean", "fraction"),
        _column("robust", "fraction"),
        _column("attack", "word", _attack),
        _column("images", "number", lambda row: f"{row.images:,}"),
        _column("final", "flag"),
        _column("peak_memory", "number", lambda row: format_bytes(row.peak_memory) if row.peak_memory else "",
                title="memory", zero_is_unknown=True),
        _column("images_per_second", "number", lambda row: f"{row.images_per_second:,.0f}", title="images/s",
                zero_is_unknown=True),
        _column("flops", "number", lambda row: format_flops(row.flops) if row.flops else "", title="work",
                zero_is_unknown=True),
        _column("data_fingerprint", "word"),
        _column("code_fingerprint", "word"),
        _column("tags", "list"),
        _column("note", "word"),
        _column("pinned", "flag"),
    )
}  # fmt: skip
NO_COLUMNS = ("settings", "reason", "curve", "alarms")  # the fields of Row that are no column

# What the history screen can show, in the order in which its dialog offers the columns.
SHOWABLE = (
    "id", "status", "name", "dataset", "method", "preset", "eps", "alpha", "seed", "clean", "robust", "attack",
    "epochs", "duration", "images_per_second", "peak_memory", "flops", "submitted", "tags", "note",
)  # fmt: skip
