"""The overfitting alarm: silent on healthy runs, raised once for each kind, and the same after a resume."""

import msgspec
import pytest

from engine.training.alarm import GAP_IMAGES, MAX_DROP, MAX_GAP, MIN_ALIGNMENT, THRESHOLD, WARM_UP, Watchdog, wide_gap

MANY = 10**9  # images; enough that chance hardly moves an accuracy


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
        (0.10, 0.8, 0.0, True),  # far below chance, though it did not fall far
        (0.10, 0.25, 0.0, False),  # hardly trained
        (0.00, 0.12, 0.04, False),
        (0.30, 0.9, 0.11, False),
    ],
)
def test_robust_accuracy_that_falls_or_is_below_chance_is_a_collapse(
    before: float, clean: float, robust: float, collapsed: bool
) -> None:
    watchdog = Watchdog(10)
    watchdog.check_accuracy("watch", 0.1, before, MANY)
    assert bool(watchdog.check_accuracy("watch", clean, robust, MANY)) is collapsed
    assert watchdog.collapsed == ({"watch"} if collapsed else set())


def test_evaluations_of_different_stages_are_not_compared_with_each_other() -> None:
    watchdog = Watchdog(10)
    assert watchdog.check_accuracy("guard", 0.9, 0.8, MANY) is None
    assert watchdog.check_accuracy("watch", 0.9, 0.4, MANY) is None
    assert watchdog.check_accuracy("final", 0.9, 0.3, MANY) is None


def test_accuracy_by_chance_depends_on_the_number_of_classes() -> None:
    assert Watchdog(100).check_accuracy("watch", 0.5, 0.02, MANY) is None
    assert Watchdog(10).check_accuracy("watch", 0.5, 0.02, MANY) is not None


def test_each_kind_of_alarm_is_raised_once_and_every_collapsed_stage_is_remembered() -> None:
    watchdog = Watchdog(10)
    assert watchdog.check_accuracy("watch", 0.8, 0.0, MANY) is not None
    assert watchdog.check_accuracy("watch", 0.8, 0.0, MANY) is None
    assert watchdog.check_accuracy("guard", 0.8, 0.0, MANY) is None
    assert watchdog.collapsed == {"watch", "guard"}
    assert watchdog.check_signal(100, 0.9) is not None


def test_a_resumed_run_does_not_raise_its_alarms_again() -> None:
    watchdog, other = Watchdog(10), Watchdog(10)
    watchdog.check_accuracy("watch", 0.8, 0.5, MANY)
    watchdog.check_accuracy("watch", 0.8, 0.0, MANY)
    other.load_state_dict(msgspec.json.decode(msgspec.json.encode(watchdog.state_dict())))
    assert other.state_dict() == watchdog.state_dict()
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
    assert Watchdog(1000).check_accuracy("guard", clean, hits / images, images) is None


@pytest.mark.parametrize(("classes", "clean", "images"), [(1000, 0.5, 1000), (1000, 0.1, 50_000), (10, 0.8, 60)])
def test_robust_accuracy_of_0_is_a_collapse_if_there_are_enough_images(classes: int, clean: float, images: int) -> None:
    assert Watchdog(classes).check_accuracy("watch", clean, 0.0, images) is not None


def test_a_stage_that_recovers_has_not_collapsed() -> None:
    watchdog = Watchdog(10)
    watchdog.check_accuracy("guard", 0.8, 0.0, 128)
    assert watchdog.collapsed == {"guard"}
    watchdog.check_accuracy("guard", 0.8, 0.4, 128)
    assert watchdog.collapsed == set()


@pytest.mark.parametrize("classes", [2, 3])
def test_a_network_far_below_chance_has_collapsed_with_few_classes_too(classes: int) -> None:
    """A network that collapses in its first epoch has no better accuracy to fall from."""
    assert Watchdog(classes).check_accuracy("watch", 0.95, 0.0, MANY)
    assert not Watchdog(classes).check_accuracy("watch", 0.95, 1 / classes, MANY)
    assert not Watchdog(classes).check_accuracy("watch", 1 / classes + 0.1, 0.0, MANY)  # hardly trained


@pytest.mark.parametrize(
    ("fgsm", "robust", "collapsed"),
    [
        (0.95, 0.43, True),  # label smoothing hides the collapse: robust accuracy has hardly fallen
        (0.95, 0.95 - MAX_GAP - 0.01, True),
        (0.75, 0.75 - MAX_GAP + 0.01, False),
        (0.55, 0.48, False),  # healthy
        (None, 0.43, False),
    ],
)
def test_a_network_that_is_robust_to_fgsm_but_not_to_pgd_has_collapsed(
    fgsm: float | None, robust: float, collapsed: bool
) -> None:
    watchdog = Watchdog(10)
    watchdog.check_accuracy("guard", 0.8, 0.5, GAP_IMAGES)
    said = watchdog.check_accuracy("guard", 0.9, robust, GAP_IMAGES, fgsm)
    assert bool(said) is collapsed
    assert ("guard" in watchdog.collapsed) is collapsed
    assert f"{fgsm or 0:.1%} under FGSM" in (said or f"{fgsm or 0:.1%} under FGSM")


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
    assert bool(watchdog.check_accuracy("guard", 0.57, 0.01, MANY, fgsm)) is collapsed
    other = Watchdog(10)
    other.load_state_dict(watchdog.state_dict() | {"raised": []})
    assert bool(other.check_accuracy("watch", 0.57, 0.0, MANY)) is collapsed  # the same network on other images
