"""The lines of a figure are what the events of the runs say, and its legend only what tells the runs apart."""

import re
import shutil
from pathlib import Path

import pytest
from msgspec.structs import replace

from engine.protocol.evaluations import EvaluationRecord, append
from engine.protocol.events import Saved
from engine.protocol.rundir import RunDir
from fastadv_tui.errors import FigureError
from fastadv_tui.figure.kinds import groups_without_band, picture
from fastadv_tui.figure.measured import interpolated
from fastadv_tui.history.derive_row import row_of
from fastadv_tui.history.row import Row
from fastadv_tui.launch.submission import configure
from fastadv_tui.paths import ensure_home, runs_dir
from tests.support.events import evaluated, started, step, write_events
from tests.support.runs import make_run


@pytest.fixture(autouse=True)
def _home(home: Path) -> None:
    ensure_home()


def trained(run_id: str, robust: tuple[float, ...] = (0.2, 0.4), epoch_seconds: float = 3600.0, **typed: str) -> RunDir:
    """A run of 10 steps an epoch and 50 TFLOP a step, evaluated after each epoch."""
    settings = {"epochs": "10"} | {key.replace("_", "."): text for key, text in typed.items()}
    rundir = make_run(runs_dir() / run_id, chosen=configure("digits", settings))
    write_events(rundir, started(flops=5 * 10**15, total_steps=100))
    for epoch, value in enumerate(robust, 1):
        write_events(
            rundir,
            step(10 * epoch, loss=1 / epoch),
            evaluated(10 * epoch, robust=value, elapsed=epoch_seconds * epoch),
        )
    return rundir


def rows(*rundirs: RunDir) -> list[Row]:
    return [row_of(rundir) for rundir in rundirs]


def test_accuracies_are_in_percent_and_robust_is_dashed_as_it_is_dotted_in_the_dashboard() -> None:
    found = picture(rows(trained("a1")), "accuracy", False)
    clean, robust = found.lines
    assert (robust.xs, robust.ys, robust.dashed) == ([1.0, 2.0], [20.0, 40.0], True)
    assert (clean.ys, clean.dashed, clean.look) == ([90.0, 90.0], False, robust.look)
    assert (found.solid, found.dashed, robust.label) == ("clean", "PGD-10", "digits-fgsm-eps51")  # one run: its name


@pytest.mark.parametrize("group", [False, True])
@pytest.mark.parametrize("kind", ["accuracy", "time", "work"])
def test_what_was_measured_once_is_drawn_as_a_point(kind: str, group: bool) -> None:
    """A run of one epoch, or the first epoch of any run: a line through one point would be invisible."""
    runs = [trained(f"a{seed}", (0.2,), seed=str(seed)) for seed in range(2)]
    lines = picture(rows(*runs), kind, group).lines
    assert lines
    assert all(line.points and len(line.xs) == 1 for line in lines)
    assert not any(line.points for line in picture(rows(trained("b2")), kind, group).lines)


def test_the_attack_is_named_if_all_runs_were_measured_with_the_same_one() -> None:
    runs = [trained("a1"), trained("b2", eps="4")]
    assert picture(rows(*runs), "time", False).y_label == "Accuracy under PGD-10 (%)"
    write_events(runs[1], step(30), evaluated(30, attack="pgd-20", elapsed=9000.0))
    assert picture(rows(*runs), "time", False).y_label == "Robust accuracy (%)"
    assert picture(rows(*runs), "accuracy", False).dashed == "robust"


def test_a_spike_of_a_long_curve_is_drawn() -> None:
    """One step in 5,000, which is neither the first nor the last of its stretch."""
    rundir = make_run(runs_dir() / "a1", chosen=configure("digits", {}))
    losses = [9.0 if number == 2503 else -9.0 if number == 3307 else 1.0 for number in range(1, 5001)]
    steps = [step(number, loss=loss) for number, loss in enumerate(losses, 1)]
    write_events(rundir, started(total_steps=5000), *steps)
    (line,) = picture(rows(rundir), "loss", False).lines
    assert (max(line.ys), min(line.ys)) == (9.0, -9.0)
    assert len(line.xs) <= 500
    assert (line.xs[0], line.xs[-1]) == (steps[0].epoch, steps[-1].epoch)


def test_robust_accuracy_stands_against_time_and_work_in_units_that_suit() -> None:
    run = rows(trained("a1", (0.2, 0.3, 0.4)))
    time = picture(run, "time", False)
    assert (time.x_label, time.lines[0].xs, time.lines[0].ys) == (
        "Training time (h)",
        [1.0, 2.0, 3.0],
        [20.0, 30.0, 40.0],
    )
    work = picture(run, "work", False)
    assert (work.x_label, work.lines[0].xs) == ("Training work (TFLOP)", pytest.approx([500.0, 1000.0, 1500.0]))


def test_the_loss_is_that_of_the_steps() -> None:
    (line,) = picture(rows(trained("a1")), "loss", False).lines
    assert (line.xs, line.ys) == ([1.0, 2.0], [1.0, 0.5])


def test_seeds_become_their_mean_in_a_band_of_one_standard_deviation() -> None:
    seeds = [trained(f"a{seed}", (first, 0.4), seed=str(seed)) for seed, first in enumerate((0.2, 0.3, 0.4))]
    found = picture(rows(*seeds, trained("c3", eps="4")), "time", True)
    group, alone = found.lines
    assert group.ys == pytest.approx([30.0, 40.0])
    assert group.high == pytest.approx([40.0, 40.0])
    assert group.low == pytest.approx([20.0, 40.0])
    assert (group.label, alone.label, alone.low) == ("ε 51/255 (n = 3)", "ε 4/255", [])
    (two,) = picture(rows(*seeds[:2]), "time", True).lines
    assert (two.ys, two.low) == (pytest.approx([25.0, 40.0]), [])  # too few for a band
    assert two.label == "digits-fgsm-eps51 (mean, n = 2)"
    (three,) = picture(rows(*seeds), "time", True).lines
    assert three.label == "digits-fgsm-eps51 (mean ± std, n = 3)"


def test_the_mean_of_a_fast_and_a_slow_seed_reaches_their_mean_accuracy_at_their_mean_time() -> None:
    runs = trained("a1", (0.2, 0.5), 3600.0, seed="0"), trained("b2", (0.3, 0.6), 7200.0, seed="1")
    (line,) = picture(rows(*runs), "time", True).lines
    assert (line.xs, line.ys) == (pytest.approx([1.5, 3.0]), pytest.approx([25.0, 55.0]))


def test_labels_say_the_settings_that_differ_and_the_id_where_none_does() -> None:
    runs = (
        trained("a1", method_name="pgd", optim_lr="0.1"),
        trained("b2", method_name="fgsm"),
        trained("c3", method_name="fgsm"),
    )
    labels = [line.label for line in picture(rows(*runs), "loss", False).lines]
    assert labels == ["PGD, lr 0.1", "FGSM, lr 0.005, b2", "FGSM, lr 0.005, c3"]


def test_a_label_without_room_for_all_differences_has_those_that_tell_the_runs_apart() -> None:
    same = {"optim_momentum": "0.85", "optim_lr": "0.03", "watch_images": "77"}
    runs = trained("a1", eps="2", **same), trained("b2", eps="4", seed="1"), trained("c3", eps="4", seed="2")
    labels = [line.label for line in picture(rows(*runs), "loss", False).lines]
    assert [label.startswith(f"ε {eps}/255") for label, eps in zip(labels, (2, 4, 4), strict=True)] == [True] * 3
    assert [f"seed {seed}" in label for label, seed in zip(labels, (0, 1, 2), strict=True)] == [True] * 3
    assert all(len(label) <= 40 and "…" not in label for label in labels)


def test_epochs_and_options_of_the_method_are_in_a_label_only_where_nothing_else_tells_the_runs_apart() -> None:
    runs = trained("a1", method_name="fgsm", epochs="10"), trained("b2", method_name="nfgsm", eps="25", epochs="12")
    assert [line.label for line in picture(rows(*runs), "loss", False).lines] == ["ε 51/255, FGSM", "ε 25/255, N-FGSM"]
    runs = trained("c3", method_name="nfgsm"), trained("d4", method_name="nfgsm", method_noise="1")
    assert [line.label for line in picture(rows(*runs), "loss", False).lines] == ["noise 2.0", "noise 1.0"]
    runs = trained("e5", epochs="10"), trained("f6", epochs="12")
    assert [line.label for line in picture(rows(*runs), "loss", False).lines] == ["epochs 10", "epochs 12"]


def test_the_final_evaluation_is_a_star_at_its_epoch_with_the_name_of_its_attack() -> None:
    seeds = [trained(f"a{seed}", seed=str(seed)) for seed in range(2)]
    other = trained("b2", eps="4")
    for rundir, robust in zip(seeds, (0.2, 0.3), strict=True):
        write_events(rundir, step(100), evaluated(100, "final", attack="pgd-50-10", robust=robust))
    found = picture(rows(*seeds, other), "accuracy", False)
    stars = [line for line in found.lines if line.mark]
    assert [(line.look, line.xs, line.ys) for line in stars] == [(0, [10.0], [20.0]), (1, [10.0], [30.0])]
    assert (found.mark, found.dashed) == ("PGD-50-10, final", "PGD-10")
    (star,) = [line for line in picture(rows(*seeds, other), "accuracy", True).lines if line.mark]
    assert (star.xs, star.ys) == ([10.0], [25.0])
    write_events(other, step(100), evaluated(100, "final", attack="pgd-20"))
    found = picture(rows(*seeds, other), "accuracy", False)
    assert (found.mark, [line for line in found.lines if line.mark]) == ("", [])  # they would look alike


def test_the_star_of_seeds_has_the_band_that_their_curves_have_and_the_figure_says_what_it_is() -> None:
    seeds = [trained(f"a{seed}", seed=str(seed)) for seed in range(3)]
    for rundir, robust in zip(seeds, (0.2, 0.3, 0.4), strict=True):
        write_events(rundir, step(100), evaluated(100, "final", attack="pgd-50-10", robust=robust))
    alone = picture(rows(*seeds), "accuracy", True)
    (star,) = [line for line in alone.lines if line.mark]
    assert (star.low, star.ys, star.high) == (pytest.approx([20.0]), pytest.approx([30.0]), pytest.approx([40.0]))
    assert alone.band == ""  # the label says it
    other = trained("b2", eps="4")
    assert picture(rows(*seeds, other), "accuracy", True).band == "± std over seeds"
    assert picture(rows(*seeds[:2], other), "accuracy", True).band == ""
    assert [groups_without_band(rows(*seeds[:count])) for count in (1, 2, 3)] == [0, 1, 0]


def result(eps: float, robust: float, images: int = 9) -> EvaluationRecord:
    """A result of `fastadv eval`. eps: in 1/255."""
    return EvaluationRecord(
        time="2026-11-26T10:00:00+00:00", checkpoint="last", weights="w", dataset="digits", data="d", step_size=0.1,
        seed=0, attack="pgd-50-10", eps=eps / 255, images=images, clean=0.95, robust=robust,
    )  # fmt: skip


def test_several_eps_on_the_same_images_make_a_line_that_begins_with_their_clean_accuracy() -> None:
    rundir = trained("a1")
    append(rundir.evaluations, [result(8, 0.3), result(2, 0.7), result(4, 0.1, images=360)])
    found = picture(rows(rundir), "eps", False)
    (line,) = found.lines
    assert (line.xs, line.ys) == (pytest.approx([0.0, 2.0, 8.0]), pytest.approx([95.0, 70.0, 30.0]))
    assert found.y_label == "Accuracy under PGD-50-10 (%)"
    write_events(rundir, evaluated(20, "final", attack="pgd-50-10", images=9, robust=0.05))
    (line,) = picture(rows(rundir), "eps", False).lines
    assert (line.xs[-1], line.ys[-1]) == (pytest.approx(51.0), pytest.approx(5.0))  # its final evaluation, at its eps
    with pytest.raises(FigureError) as refused:
        picture(rows(rundir, trained("b2")), "eps", False)
    assert str(refused.value) == (
        "digits-fgsm-eps51 (b2) has no results of PGD-50-10 for several eps on the same images; measure them: "
        "key a with eps 13,26,51, or `fastadv eval b2 --attack pgd-50-10 --eps 13,26,51`"
    )


@pytest.mark.parametrize(
    ("settings", "sizes"),
    [({"eps": "8"}, "2,4,8"), ({"eps": "2"}, "1,2"), ({"norm": "l2", "eps": "0.5"}, "0.125,0.25,0.5")],
)
def test_a_run_without_evaluations_is_to_be_measured_at_sizes_up_to_its_own(
    settings: dict[str, str], sizes: str
) -> None:
    with pytest.raises(FigureError, match=f"key a with eps {sizes}, or `fastadv eval a1 --eps {sizes}`"):
        picture(rows(trained("a1", **settings)), "eps", False)


def test_results_of_weights_that_were_trained_further_are_drawn_with_their_epoch() -> None:
    rundir = trained("a1")
    append(rundir.evaluations, [replace(result(eps, 0.3), step=10) for eps in (2, 4)])
    write_events(rundir, started(attempt=2, from_step=10), Saved(step=20, file="last.pt", bytes=1))
    (line,) = picture(rows(rundir), "eps", False).lines
    assert (line.label, len(line.xs)) == ("digits-fgsm-eps51, at epoch 1", 3)
    append(rundir.evaluations, [replace(result(eps, 0.2), step=20) for eps in (2, 4)])
    (line,) = picture(rows(rundir), "eps", False).lines
    assert (line.label, line.ys[-1]) == ("digits-fgsm-eps51", pytest.approx(20.0))


def test_eps_of_norm_l2_are_drawn_as_plain_numbers() -> None:
    rundir = trained("a1")
    measured = [result(127.5, 0.4), result(255, 0.1)]
    append(rundir.evaluations, [replace(each, norm="l2") for each in measured])
    found = picture(rows(rundir), "eps", False)
    (line,) = found.lines
    assert (line.xs, found.x_label) == (pytest.approx([0.0, 0.5, 1.0]), "ε (l2)")


def test_a_run_without_a_folder_is_drawn_from_its_row() -> None:
    rundir = trained("a1")
    (row,) = rows(rundir)
    before = picture([row], "work", False)
    shutil.rmtree(rundir.path)
    assert picture([row], "work", False).lines == before.lines
    for kind, said in (
        ("loss", "(a1) has no training loss"),
        ("time", "the training time of digits-fgsm-eps51 (a1) is"),
    ):
        with pytest.raises(FigureError, match=re.escape(said)):
            picture([row], kind, False)


@pytest.mark.parametrize(
    ("kind", "said"),
    [("pie", "use accuracy, loss, time, work, eps"), ("eps", "fastadv eval"), ("accuracy", "no evaluation")],
)
def test_what_cannot_be_drawn_is_said(kind: str, said: str) -> None:
    with pytest.raises(FigureError, match=said):
        picture(rows(make_run(runs_dir() / "a1")), kind, False)


def test_interpolation_is_linear_between_the_points() -> None:
    assert [interpolated([1, 2, 4], [10, 20, 0], x) for x in (1, 1.5, 2, 3, 4)] == [10, 15, 20, 10, 0]
    assert interpolated([1], [10], 1) == 10
