"""A table of `fastadv reproduce`: what one's own runs gave, beside the published results."""

import statistics
from collections.abc import Iterable, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from engine.config.norms import Norm
from fastadv_tui.history.accuracies import accuracy_of, evaluated_accuracy_of
from fastadv_tui.history.comparison import accuracy_text
from fastadv_tui.history.evaluations import kind_of
from fastadv_tui.history.paper_tables import PaperTable, Scale, TableRow, has_scale, of_table, row_of_run
from fastadv_tui.history.published_results import BY_ID, Published
from fastadv_tui.history.row import Row
from fastadv_tui.history.run_settings import setting_of, setting_text
from fastadv_tui.history.seed_groups import group_by_seed
from fastadv_tui.history.significance import MIN_SEEDS, Accuracy
from fastadv_tui.history.variants import EARLY_STOP, ON_COLLAPSE
from fastadv_tui.text.quantities import attack_name

NOT_SHOWN = ("epochs", "model.width", "method.name", "device", "precision", "compile")  # settings with their own column


class Cell(Struct, frozen=True):
    """text: for people. value: for programs; accuracies in [0,1]. plus_minus: the noise of an accuracy, in [0,1]."""

    text: str = "-"
    value: str | float | None = None
    plus_minus: float | None = None


class Reproduction(Struct, frozen=True):
    """The table. columns: titles. lines: one cell for each column. notes: what a reader must know."""

    columns: list[str]
    lines: list[list[Cell]]
    notes: list[str]


class _Line(Struct, frozen=True):
    """Runs of one row of the table that differ only in their seed; no runs: the row was not trained yet.

    others: settings beside those of row and size, as text. measured: accuracies by what was measured.
    """

    row: TableRow | None
    runs: list[Row] = []
    size: str = ""
    others: str = ""
    clean: Accuracy | None = None
    measured: dict[tuple[str, int], Accuracy] = {}
    published: Published | None = None


def reproduction_of(table: PaperTable, rows: Sequence[Row], scale: Scale, seeds: Sequence[int] | None) -> Reproduction:
    """The table from the finished runs in the history.

    scale: shows runs of this size only; its parts that are None fit all sizes. seeds: the same for seeds.
    """
    own = [row for row in of_table(table, rows) if _fits(table, row, scale, seeds)]
    finished = [row for row in own if row.status == "done" and row.final]
    lines = _lines(table, finished)
    measured = list(dict.fromkeys(kind for line in lines for kind in line.measured))
    sources = list(dict.fromkeys(line.published.source for line in lines if line.published))
    columns, cells = _own_part(table, lines, measured)
    right_columns, right = _published_part(lines, [source.words for source in sources])
    return Reproduction(
        columns=[*columns, *right_columns],
        lines=[[*left, *more] for left, more in zip(cells, right, strict=True)],
        notes=[*_notes(table, lines, len(own) - len(finished)), *_sources(lines, sources)],
    )


def _fits(table: PaperTable, run: Row, scale: Scale, seeds: Sequence[int] | None) -> bool:
    row = row_of_run(table, run)
    return row is not None and has_scale(table, row, run, scale) and (seeds is None or run.seed in seeds)


# -- lines ------------------------------------------------------------------------------------------------------


def _lines(table: PaperTable, finished: Sequence[Row]) -> list[_Line]:
    by_row: dict[str, list[_Line]] = {}
    for group in group_by_seed(finished):
        if (row := row_of_run(table, group.rows[0])) is not None:
            by_row.setdefault(row.name, []).append(_line_of(table, row, group.rows))
    found: list[_Line] = []
    for row in table.rows:
        published: list[Published | None] = [BY_ID[name] for name in row.published]
        first, *further = published or [None]
        own = by_row.get(row.name) or [_Line(row)]
        found += [replace(line, published=first if _suits(line, first) else None) for line in own]
        found += [_Line(None, published=each) for each in further]
    return found + [_Line(None, published=BY_ID[name]) for name in table.published]


def _suits(line: _Line, published: Published | None) -> bool:
    """Whether a published result can stand beside a line: runs with another eps have nothing to stand beside."""
    return published is None or not line.runs or _same_threat(line.runs[0], published.norm, published.eps)


def _line_of(table: PaperTable, row: TableRow, runs: list[Row]) -> _Line:
    measured = {}
    if (final := accuracy_of(runs, "robust")) is not None:
        measured[runs[0].attack, runs[0].images] = final
    for record in (record for run in runs for record in run.evaluations):
        key = record.attack, record.images
        if key in measured or record.checkpoint != "last" or not _same_threat(runs[0], record.norm, record.eps):
            continue
        if (accuracy := evaluated_accuracy_of(runs, kind_of(record))) is not None:
            measured[key] = accuracy
    width = setting_of(runs[0], "model.width") if table.width else ""
    size = f"{width}x{runs[0].total_epochs:g}"
    return _Line(row, runs, size, _others(table, row, runs[0]), accuracy_of(runs, "clean"), measured)


def _same_threat(run: Row, norm: Norm, eps: float) -> bool:
    return run.norm == norm and abs(run.eps - eps) < 1e-9


def _others(table: PaperTable, row: TableRow, run: Row) -> str:
    """The settings of a run that neither the row nor its own columns tell."""
    told = {*row.settings, *([ON_COLLAPSE] if EARLY_STOP in row.settings else [])}
    preset = {"preset": run.preset} if run.preset != table.preset else {}
    shown = {
        key: value
        for key, value in run.settings.items()
        if key not in told and key not in NOT_SHOWN and not key.startswith(("eval.", "watch."))
    }
    return ", ".join(f"{key}={setting_text(key, value, run.norm)}" for key, value in {**preset, **shown}.items())


# -- cells ------------------------------------------------------------------------------------------------------


def _own_part(
    table: PaperTable, lines: Sequence[_Line], measured: Sequence[tuple[str, int]]
) -> tuple[list[str], list[list[Cell]]]:
    attacks = [f"{attack_name(attack)} on {images:,}" for attack, images in measured]
    with_others = any(line.others for line in lines)
    columns = ["run", "size", *["settings"] * with_others, "n", "clean", *attacks, "time", "collapsed"]
    timed_by = [line for line in lines if line.row and line.row.name == table.timed_by]
    times = {(line.size, line.others): _seconds_of(line) for line in timed_by}
    cells = [
        [
            _word(_name(line)),
            _word(line.size),
            *[_word(line.others)] * with_others,
            _number(_seeds(line), "d") if line.runs else Cell(),
            _accuracy(line.clean),
            *(_accuracy(line.measured.get(kind)) for kind in measured),
            _ratio(_seconds_of(line), times.get((line.size, line.others))),
            _collapsed(line),
        ]
        for line in lines
    ]
    return columns, cells


def _published_part(lines: Sequence[_Line], sources: Sequence[str]) -> tuple[list[str], list[list[Cell]]]:
    columns = ["published clean", "published PGD", "published AutoAttack", "published n", "source"]
    return columns, [_published_cells(line.published, sources) for line in lines]


def _published_cells(published: Published | None, sources: Sequence[str]) -> list[Cell]:
    if published is None:
        return [Cell()] * 5
    number = 1 + sources.index(published.source.words)
    noise = None if published.std is None else published.std / 100
    return [
        _percent(published.clean),
        _percent(published.robust, noise),
        _percent(published.autoattack),
        _number(published.seeds, "d"),
        Cell(f"[{number}]", f"[{number}]"),
    ]


def _name(line: _Line) -> str:
    return line.row.name if line.row else line.published.name if line.published else ""


def _seeds(line: _Line) -> int:
    return len({run.seed for run in line.runs})


def _seconds_of(line: _Line) -> float | None:
    """Mean seconds of the training without evaluations, in units of one data set."""
    known = [run.epochs / run.images_per_second for run in line.runs if run.images_per_second]
    return statistics.fmean(known) if known else None


def _ratio(seconds: float | None, one: float | None) -> Cell:
    return _number(seconds / one, ".2f") if seconds and one else Cell()


def _collapsed(line: _Line) -> Cell:
    count = sum(run.outcome == "collapsed" for run in line.runs)
    return Cell(f"{count} of {len(line.runs)}" if count else "no", count) if line.runs else Cell()


def _accuracy(accuracy: Accuracy | None) -> Cell:
    return Cell() if accuracy is None else Cell(accuracy_text(accuracy), accuracy.value, accuracy.plus_minus)


def _percent(value: float | None, noise: float | None = None) -> Cell:
    if value is None:
        return Cell()
    plus_minus = "" if noise is None else f" ± {100 * noise:.1f}"
    return Cell(f"{value:.2f}{plus_minus}%", value / 100, noise)  # with the decimals of the source


def _number(value: float, form: str) -> Cell:
    return Cell(format(value, form), value)


def _word(text: str) -> Cell:
    return Cell(text or "-", text or None)


# -- notes ------------------------------------------------------------------------------------------------------


def _notes(table: PaperTable, lines: Sequence[_Line], unfinished: int) -> list[str]:
    if any(line.runs for line in lines):
        found = [
            f"size: {'width x epochs' if table.width else 'x epochs'}; n: number of seeds; time: of training, as a "
            f"multiple of {table.timed_by}, without evaluations",
            f"±: from {MIN_SEEDS} seeds on the standard deviation over seeds, else the standard error for the number "
            "of images",
        ]
    else:
        found = [f"no run is finished; `fastadv reproduce {table.name}` queues the runs"]
    if unfinished:
        found.append(f"not shown: {unfinished} run(s) that are not finished")
    return [*found, *filter(None, [table.note])]


def _sources(lines: Iterable[_Line], sources: Sequence[Any]) -> list[str]:
    """A line for each source, with what was trained and attacked there."""
    shown = [line.published for line in lines if line.published]
    found = []
    for number, source in enumerate(sources, 1):
        own = [published for published in shown if published.source == source]
        trained = dict.fromkeys(_training_words(published) for published in own)
        found.append(f"[{number}] {source.words}; {'; '.join(trained)}")
    return found


def _training_words(published: Published) -> str:
    parts = [published.network, f"{published.epochs} epochs" if published.epochs else ""]
    attack = attack_name(published.attack) if published.robust is not None else ""
    return ", ".join(filter(None, (*parts, attack)))
