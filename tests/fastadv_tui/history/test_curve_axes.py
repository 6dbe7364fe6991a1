"""Accuracy against epochs, time, work and eps."""

import statistics

import pytest
from msgspec.structs import replace

from fastadv_tui.history.curve_axes import (
    CLEAN,
    against_epochs,
    against_eps,
    against_time,
    against_work,
    attack_of_curve,
    attack_of_eps,
    norm_of_eps,
    spread,
)
from fastadv_tui.history.row import Row
from tests.support.evaluations import evaluation

RUN = Row(
    id="a", dataset="cifar10", preset="wong2020", method="fgsm", epochs=4.0, total_epochs=8.0, duration=40.0, flops=800,
    curve=[(1.0, 0.5, 0.2), (2.0, 0.6, 0.3), (4.0, 0.8, 0.4)],
)  # fmt: skip


def test_time_and_work_rise_with_the_epochs() -> None:
    assert against_epochs([RUN]) == [(1.0, 0.2), (2.0, 0.3), (4.0, 0.4)]
    assert against_time([RUN]) == [(10.0, 0.2), (20.0, 0.3), (40.0, 0.4)]  # 40 s for 4 epochs
    assert against_work([RUN]) == [(100.0, 0.2), (200.0, 0.3), (400.0, 0.4)]  # 800 operations for 8 epochs


def test_a_phase_of_small_images_costs_less() -> None:
    phased = replace(RUN, settings={"phases": "0-2:0/16 2-8:0/32"})  # an epoch of the second phase costs four times
    assert against_time([phased]) == [(4.0, 0.2), (8.0, 0.3), (40.0, 0.4)]
    assert [x for x, _ in against_work([phased])] == pytest.approx([800 / 26, 1600 / 26, 800 * 10 / 26])


def test_a_run_of_unknown_time_or_work_has_no_points() -> None:
    assert against_time([replace(RUN, duration=0.0)]) == against_work([replace(RUN, flops=0)]) == []
    assert against_epochs([replace(RUN, curve=[])]) == []


def test_the_curve_of_seeds_is_their_mean_at_the_epochs_that_all_have() -> None:
    other = replace(RUN, id="b", seed=1, curve=[(1.0, 0.7, 0.4), (4.0, 0.6, 0.6)])
    assert against_epochs([RUN, other]) == [(1.0, pytest.approx(0.3)), (4.0, pytest.approx(0.5))]
    assert against_epochs([RUN, other], CLEAN) == [(1.0, pytest.approx(0.6)), (4.0, pytest.approx(0.7))]
    never = replace(other, curve=[(3.0, 0.6, 0.6)])
    assert against_epochs([RUN, never]) == against_epochs([RUN])


def test_time_and_work_of_seeds_are_their_means_too() -> None:
    slow = replace(RUN, id="b", seed=1, duration=80.0, flops=1600)
    assert [x for x, _ in against_time([RUN, slow])] == pytest.approx([15.0, 30.0, 60.0])
    assert [x for x, _ in against_work([RUN, slow])] == pytest.approx([150.0, 300.0, 600.0])


def test_the_spread_over_seeds_is_the_sample_deviation_at_the_shared_epochs() -> None:
    other = replace(RUN, curve=[(1.0, 0.7, 0.4), (4.0, 0.8, 0.6)])
    wanted = [statistics.stdev(found) for found in ((0.2, 0.4, 0.4), (0.4, 0.6, 0.6))]
    assert spread([RUN, other, other]) == pytest.approx(wanted)
    assert len(against_epochs([RUN, other, other])) == 2
    assert spread([RUN, other]) == spread([RUN]) == spread([]) == []  # too few seeds, as in the tables


def test_robustness_against_eps_takes_the_attack_with_most_eps_and_begins_at_clean_accuracy() -> None:
    sizes = [evaluation(eps=eps / 255, robust=0.6 - eps / 20, clean=0.6) for eps in (8, 4)]
    run = replace(RUN, evaluations=[*sizes, evaluation(attack="pgd-100", eps=2 / 255, robust=0.1)])
    points = against_eps([run])
    assert [y for _, y in points] == pytest.approx([0.6, 0.4, 0.2])
    assert [255 * x for x, _ in points] == pytest.approx([0, 4, 8])
    assert against_eps([replace(RUN, evaluations=sizes[:1])]) == []


def test_robustness_against_eps_mixes_no_norms() -> None:
    sizes = [evaluation(norm="l2", eps=eps, robust=0.5 - eps / 4, clean=0.8) for eps in (0.25, 0.5, 1.5)]
    run = replace(RUN, norm="l2", evaluations=[*sizes, evaluation(eps=8 / 255)])
    assert norm_of_eps([run]) == "l2"
    assert [eps for eps, _ in against_eps([run])] == [0.0, 0.25, 0.5, 1.5]


def test_the_attack_of_the_curve_is_that_of_the_evaluations_while_training() -> None:
    """Not that of the final evaluation, which is stronger."""
    assert attack_of_curve(replace(RUN, attack="pgd-50-10", final=True)) == "pgd-10"
    assert attack_of_curve(replace(RUN, attack="pgd-7", final=False)) == "pgd-7"
    assert attack_of_curve(replace(RUN, attack="aa", final=True, settings={"watch.steps": 20})) == "pgd-20"


def test_the_attack_of_the_curve_against_eps_is_the_one_that_measured_most_of_them() -> None:
    measured = [evaluation(attack="pgd-20", eps=eps / 255) for eps in (2, 4)]
    run = replace(RUN, evaluations=[evaluation(attack="aa", eps=8 / 255), *measured])
    assert attack_of_eps([run]) == "pgd-20"
    assert attack_of_eps([RUN]) == ""
