"""A comparison side by side: results with their noise, differences against one run, and the settings that differ."""

import statistics
from collections.abc import Callable, Sequence
from typing import Any

from msgspec.structs import replace

from engine.config.norms import LINF
from engine.config.settings import settings
from engine.config.units import eps_text, with_unit
from fastadv_tui.history.accuracies import accuracy_of, conditions_of, evaluated_accuracy_of, evaluation_kinds
from fastadv_tui.history.columns import COLUMNS, rollback_text, status_word, text_of_mean
from fastadv_tui.history.comparison_notes import BEST_ROBUST, cautions_of, notes_of, warnings_of
from fastadv_tui.history.comparison_table import Cell, Column, Line, Table
from fastadv_tui.history.leaderboard import line_text
from fastadv_tui.history.paper import is_published
from fastadv_tui.history.row import Row
from fastadv_tui.history.row_names import distinct_names, names_text
from fastadv_tui.history.run_settings import differing_settings, setting_of, setting_text
from fastadv_tui.history.seed_groups import group_by_seed, seeds_text
from fastadv_tui.history.significance import Accuracy
from fastadv_tui.text.quantities import attack_name, format_percent

MAX_NAME = 32  # characters of a name in a note
AMONG_RESULTS = ("dataset", "eps")  # settings that the results always show
OWN_WORDS = ("tags", "note")  # words of the user on a run, which a comparison of several has no room for
COSTS = ("training_time", "duration", "images_per_second", "flops", "peak_memory")


def compare(rows: Sequence[Row], by_seed: bool = False) -> Table:
    """Compare runs side by side. by_seed: runs that differ only in their seed are one column, with their mean.

    The baseline is the first pinned run, else the first run. Published results are columns behind those of the runs;
    they are no baseline, and have neither differences nor settings.
    """
    own, published = _own(rows), [[row] for row in rows if is_published(row)]
    groups = [group.rows for group in group_by_seed(own)] if by_seed else [[row] for row in own]
    columns = _columns([*groups, *published])
    pinned = next((place for place, column in enumerate(columns) if any(row.pinned for row in column.rows)), None)
    baseline = None if len(columns) < 2 or not own else pinned or 0
    results = _results(columns, baseline)
    return Table(
        columns=columns,
        baseline=baseline,
        pinned=pinned is not None and baseline is not None,
        results=results,
        settings=_settings(columns),
        known_settings=len(settings()) - len(_among_results(_own_columns(columns))),
        notes=notes_of(columns, baseline, results),
        cautions=cautions_of(columns),
        warnings=warnings_of(columns),
    )


def _own(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if not is_published(row)]


def _columns(groups: Sequence[Sequence[Row]]) -> list[Column]:
    named = [replace(rows[0], name=names_text(rows)) for rows in groups]
    names = distinct_names(named, MAX_NAME, with_seeds=all(len(rows) == 1 for rows in groups))
    return [
        Column(rows[0].id, name, [*rows])
        if len(rows) == 1
        else Column(f"{rows[0].id} ({len(rows)} runs)", f"{name} ({len(rows)})", [*rows])
        for rows, name in zip(groups, names, strict=True)
    ]


def _results(columns: Sequence[Column], baseline: int | None) -> list[Line]:
    grouped = any(len(column.rows) > 1 for column in columns)
    alone = sum(not is_published(column.first) for column in columns) == 1  # its settings do not differ from others
    kinds = evaluation_kinds([row for column in columns for row in column.rows])
    return [
        ("name", [_word(names_text(column.rows)) for column in columns]),
        ("status", [_word(_status(column)) for column in columns]),
        ("data set", [_word(column.first.dataset) for column in columns]),
        *([("method", [_word(column.first.method) for column in columns])] if alone else []),
        ("eps", [Cell(text=_eps(column.first), value=column.first.eps) for column in columns]),
        ("attack", [_word(_attack(column.first)) for column in columns]),
        *([("seed", [_word(_seeds(column)) for column in columns])] if grouped or alone else []),
        _accuracies("clean", columns, [accuracy_of(column.rows, "clean") for column in columns], baseline),
        _accuracies("robust", columns, [accuracy_of(column.rows, "robust") for column in columns], baseline),
        *(
            _accuracies(kind, columns, [evaluated_accuracy_of(column.rows, kind) for column in columns], baseline)
            for kind in kinds
        ),
        *_best_robust(columns),
        ("epochs trained", [_epochs(column) for column in columns]),
        *((COLUMNS[key].title, [_cost(column, key) for column in columns]) for key in COSTS),
        *([(key, [_own_words(column, key) for column in columns]) for key in OWN_WORDS] if alone else []),
    ]


def _own_words(column: Column, key: str) -> Cell:
    """What the user wrote on the runs of a column; what published results have there is no user's."""
    return _word("" if is_published(column.first) else line_text(column.rows, COLUMNS[key]))


def _accuracies(label: str, columns: Sequence[Column], found: Sequence[Accuracy | None], baseline: int | None) -> Line:
    reference = None if baseline is None else found[baseline]
    return label, [
        _published_cell(accuracy, reference)
        if is_published(column.first)
        else _accuracy_cell(accuracy, reference, place == baseline, len(column.rows))
        for place, (column, accuracy) in enumerate(zip(columns, found, strict=True))
    ]


def _published_cell(accuracy: Accuracy | None, reference: Accuracy | None) -> Cell:
    """A published accuracy, marked as one: it was measured with other code, on images that nobody has checked."""
    if accuracy is None:
        return Cell(text="-")
    cell = Cell(text=accuracy_text(accuracy), value=accuracy.value, plus_minus=accuracy.plus_minus)
    here = accuracy.conditions
    alike = here if reference is None else replace(reference.conditions, data="", step_size=here.step_size)
    return replace(cell, unlike=", ".join(filter(None, ("published", here.unlike(alike)))))


def _accuracy_cell(accuracy: Accuracy | None, reference: Accuracy | None, is_baseline: bool, runs: int) -> Cell:
    """runs: of the column. A mean over fewer runs says over how many."""
    if accuracy is None:
        return Cell(text="-")
    of = f" (n = {accuracy.runs} of {runs})" if accuracy.runs < runs else ""
    cell = Cell(
        text=accuracy_text(accuracy) + of,
        value=accuracy.value,
        plus_minus=accuracy.plus_minus,
        runs=accuracy.runs,
        seeds=0 if accuracy.std is None else accuracy.seeds,
    )
    if reference is None or is_baseline:
        return cell
    if unlike := accuracy.conditions.unlike(reference.conditions):
        return replace(cell, unlike=unlike)
    return replace(cell, difference=accuracy.value - reference.value, star=accuracy.differs_from(reference))


def accuracy_text(accuracy: Accuracy) -> str:
    """An accuracy with its noise in percent: `45.3 ± 0.4%`."""
    noise = accuracy.plus_minus
    return f"{100 * accuracy.value:.1f}{'' if noise is None else f' ± {100 * noise:.1f}'}%"


def _best_robust(columns: Sequence[Column]) -> list[Line]:
    """The best robust accuracy while training and its epoch. Nothing if no run has one."""
    if not any(row.best_robust is not None for column in columns for row in column.rows):
        return []
    best = [_mean_cell(column, "best_robust", format_percent) for column in columns]
    return [(BEST_ROBUST, best), (COLUMNS["best_epoch"].title, [_best_epoch(column) for column in columns])]


def _best_epoch(column: Column) -> Cell:
    """The epoch of the best robust accuracy: of several seeds the first and the last one."""
    shown = COLUMNS["best_epoch"]
    known = sorted((row for row in column.rows if row.best_epoch is not None), key=shown.value)
    texts = [*dict.fromkeys(shown.text(row) for row in (known[:1] + known[-1:]))]
    if len(texts) < 2:
        return Cell(text=texts[0], value=shown.value(known[0])) if known else Cell(text="-")
    return _word(" to ".join(texts))


def _eps(row: Row) -> str:
    """The eps of clean and robust accuracy: `8/255`, `l2 0.5`."""
    return with_unit(row.eps) if row.norm == LINF else eps_text(row.eps, row.norm)


def _attack(row: Row) -> str:
    """The attack of the robust accuracy and its images: `PGD-50-10 on 1,000`, `PGD-10 on 500, while training`."""
    if not row.attack:
        return ""
    conditions = conditions_of(row)
    images = f" on {row.images:,}{' held-out' * conditions.held_out}" if row.images else ""
    return f"{attack_name(row.attack)}{images}{', while training' * (not row.final)}"


def _seeds(column: Column) -> str:
    return "" if is_published(column.first) else seeds_text(column.rows)


def _epochs(column: Column) -> Cell:
    if is_published(column.first) and not column.first.epochs:
        return Cell(text="-")  # the source does not say
    return _mean_cell(column, "epochs", lambda mean: f"{mean:.4g}")


def _cost(column: Column, key: str) -> Cell:
    if key == "peak_memory" and len({row.gpu_memory is None for row in column.rows}) > 1:
        return Cell(text="-")  # main memory and memory of a GPU have no mean
    return _mean_cell(column, key, lambda mean: text_of_mean(COLUMNS[key], column.first, mean))


def _mean_cell(column: Column, key: str, text: Callable[[float], str]) -> Cell:
    """The mean of a figure over the runs that have it."""
    known = [value for row in column.rows if (value := COLUMNS[key].value(row)) is not None]
    if not known:
        return Cell(text="-")
    mean = known[0] if len(known) == 1 else statistics.fmean(known)
    return Cell(text=text(mean), value=mean)


def _status(column: Column) -> str:
    states = [
        ", ".join(filter(None, [status_word(row) if row.live else row.state, rollback_text(row)]))
        for row in column.rows
    ]
    return states[0] if len(set(states)) == 1 else ", ".join(f"{states.count(s)} {s}" for s in dict.fromkeys(states))


def _word(text: str) -> Cell:
    return Cell(text=text or "-", value=text or None)


# -- settings ---------------------------------------------------------------------------------------------------


def _settings(columns: Sequence[Column]) -> list[Line]:
    """The settings that differ; of one run alone, those that it changed.

    Left out are those that are among the results, the seeds of groups, and the method of one run.
    """
    own = _own_columns(columns)
    among_results = _among_results(own)
    if len(own) == 1:
        found = [(key, [value]) for key, value in own[0].first.settings.items() if key != "method.name"]
    else:
        grouped = any(len(column.rows) > 1 for column in own)
        differing = differing_settings([column.first for column in own])
        found = [(key, values) for key, values in differing if not (grouped and key == "seed")]
        found += _own_step_sizes(own) if "method.alpha" not in dict(found) else []
    unknown = [Cell(text="-") for _ in range(len(columns) - len(own))]
    norms = [column.first.norm for column in own]
    return [
        (
            key,
            [
                *(
                    Cell(text=setting_text(key, value, norm), value=value)
                    for value, norm in zip(values, norms, strict=True)
                ),
                *unknown,
            ],
        )
        for key, values in found
        if key not in among_results
    ]


def _own_step_sizes(own: Sequence[Column]) -> list[tuple[str, list[Any]]]:
    """The step sizes of runs of several methods, each of which has its own default. Empty if they are equal."""
    sizes: list[Any] = [column.first.alpha for column in own]
    several = len({column.first.method for column in own}) > 1
    return [("method.alpha", sizes)] if several and len({*sizes}) > 1 else []


def _own_columns(columns: Sequence[Column]) -> list[Column]:
    return [column for column in columns if not is_published(column.first)]


def _among_results(own: Sequence[Column]) -> tuple[str, ...]:
    """The settings that the results show: AMONG_RESULTS, and the epochs if all runs trained as many as they were to.

    own: without published columns. One run alone shows all settings that it changed.
    """
    rows = [row for column in own for row in column.rows]
    all_trained = len(own) > 1 and all(row.epochs == setting_of(row, "epochs") for row in rows)
    return (*AMONG_RESULTS, *(("epochs",) if all_trained else ()))
