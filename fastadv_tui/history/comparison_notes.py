"""What stands below a comparison: the meaning of the signs in its cells, and why results might not be comparable."""

from collections.abc import Sequence
from typing import Any

from fastadv_tui.history.comparison_table import Column, Line
from fastadv_tui.history.curve_axes import attack_of_curve
from fastadv_tui.history.evaluations import kind_of
from fastadv_tui.history.paper import is_published
from fastadv_tui.history.row import Row
from fastadv_tui.history.seed_groups import counted_twice, group_by_seed
from fastadv_tui.history.significance import CHANCE_PERCENT, MIN_SEEDS, STANDARD_ERRORS
from fastadv_tui.text.quantities import attack_name, figure_warnings

BEST_ROBUST = "best robust"  # label of a line
PARENTHESES = "a reason in parentheses"  # how the note on them begins, which is of no use where cells have none


def notes_of(columns: Sequence[Column], baseline: int | None, results: Sequence[Line]) -> list[str]:
    """What the signs in the cells mean. baseline: the column that differences refer to."""
    cells = [cell for _, line in results for cell in line]
    found = []
    if any(cell.plus_minus is not None for cell in cells):
        found.append(
            f"± standard error for the number of images; from {MIN_SEEDS} seeds on, standard deviation over seeds"
        )
    found += [
        f"{column.name}: published result, {column.first.note}" for column in columns if is_published(column.first)
    ]
    found += [_best_note(columns)] * any(label == BEST_ROBUST for label, _ in results)
    if baseline is None:
        return found
    name = columns[baseline].name
    if any(cell.difference is not None for cell in cells):
        found += [f"differences in percentage points against {name}", *_star_notes(columns, baseline, results)]
    if unlike := next((cell for cell in cells if cell.unlike), None):
        example = f"such as {unlike.unlike_text}"  # a number of runs stands in parentheses, too
        found.append(f"{PARENTHESES}, {example}: measured unlike {name}, so without difference and star")
    return found


def _best_note(columns: Sequence[Column]) -> str:
    """Which attack the best robust accuracy was measured with: mostly a weaker one than that of the robust accuracy."""
    rows = [row for column in columns for row in column.rows if row.curve]
    attacks = dict.fromkeys(attack_name(attack_of_curve(row)) or "an unknown attack" for row in rows)
    seeds = ", of several seeds the mean of their best" * any(len(column.rows) > 1 for column in columns)
    return f"{BEST_ROBUST}: under {' or '.join(attacks)} while training{seeds}"


def _star_notes(columns: Sequence[Column], baseline: int, results: Sequence[Line]) -> list[str]:
    """What a star says, or that there is none, and how often chance alone makes one."""
    pairs = [(line[baseline], cell) for _, line in results for cell in line if cell.difference is not None]
    tested = [(base, cell) for base, cell in pairs if cell.plus_minus is not None]
    found = []
    if any(cell.star for _, cell in tested):
        errors = f"more than {STANDARD_ERRORS:g} standard errors of the difference"
        found.append(f"* differs from {columns[baseline].name} by {errors}")
    elif tested:
        found.append(f"no difference is beyond {STANDARD_ERRORS:g} standard errors")
    fewer = {min(base.seeds, cell.seeds) for base, cell in tested}
    found += [
        f"with {seeds} seeds, chance alone makes such a difference in about {percent}% of comparisons"
        for seeds, percent in CHANCE_PERCENT.items()
        if seeds in fewer
    ]
    if len(tested) < len(pairs):
        found.append("a difference without ± is not tested: the number of images is unknown")
    if tested and any(row.without_gradient for column in columns for row in column.rows):
        found.append("images with zero gradient do not count for the better one of two robust accuracies")
    return found


def warnings_of(columns: Sequence[Column]) -> list[str]:
    """The reasons why the results might not be comparable."""
    rows = [row for column in columns for row in column.rows if not is_published(row)]
    evaluated = [row for row in rows if row.attack]  # a run without an evaluation has no attack that could differ
    checks: dict[str, set[Any]] = {
        "the data differ between the runs": {row.data_fingerprint for row in rows if row.data_fingerprint},
        "the runs were evaluated with different attacks": {row.attack for row in evaluated},
        "the runs were evaluated on different numbers of images": {row.images for row in evaluated},
        "the runs have threat models of different norms, so their robust accuracies do not compare": {
            row.norm for row in rows
        },
        "the runs were evaluated with different eps": {row.eps for row in evaluated},
        "some runs have a final evaluation, others only evaluations during training": {row.final for row in evaluated},
        "the engine code differs between the runs": {row.code_fingerprint for row in rows if row.code_fingerprint},
    }
    warnings = [warning for warning, found in checks.items() if len(found) > 1]
    warnings += ["results of `fastadv eval` differ in their data or step size"] * _evaluations_differ(rows)
    return warnings + counted_twice([group for column in columns for group in group_by_seed(column.rows)])


def cautions_of(columns: Sequence[Column]) -> list[str]:
    """What a reader must know of the figures of single runs."""
    return [
        f"{column.name}: {warning}"
        for column in columns
        for row in column.rows
        for warning in figure_warnings(row.without_gradient, row.images, row.answers)
    ]


def _evaluations_differ(rows: Sequence[Row]) -> bool:
    """Whether two results of `fastadv eval` of one kind are of different data or of attacks of other step sizes."""
    found: dict[str, set[tuple[str, float]]] = {}
    for record in (record for row in rows for record in row.evaluations):
        found.setdefault(kind_of(record), set()).add((record.data, record.step_size))
    return any(len(measured) > 1 for measured in found.values())
