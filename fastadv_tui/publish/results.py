"""The results of a run that are worth publishing: those of its last weights, strongest attack last."""

from msgspec import Struct

from engine.config.units import threat_text
from engine.protocol.evaluations import EvaluationRecord
from engine.protocol.rundir import RunDir
from fastadv_tui.history.row import Row
from fastadv_tui.runs.observe import observe
from fastadv_tui.text.quantities import attack_name, kind_of_images

AUTOATTACK = "aa"  # the name of the whole AutoAttack; `aa-quick` is a part of it


class Result(Struct, frozen=True, kw_only=True):
    """One evaluation. clean, robust: fractions in [0,1]. images: how many, and of which kind. seed: of the attack."""

    attack: str
    norm: str
    eps: float
    clean: float
    robust: float
    images: int
    held_out: bool
    seed: int | None
    warning: bool = False

    @property
    def threat(self) -> str:
        return threat_text(self.norm, self.eps)

    @property
    def kind_of_images(self) -> str:
        return kind_of_images(self.held_out)


def results_of(row: Row, which: str = "last") -> list[Result]:
    """The final evaluation and the results of `fastadv eval` on a checkpoint, in order of attack, eps and images.

    The final evaluation is that of the last weights.
    """
    held_out = bool(row.settings.get("holdout"))
    found = [_of_record(record) for record in row.evaluations if record.checkpoint == which]
    if row.final and row.clean is not None and row.robust is not None and which == "last":
        final = Result(
            attack=attack_name(row.attack),
            norm=row.norm,
            eps=row.eps,
            clean=row.clean,
            robust=row.robust,
            images=row.images,
            held_out=held_out,
            seed=row.seed,
            warning=row.answers == 1,
        )
        found = [final, *(result for result in found if _question(result) != _question(final))]
    return sorted(found, key=lambda result: (result.norm, result.eps, result.attack, result.images))


def autoattack_result(row: Row, which: str) -> Result | None:
    """The result of the whole AutoAttack in the threat model of the run, on most images; None if there is none."""
    found = [
        result
        for result in results_of(row, which)
        if result.attack == attack_name(AUTOATTACK) and (result.norm, result.eps) == (row.norm, row.eps)
    ]
    return max(found, key=lambda result: result.images, default=None)


def test_images_of(rundir: RunDir) -> int:
    """The number of test images of the run's data set; 0 if unknown."""
    started = observe(rundir).state.started
    return started.test_images if started and not started.held_out else 0


def threat_words(row: Row) -> str:
    """The threat model of the training: `eps 8/255 in the l-infinity norm`."""
    if row.norm == "linf":
        return f"{threat_text(row.norm, row.eps)} in the l-infinity norm"
    return f"eps {row.eps:g} in the Euclidean norm"


def _of_record(record: EvaluationRecord) -> Result:
    return Result(
        attack=attack_name(record.attack),
        norm=record.norm,
        eps=record.eps,
        clean=record.clean,
        robust=record.robust,
        images=record.images,
        held_out=record.held_out,
        seed=record.seed,
        warning=record.answers == 1,
    )


def _question(result: Result) -> tuple[object, ...]:
    return result.attack, result.norm, result.eps, result.images, result.held_out
