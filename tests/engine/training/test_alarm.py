"""The overfitting alarm: silent on healthy runs, raised once for each kind, and the same after a resume."""

import msgspec
import pytest

from engine.training.alarm import (
    COMPLETE,
    GAP_IMAGES,
    MAX_DROP,
    MAX_GAP,
    MIN_ALIGNMENT,
    SLOW_GAP,
    THRESHOLD,
    WARM_UP,
    Watchdog,
    wide_gap,
)

MANY = 10**9  # images; enough that chance hardly moves an accuracy


def twice(
    watchdog: Watchdog, stage: str, clean: float, robust: float, images: int, fgsm: float | None = None
) -> str | None:
    """What the watchdog says to the second of two evaluations in a row with the same accuracies."""
    assert watchdog.check_accuracy(stage, clean, robust, images, fgsm) is None
    return watchdog.check_accuracy(stage, clean, robust, images, fgsm)


def test_a_healthy_run_raises_no_alarm() -> None:
    watchdog = Watchdog(10)
    for epoch in range(15):
        assert watchdog.check_signal(100 * epoch, 0.06) is None
        assert watchdog.check_accuracy("watch", 0.3 + 0.03 * epoch, 0.2 + 0.02 * epoch, MANY) is None
        assert watchdog.check_accuracy("guard", 0.3 + 0.03 * epoch, 0.25 + 0.01 * (epoch % 3), MANY) is None


def test_the_overfitting_signal_raises_an_alarm_once_and_only_after_the_warm_up() -> None:
    watchdog = Watchdog(10)
    assert watchdog.check_signal(WARM_UP - 1, 1.0) is None
    assert watchdog.check_signal(WARM_UP, THRESHOLD - 0.01) is None
    assert "36%" in str(watchdog.check_signal(WARM_UP, 0.36))
    assert watchdog.check_signal(WARM_UP + 1, 0.9) is None


@pytest.mark.parametrize(
    ("before", "clean", "robust", "collapsed"),
    [
        (0.40, 0.8, 0.40 - MAX_DROP - 0.01, True),
        (0.40, 0.8, 0.40 - MAX_DROP + 0.01, False),
        (0.10, 0.8, 0.0, False),  # far below chance, but it did not fall far
        (0.10, 0.25, 0.0, False),  # hardly trained
        (0.00, 0.12, 0.04, False),
        (0.30, 0.9, 0.11, False),
    ],
)
def test_robust_accuracy_that_falls_is_a_collapse(before: float, clean: float, robust: float, collapsed: bool) -> None:
    watchdog = Watchdog(10)
    watchdog.check_accuracy("watch", 0.1, before, MANY)
    assert bool(watchdog.check_accuracy("watch", clean, robust, MANY)) is collapsed
    assert watchdog.collapsed == ({"watch"} if collapsed else set())


@pytest.mark.parametrize(("clean", "robust", "collapsed"), [(0.8, 0.0, True), (0.25, 0.0, False), (0.12, 0.04, False)])
def test_robust_accuracy_far_below_chance_is_a_collapse_at_the_second_evaluation(
    clean: float, robust: float, collapsed: bool
) -> None:
    watchdog = Watchdog(10)
    assert bool(twice(watchdog, "watch", clean, robust, MANY)) is collapsed
    assert watchdog.collapsed == ({"watch"} if collapsed else set())


# Clean accuracy, and accuracy under PGD-5 and FGSM, on 600 training images after each epoch. Of networks that became
# robust (MNIST, random start; 66%, 71%, 15% and 28% under PGD-50 at the end), and of networks that collapsed, with the
# number of the evaluation that raises the alarm.
HEALTHY = {
    "seed 100": [
        (0.69, 0.030, 0.33),
        (0.93, 0.195, 0.58),
        (0.97, 0.465, 0.73),
        (0.98, 0.567, 0.80),
        (0.97, 0.66, 0.79),
    ],
    "smoothed labels": [(0.69, 0.050, 0.30), (0.93, 0.292, 0.60), (0.97, 0.548, 0.75), (0.97, 0.723, 0.82)],
    "low rate": [
        *((0.12, 0.048, 0.09), (0.70, 0.027, 0.38), (0.93, 0.113, 0.62), (0.96, 0.208, 0.74)),
        *((0.95, 0.265, 0.65), (0.95, 0.242, 0.67), (0.96, 0.288, 0.72), (0.97, 0.305, 0.72)),
    ],
    "smoothed labels, slow": [
        *((0.24, 0.117, 0.20), (0.91, 0.048, 0.61), (0.96, 0.088, 0.74), (0.95, 0.180, 0.77)),
        *((0.95, 0.357, 0.63), (0.97, 0.423, 0.60), (0.96, 0.372, 0.58), (0.97, 0.413, 0.60)),
    ],
}
COLLAPSED = {
    "MNIST, zero start": ([(0.58, 0.025, 0.30), (0.89, 0.0, 0.89)], 1),
    "digits, zero start": ([(0.56, 0.012, 0.25), (0.76, 0.027, 0.35), (0.77, 0.043, 0.37)], 2),
}


@pytest.mark.parametrize("run", HEALTHY)
def test_a_network_that_learns_fgsm_before_pgd_raises_no_alarm(run: str) -> None:
    watchdog = Watchdog(10)
    for clean, robust, fgsm in HEALTHY[run]:
        assert watchdog.check_accuracy("guard", clean, robust, 600, fgsm) is None


@pytest.mark.parametrize("run", COLLAPSED)
def test_a_network_that_learns_fgsm_alone_raises_the_alarm(run: str) -> None:
    watchdog, (looks, epoch) = Watchdog(10), COLLAPSED[run]
    said = [watchdog.check_accuracy("guard", clean, robust, 600, fgsm) for clean, robust, fgsm in looks]
    assert [bool(message) for message in said] == [number == epoch for number in range(len(looks))]


def test_the_final_evaluation_has_no_second_one_and_needs_none() -> None:
    assert Watchdog(10).check_accuracy("final", 0.8, 0.0, MANY) is not None


def test_evaluations_of_different_stages_are_not_compared_with_each_other() -> None:
    watchdog = Watchdog(10)
    assert watchdog.check_accuracy("guard", 0.9, 0.8, MANY) is None
    assert watchdog.check_accuracy("watch", 0.9, 0.4, MANY) is None
    assert watchdog.check_accuracy("final", 0.9, 0.3, MANY) is None


def test_accuracy_by_chance_depends_on_the_number_of_classes() -> None:
    assert twice(Watchdog(100), "watch", 0.5, 0.02, MANY) is None
    assert twice(Watchdog(10), "watch", 0.5, 0.02, MANY) is not None


def test_each_kind_of_alarm_is_raised_once_and_every_collapsed_stage_is_remembered() -> None:
    watchdog = Watchdog(10)
    assert twice(watchdog, "watch", 0.8, 0.0, MANY) is not None
    assert watchdog.check_accuracy("watch", 0.8, 0.0, MANY) is None
    assert twice(watchdog, "guard", 0.8, 0.0, MANY) is None
    assert watchdog.collapsed == {"watch", "guard"}
    assert watchdog.check_signal(100, 0.9) is not None


def test_a_resumed_run_does_not_raise_its_alarms_again() -> None:
    watchdog, other = Watchdog(10), Watchdog(10)
    watchdog.check_accuracy("watch", 0.8, 0.5, MANY)
    watchdog.check_accuracy("watch", 0.8, 0.0, MANY)
    watchdog.check_accuracy("guard", 0.8, 0.0, MANY)
    other.load_state_dict(msgspec.json.decode(msgspec.json.encode(watchdog.state_dict())))
    assert other.state_dict() == watchdog.state_dict()
    assert (other.collapsed, other.suspected) == ({"watch"}, {"guard", "watch"})
    assert other.check_accuracy("watch", 0.8, 0.0, MANY) is None
    assert other.check_signal(100, 0.9) is not None


@pytest.mark.parametrize(("images", "robust", "collapsed"), [(29, 0.48, False), (29, 0.2, True), (1000, 0.5, True)])
def test_on_few_images_a_fall_counts_only_if_it_is_larger_than_chance_makes_it(
    images: int, robust: float, collapsed: bool
) -> None:
    watchdog = Watchdog(10)
    watchdog.check_accuracy("guard", 1.0, 0.76, images)
    assert bool(watchdog.check_accuracy("guard", 1.0, robust, images)) is collapsed


@pytest.mark.parametrize("hits", [0, 1, 2])
@pytest.mark.parametrize(("clean", "images"), [(0.03, 128), (0.08, 128), (0.08, 16), (0.3, 64), (0.03, 1000)])
def test_with_many_classes_a_few_images_cannot_show_a_collapse(clean: float, images: int, hits: int) -> None:
    assert twice(Watchdog(1000), "guard", clean, hits / images, images) is None


@pytest.mark.parametrize(("classes", "clean", "images"), [(1000, 0.5, 1000), (1000, 0.1, 50_000), (10, 0.8, 60)])
def test_robust_accuracy_of_0_is_a_collapse_if_there_are_enough_images(classes: int, clean: float, images: int) -> None:
    assert twice(Watchdog(classes), "watch", clean, 0.0, images) is not None


def test_a_stage_that_recovers_has_not_collapsed() -> None:
    watchdog = Watchdog(10)
    assert twice(watchdog, "guard", 0.8, 0.0, 128)
    assert watchdog.collapsed == {"guard"}
    watchdog.check_accuracy("guard", 0.8, 0.4, 128)
    assert watchdog.collapsed == watchdog.suspected == set()
    watchdog.check_accuracy("guard", 0.8, 0.4, 128)


@pytest.mark.parametrize("classes", [2, 3])
def test_a_network_far_below_chance_has_collapsed_with_few_classes_too(classes: int) -> None:
    """A network that collapses in its first epoch has no better accuracy to fall from."""
    assert twice(Watchdog(classes), "watch", 0.95, 0.0, MANY)
    assert not twice(Watchdog(classes), "watch", 0.95, 1 / classes, MANY)
    assert not twice(Watchdog(classes), "watch", 1 / classes + 0.1, 0.0, MANY)  # hardly trained


@pytest.mark.parametrize(
    ("fgsm", "robust", "collapsed"),
    [
        (0.95, 0.43, True),  # label smoothing hides the collapse: robust accuracy has hardly fallen
        (0.95, 0.95 - MAX_GAP - 0.01, True),
        (0.9 * COMPLETE + 0.01, 0.9 * COMPLETE - MAX_GAP, True),
        (0.9 * COMPLETE - 0.01, 0.9 * COMPLETE - MAX_GAP - 0.02, False),  # FGSM still fools some images
        (0.95, 0.95 - MAX_GAP + 0.01, False),
        (0.55, 0.48, False),  # healthy
        (None, 0.43, False),
    ],
)
def test_a_network_that_fgsm_no_longer_fools_but_pgd_does_has_collapsed(
    fgsm: float | None, robust: float, collapsed: bool
) -> None:
    watchdog = Watchdog(10)
    watchdog.check_accuracy("guard", 0.8, 0.5, GAP_IMAGES)
    said = watchdog.check_accuracy("guard", 0.9, robust, GAP_IMAGES, fgsm)
    assert bool(said) is collapsed
    assert ("guard" in watchdog.collapsed) is collapsed
    assert f"{fgsm or 0:.1%} under FGSM" in (said or f"{fgsm or 0:.1%} under FGSM")


@pytest.mark.parametrize(
    ("robust", "gaps", "collapsed"),
    [
        ([0.2, 0.2, 0.2], [0.0, SLOW_GAP + 0.01, SLOW_GAP + 0.01], True),
        ([0.2, 0.2, 0.2], [SLOW_GAP + 0.01, 0.0, SLOW_GAP + 0.01], False),  # not in a row
        ([0.2, 0.2, 0.2], [0.0, SLOW_GAP - 0.01, SLOW_GAP - 0.01], False),
        ([0.2, 0.21, 0.22], [0.0, SLOW_GAP + 0.01, SLOW_GAP + 0.01], False),  # robust accuracy rises
        ([0.2, 0.1, 0.15], [0.0, SLOW_GAP + 0.01, SLOW_GAP + 0.01], True),  # but is not yet where it was
        ([0.1, 0.06, 0.09], [0.0, SLOW_GAP + 0.01, SLOW_GAP + 0.01], False),  # it was where chance had put it
        ([0.1, 0.06, 0.06], [0.0, SLOW_GAP + 0.01, SLOW_GAP + 0.01], True),
    ],
)
def test_a_gap_that_stays_while_robust_accuracy_does_not_rise_is_a_collapse(
    robust: list[float], gaps: list[float], collapsed: bool
) -> None:
    watchdog = Watchdog(10)
    said = [
        watchdog.check_accuracy("guard", 0.9, share, MANY, share + gap) for share, gap in zip(robust, gaps, strict=True)
    ]
    assert [bool(message) for message in said] == [False, False, collapsed]


@pytest.mark.parametrize(
    ("clean", "robust", "fgsm", "good"),
    [
        (0.9, 0.5, 0.6, True),
        (0.6, 0.12, 0.2, False),  # hardly above chance: nothing to go back to
        (0.8, 0.0, 0.3, False),  # suspected
        (0.9, 0.4, 0.9, False),  # collapsed
    ],
)
def test_a_network_is_good_if_it_is_robust_and_nothing_speaks_of_a_collapse(
    clean: float, robust: float, fgsm: float, good: bool
) -> None:
    watchdog = Watchdog(10)
    watchdog.check_accuracy("guard", clean, robust, GAP_IMAGES, fgsm)
    assert watchdog.good("guard", robust, GAP_IMAGES) is good


def test_with_few_images_the_gap_must_be_wider() -> None:
    assert wide_gap(0.95, 0.5, GAP_IMAGES)
    assert not wide_gap(0.95, 0.5, 40)


def test_after_a_rollback_each_alarm_can_be_raised_again() -> None:
    watchdog = Watchdog(10)
    assert watchdog.check_signal(100, 0.9)
    watchdog.rearm()
    assert watchdog.check_signal(100, 0.9)


def test_gradients_that_no_longer_agree_raise_the_alarm_once_and_only_after_the_warm_up() -> None:
    watchdog = Watchdog(10)
    assert watchdog.check_alignment(WARM_UP - 1, -0.5) is None
    assert watchdog.check_alignment(WARM_UP, MIN_ALIGNMENT + 0.01) is None
    assert "cosine of 0.03" in str(watchdog.check_alignment(WARM_UP, 0.03))
    assert watchdog.check_alignment(WARM_UP + 1, 0.0) is None
    assert watchdog.check_signal(WARM_UP + 1, 0.9) is None  # the same kind of alarm


@pytest.mark.parametrize(("fgsm", "collapsed"), [(0.14, False), (0.20, False), (0.35, True), (None, True)])
def test_robust_accuracy_below_chance_is_a_collapse_only_where_fgsm_fools_less(
    fgsm: float | None, collapsed: bool
) -> None:
    """Early in training, a network may be fooled by every attack: it has not learned to be robust yet."""
    watchdog = Watchdog(10)
    assert bool(twice(watchdog, "guard", 0.57, 0.01, MANY, fgsm)) is collapsed
    other = Watchdog(10)
    other.load_state_dict(watchdog.state_dict() | {"raised": []})
    assert bool(twice(other, "watch", 0.57, 0.0, MANY)) is collapsed  # the same network on other images
