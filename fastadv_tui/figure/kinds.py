"""The kinds of figures: which lines each has for some runs."""

import statistics
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

from fastadv_tui.errors import FigureError
from fastadv_tui.figure.accuracy_by_eps import accuracy_by_eps
from fastadv_tui.figure.curves import Curve, Curves
from fastadv_tui.figure.labels import labels_of
from fastadv_tui.figure.measured import Point, interpolated, losses_of, points_of
from fastadv_tui.figure.picture import Line, Picture
from fastadv_tui.history.row import Row
from fastadv_tui.history.seed_groups import group_by_seed
from fastadv_tui.history.significance import MIN_SEEDS, std_over_seeds
from fastadv_tui.text.quantities import attack_name
from fastadv_tui.text.sanitize import run_label

EPOCH = "Epoch"  # label of an axis
BAND = "± std over seeds"  # entry of the legend
MAX_POINTS = 500  # of a line: more would not be seen
Units = tuple[tuple[float, str], ...]  # the size and the name of each unit, the largest first
TIMES: Units = ((3600.0, "h"), (60.0, "min"), (1.0, "s"))
WORK: Units = ((1e18, "EFLOP"), (1e15, "PFLOP"), (1e12, "TFLOP"), (1e9, "GFLOP"))
MIN_IN_UNIT = 2.0  # least length of an axis in its unit; a shorter axis gets the next smaller unit


def picture(rows: Sequence[Row], kind: str, group: bool) -> Picture:
    """The figure of a kind. group: seeds become one line, the mean, and from three seeds on a band of ± one std.

    Raises: FigureError, if there is no such kind, or if a run has not what the kind shows.
    """
    if kind not in KINDS:
        raise FigureError(f"--kind {kind!r}: use {', '.join(KINDS)}")
    groups = [found.rows for found in group_by_seed(rows)] if group else [[row] for row in rows]
    labels = labels_of([members[0] for members in groups], without_seed=group)
    curves = KINDS[kind]([row for members in groups for row in members])
    lines, taken = [], iter(curves.of_runs)
    for look, (label, members) in enumerate(zip(labels, groups, strict=True)):
        found = [next(taken) for _ in members]
        for same in zip(*found, strict=True):
            lines.append(_line(same, look, label, curves.points, alone=len(groups) == 1))
    return Picture(
        x_label=curves.x_label,
        y_label=curves.y_label,
        lines=lines,
        solid=curves.solid,
        dashed=curves.dashed,
        mark=curves.mark,
        band=BAND if len(groups) > 1 and any(line.low for line in lines) else "",
        whole_x=curves.x_label == EPOCH,
        from_zero=curves.from_zero,
    )


def groups_without_band(rows: Sequence[Row]) -> int:
    """How many lines of several seeds have no band because their seeds are too few."""
    return sum(1 < found.count < MIN_SEEDS for found in group_by_seed(rows))


def _line(curves: Sequence[Curve], look: int, label: str, points: bool, alone: bool) -> Line:
    """One line for the curves of the seeds of a group: their mean at each epoch, or eps, that all have.

    On an axis of time or work, the place of an epoch is the mean over the seeds, so that no slow or fast seed cuts the
    line short. alone: whether the figure shows nothing else, so that its label has room to say what it is.
    """
    first = curves[0]
    label = ", ".join(filter(None, (label, *dict.fromkeys(curve.note for curve in curves))))
    if len(curves) == 1:
        kept = _kept(first.ys)
        xs, ys = [first.xs[place] for place in kept], [first.ys[place] for place in kept]
        points = points or len(xs) == 1  # a line through one point would not be seen
        return Line(look=look, label=label, xs=xs, ys=ys, dashed=first.dashed, mark=first.mark, points=points)
    begin, end = max(curve.places[0] for curve in curves), min(curve.places[-1] for curve in curves)
    places = [place for place in first.places if begin <= place <= end]
    found = [[interpolated(curve.places, curve.ys, place) for curve in curves] for place in places]
    xs = (
        [statistics.fmean(interpolated(curve.epochs, curve.xs, place) for curve in curves) for place in places]
        if first.epochs
        else places
    )
    kept = _kept([statistics.fmean(ys) for ys in found])
    xs, found = [xs[place] for place in kept], [found[place] for place in kept]
    means = [statistics.fmean(ys) for ys in found]
    stds = [std for ys in found if (std := std_over_seeds(ys)) is not None]
    band = zip(means, stds, strict=True) if stds else ()
    edges = [(mean - std, mean + std) for mean, std in band]
    what = ("mean ± std, " if edges else "mean, ") * alone
    return Line(
        look=look,
        label=f"{label} ({what}n = {len(curves)})",
        xs=xs,
        ys=means,
        low=[low for low, _ in edges],
        high=[high for _, high in edges],
        dashed=first.dashed,
        mark=first.mark,
        points=points or len(xs) == 1,
    )


def _kept(ys: Sequence[float]) -> list[int]:
    """The places of at most MAX_POINTS values: the ends, and the lowest and the highest value of each stretch."""
    if len(ys) <= MAX_POINTS:
        return [*range(len(ys))]
    stretches = MAX_POINTS // 2 - 1
    borders = [len(ys) * number // stretches for number in range(stretches + 1)]
    kept = {0, len(ys) - 1}
    for begin, end in pairwise(borders):
        kept |= {pick(range(begin, end), key=lambda place: ys[place]) for pick in (min, max)}
    return sorted(kept)


def _accuracy(rows: Sequence[Row]) -> Curves:
    curves, measured = [], [*_points(rows)]
    for _, points in measured:
        epochs = [point.epoch for point in points]
        clean = Curve(epochs, [100 * point.clean for point in points])
        curves.append([clean, Curve(epochs, [100 * point.robust for point in points], dashed=True)])
    attacks = {row.attack for row in rows if row.final}
    if len(attacks) != 1:  # marks of two attacks would look alike
        return Curves(curves, EPOCH, "Accuracy (%)", solid="clean", dashed=_attack(measured) or "robust")
    for row, of_run in zip(rows, curves, strict=True):
        if row.final and row.robust is not None:
            of_run.append(Curve([row.epochs], [100 * row.robust], mark=True))
    mark = f"{attack_name(attacks.pop())}, final"
    return Curves(curves, EPOCH, "Accuracy (%)", "clean", _attack(measured) or "robust", mark)


def _loss(rows: Sequence[Row]) -> Curves:
    curves = []
    for row in rows:
        epochs, losses = losses_of(row)
        if not epochs:
            raise FigureError(
                f"{run_label(row.name, row.id)} has no training loss on record: its events are gone, "
                "or it has not trained yet"
            )
        curves.append([Curve(epochs, losses)])
    return Curves(curves, EPOCH, "Training loss", from_zero=False)


def _time(rows: Sequence[Row]) -> Curves:
    found = _against(rows, lambda point: point.seconds, "training time")
    return _in_unit(found, TIMES, "Training time", _under_attack(rows))


def _work(rows: Sequence[Row]) -> Curves:
    found = _against(rows, lambda point: point.flops, "work in FLOPs")
    return _in_unit(found, WORK, "Training work", _under_attack(rows))


KINDS: dict[str, Callable[[Sequence[Row]], Curves]] = {
    "accuracy": _accuracy,
    "loss": _loss,
    "time": _time,
    "work": _work,
    "eps": accuracy_by_eps,
}


def _points(rows: Sequence[Row]) -> Iterable[tuple[Row, list[Point]]]:
    for row in rows:
        points = points_of(row)
        if not points:
            raise FigureError(
                f"{run_label(row.name, row.id)} has no evaluation on record yet; "
                "the first one comes after its first epoch"
            )
        yield row, points


def _attack(measured: Iterable[tuple[Row, list[Point]]]) -> str:
    """The name of the attack of all points, as on the charts of the dashboard; empty if they have several."""
    attacks = {point.attack for _, points in measured for point in points}
    return attack_name(attacks.pop()) if len(attacks) == 1 else ""


def _under_attack(rows: Sequence[Row]) -> str:
    """The label of an axis with robust accuracies."""
    attack = _attack(_points(rows))
    return f"Accuracy under {attack} (%)" if attack else "Robust accuracy (%)"


def _against(rows: Sequence[Row], axis: Callable[[Point], float | None], name: str) -> list[Curve]:
    """Robust accuracy against a quantity of the points. Raises: FigureError, if it is not known for some run."""
    curves = []
    for row, points in _points(rows):
        known = [(x, point) for point in points if (x := axis(point)) is not None]
        if not known:
            raise FigureError(f"the {name} of {run_label(row.name, row.id)} is not on record")
        xs, ys = [x for x, _ in known], [100 * point.robust for _, point in known]
        curves.append(Curve(xs, ys, epochs=[point.epoch for _, point in known]))
    return curves


def _in_unit(curves: Sequence[Curve], units: Units, name: str, y_label: str) -> Curves:
    """Curves whose x axis has the unit that suits its length. name: of the x axis."""
    longest = max(curve.xs[-1] for curve in curves)
    size, unit = next((unit for unit in units if longest >= MIN_IN_UNIT * unit[0]), units[-1])
    scaled = [[Curve([x / size for x in curve.xs], curve.ys, epochs=curve.epochs)] for curve in curves]
    return Curves(scaled, f"{name} ({unit})", y_label)
