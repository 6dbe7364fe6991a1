"""Which accuracies are starred, in every output format. The standard errors are recomputed here, by hand."""

import csv
import io
import json
import math
import re
import statistics
from collections.abc import Callable, Sequence

import pytest
from msgspec.structs import replace

from fastadv_tui.history.comparison import compare
from fastadv_tui.history.comparison_formats import FORMATS
from fastadv_tui.history.comparison_table import Table
from fastadv_tui.history.row import Row
from fastadv_tui.history.significance import CHANCE_PERCENT, Accuracy, Conditions, binomial_error, mean_over_seeds
from fastadv_tui.terminal.comparison_text import comparison_lines
from tests.support.evaluations import evaluation

N = 1000
BASE = Row(
    id="a1", name="base", dataset="cifar10", method="fgsm", preset="wong2020", eps=8 / 255, status="done", clean=0.6,
    robust=0.4, attack="pgd-50-10", images=N, final=True, duration=60.0, data_fingerprint="d", code_fingerprint="c",
)  # fmt: skip
OTHER = replace(BASE, id="b2", name="other", settings={"model.width": 16}, duration=6.0)
NOISE = 2 * math.sqrt(0.4 * 0.6 / N + 0.45 * 0.55 / N)  # of 40% and 45%, each on N images: 4.42 points


def seeds(first: Row, *accuracies: float) -> list[Row]:
    """Runs that differ only in their seed."""
    return [
        replace(first, id=f"{first.id}s{seed}", seed=seed, clean=value, robust=value)
        for seed, value in enumerate(accuracies)
    ]


def changed(**fields: object) -> list[Row]:
    """The base, and a run with 20 points more whose evaluation was another one."""
    return [BASE, replace(OTHER, clean=0.8, robust=0.6, **fields)]


STEADY = (0.40, 0.401, 0.402)  # their standard error over seeds is 0.06 points, that of the images is 1.5 points
CASES: dict[str, tuple[list[Row], bool, set[str], str]] = {
    # name: rows, whether seeds are grouped, labels with a star, what the robust cell says
    "equal": ([BASE, OTHER], False, set(), "40.0 ± 1.5% +0.0"),
    "beyond noise": (changed(), False, {"clean", "robust"}, "60.0 ± 1.5% +20.0 *"),
    "just beyond noise": ([BASE, replace(OTHER, robust=0.45)], False, {"robust"}, "45.0 ± 1.6% +5.0 *"),
    "within noise": ([BASE, replace(OTHER, robust=0.44)], False, set(), "44.0 ± 1.6% +4.0"),
    "worse": ([BASE, replace(OTHER, robust=0.2)], False, {"robust"}, "20.0 ± 1.3% -20.0 *"),
    "just worse beyond noise": ([BASE, replace(OTHER, robust=0.355)], False, {"robust"}, "35.5 ± 1.5% -4.5 *"),
    "worse within noise": ([BASE, replace(OTHER, robust=0.36)], False, set(), "36.0 ± 1.5% -4.0"),
    "other eps": (changed(eps=25 / 255), False, set(), "60.0 ± 1.5% (eps 25)"),
    "other norm": (changed(norm="l2", eps=0.5), False, set(), "60.0 ± 1.5% (l2 eps 0.5)"),
    "other norm with the same number": (changed(norm="l2"), False, set(), "60.0 ± 1.5% (l2 eps 0.03137)"),
    "other attack": (changed(attack="pgd-10"), False, set(), "60.0 ± 1.5% (PGD-10)"),
    "while training": (
        changed(attack="pgd-10", final=False, eps=25 / 255), False, set(),
        "60.0 ± 1.5% (PGD-10 while training, eps 25)",
    ),
    "other n": (changed(images=10_000), False, set(), "60.0 ± 0.5% (10,000 images)"),
    "other data": (changed(data_fingerprint="other"), False, set(), "60.0 ± 1.5% (other data)"),
    "other data set": (changed(dataset="cifar100"), False, set(), "60.0 ± 1.5% (data set cifar100)"),
    "held-out images": (
        changed(settings={"holdout": 500}), False, set(), "60.0 ± 1.5% (held-out training images)",
    ),
    "other step size": (
        changed(settings={"eval.step_size": 1 / 255}), False, set(), "60.0 ± 1.5% (step size 1)",
    ),
    "unknown number of images": (
        [replace(BASE, images=0), replace(OTHER, robust=0.9, images=0)], False, set(), "90.0% +50.0",
    ),
    "images that the attack could not move": (
        [BASE, replace(OTHER, robust=0.6, without_gradient=180)], False, set(), "60.0 ± 1.5% +20.0",
    ),
    "images of the baseline that the attack could not move": (
        [replace(BASE, robust=0.6, without_gradient=180), replace(OTHER, robust=0.4)], False, set(),
        "40.0 ± 1.5% -20.0",
    ),
    "worse in spite of images that the attack could not move": (
        [BASE, replace(OTHER, robust=0.2, without_gradient=180)], False, {"robust"}, "20.0 ± 1.3% -20.0 *",
    ),
    "two seeds are too few": (
        [*seeds(BASE, 0.4, 0.4), *seeds(OTHER, 0.43, 0.43)], True, set(), "43.0 ± 1.6% +3.0",
    ),
    "three seeds": (
        [*seeds(BASE, *STEADY), *seeds(OTHER, 0.43, 0.431, 0.432)], True, {"clean", "robust"}, "43.1 ± 0.1% +3.0 *",
    ),
    "three seeds that are worse": (
        [*seeds(BASE, 0.521, 0.524, 0.518), *seeds(OTHER, 0.485, 0.509, 0.461)], True, {"clean", "robust"},
        "48.5 ± 2.4% -3.6 *",
    ),
    "three seeds that scatter": (
        [*seeds(BASE, 0.3, 0.4, 0.5), *seeds(OTHER, 0.33, 0.43, 0.53)], True, set(), "43.0 ± 10.0% +3.0",
    ),
    "three seeds against one": (
        [BASE, *seeds(OTHER, 0.43, 0.431, 0.432)], True, {"clean"}, "43.1 ± 0.1% +3.1",
    ),
}  # fmt: skip


def starred_in_table(table: Table) -> set[str]:
    lines = comparison_lines(table, width=400)
    return {line.split()[0] for line in lines[: lines.index("")] if line.endswith("*")}


def starred_in_csv(table: Table) -> set[str]:
    lines = csv.reader(io.StringIO(FORMATS["csv"](table)))
    return {line[0].removesuffix(" star") for line in lines if line[0].endswith(" star") and line[2] == "*"}


def starred_in_markdown(table: Table) -> set[str]:
    lines = FORMATS["md"](table).splitlines()
    return {line.split()[1] for line in lines if line.startswith("|") and line.endswith(r"\* |")}


def starred_in_latex(table: Table) -> set[str]:
    return {line.split()[0] for line in FORMATS["latex"](table).splitlines() if line.endswith(r"* \\")}


def starred_in_json(table: Table) -> set[str]:
    read = json.loads(FORMATS["json"](table))
    return {label for label, runs in read["stars"].items() if read["runs"][1] in runs}


READERS: dict[str, Callable[[Table], set[str]]] = {
    "table": starred_in_table,
    "csv": starred_in_csv,
    "md": starred_in_markdown,
    "latex": starred_in_latex,
    "json": starred_in_json,
}


@pytest.mark.parametrize("form", READERS)
@pytest.mark.parametrize("case", CASES)
def test_a_star_stands_only_within_equal_evaluations_and_beyond_noise(case: str, form: str) -> None:
    rows, grouped, wanted, _ = CASES[case]
    assert READERS[form](compare(rows, by_seed=grouped)) == wanted


@pytest.mark.parametrize("case", CASES)
def test_a_cell_says_its_noise_its_difference_and_how_it_was_measured_if_unlike_the_baseline(case: str) -> None:
    rows, grouped, _, words = CASES[case]
    table = compare(rows, by_seed=grouped)
    assert [cells[1].words for label, cells in table.results if label == "robust"] == [words]


def test_the_case_that_is_just_beyond_noise_is_so_by_the_formula() -> None:
    assert 0.04 < NOISE < 0.05
    assert 0.04 < 2 * math.sqrt((0.4 * 0.6 + 0.355 * 0.645) / N) < 0.045  # of the case that is just worse


@pytest.mark.parametrize("case", CASES)
def test_a_star_does_not_depend_on_which_of_two_columns_is_the_baseline(case: str) -> None:
    rows, grouped, wanted, _ = CASES[case]
    turned = compare(rows[::-1], by_seed=grouped)
    assert {label for label, cells in turned.results if any(cell.star for cell in cells)} == wanted


def notes_on(*figures: Sequence[float]) -> str:
    """The footnotes of a comparison of two groups of seeds with these accuracies."""
    first, second = figures
    return "\n".join(compare([*seeds(BASE, *first), *seeds(OTHER, *second)], by_seed=True).footnotes)


def test_a_legend_stands_wherever_differences_are_shown() -> None:
    none, worse = "no difference is beyond 2 standard errors", compare([BASE, replace(OTHER, robust=0.2)]).footnotes
    assert "* differs from base by more than 2 standard errors of the difference" in worse
    assert none not in worse
    equal = compare([BASE, OTHER]).footnotes
    assert none in equal
    assert not any(note.startswith("*") for note in equal)
    unlike = compare(changed(eps=4 / 255)).footnotes  # nothing but what cannot be compared
    assert not any("2 standard errors" in note for note in unlike)


def test_differences_of_unknown_noise_are_not_called_small() -> None:
    unknown = compare([replace(BASE, images=0), replace(OTHER, robust=0.9, images=0)]).footnotes
    assert "a difference without ± is not tested: the number of images is unknown" in unknown
    assert not any("2 standard errors" in note for note in unknown)


def test_images_without_gradient_are_said_not_to_count() -> None:
    said = "images with zero gradient do not count for the better one of two robust accuracies"
    assert said in compare([BASE, replace(OTHER, robust=0.6, without_gradient=180)]).footnotes
    assert said not in compare([BASE, replace(OTHER, robust=0.6)]).footnotes


def test_with_few_seeds_a_note_says_how_often_chance_alone_makes_such_a_difference() -> None:
    many = (0.40, 0.42, 0.41, 0.43, 0.40, 0.42)
    for count, percent in ((3, 12), (4, 9), (5, 8)):
        said = f"with {count} seeds, chance alone makes such a difference in about {percent}% of comparisons"
        assert said in notes_on(many[:count], many[:count])
    assert "with 3 seeds, chance alone" in notes_on(many, many[:3])  # the smaller group counts
    for first, second in ((many, many), (many[:2], many[:2]), (many[:3], many[:1])):
        assert "chance alone" not in notes_on(first, second)


@pytest.mark.parametrize("count", CHANCE_PERCENT)
def test_the_frequency_of_chance_is_the_tail_of_the_t_distribution(count: int) -> None:
    """By adding up its density from 2 on."""
    free, step = 2 * count - 2, 1e-3
    norm = math.gamma((free + 1) / 2) / (math.sqrt(free * math.pi) * math.gamma(free / 2))
    tail = sum(norm * (1 + t * t / free) ** (-(free + 1) / 2) * step for t in (2 + step * k for k in range(200_000)))
    assert CHANCE_PERCENT[count] == round(100 * 2 * tail)


@pytest.mark.parametrize("form", ["table", "csv", "md", "latex", "json"])
def test_every_format_has_the_same_footnotes_inside(form: str) -> None:
    table = compare(changed(eps=25 / 255))
    assert len(table.footnotes) >= 3
    if form == "table":
        text = "\n".join(comparison_lines(table, width=400))
    else:
        text = re.sub(r"\\(?=[*()`])", "", FORMATS[form](table)).replace(r"$\pm$", "±")
        text = text.replace("\\u00b1", "±")  # JSON in ASCII
    for note in table.footnotes:
        assert note in text


def test_the_difference_is_to_the_pinned_run_wherever_it_stands() -> None:
    table = compare([OTHER, replace(BASE, pinned=True, robust=0.3)])
    assert (table.baseline, table.pinned) == (1, True)
    (robust,) = [cells for label, cells in table.results if label == "robust"]
    assert [cell.difference_text for cell in robust] == ["+10.0", ""]
    assert "* differs from base by more than 2 standard errors of the difference" in table.footnotes


def test_times_have_no_star_and_no_difference() -> None:
    table = compare([BASE, replace(OTHER, duration=1.0, flops=1, images_per_second=1e6)])
    others = [cell for label, cells in table.results if label not in ("clean", "robust") for cell in cells]
    assert not any(cell.star or cell.difference is not None for cell in others)


@pytest.mark.parametrize(("other", "star"), [({}, True), ({"data": "other"}, False), ({"step_size": 1 / 255}, False)])
def test_results_of_eval_are_starred_only_within_equal_data_and_step_size(other: dict[str, object], star: bool) -> None:
    rows = [
        replace(BASE, evaluations=[evaluation(robust=0.3)]),
        replace(OTHER, evaluations=[evaluation(robust=0.5, **other)]),
    ]
    (cells,) = [cells for label, cells in compare(rows).results if label.startswith("PGD-20")]
    assert (cells[1].star, bool(cells[1].unlike)) == (star, not star)


def test_the_standard_error_is_that_of_the_images_below_three_seeds_and_that_of_the_seeds_from_three_on() -> None:
    conditions = Conditions(dataset="digits", attack="pgd-10", eps=0.2, images=360)
    binomial = math.sqrt(0.4 * 0.6 / 360)

    def error(values: Sequence[float]) -> float | None:
        accuracy = mean_over_seeds({seed: [value] for seed, value in enumerate(values)}, conditions)
        assert accuracy is not None
        return accuracy.standard_error

    assert error([0.4]) == pytest.approx(binomial)
    assert error([0.39, 0.41]) == pytest.approx(binomial)
    assert error([0.38, 0.4, 0.42]) == pytest.approx(statistics.stdev([0.38, 0.4, 0.42]) / math.sqrt(3))


def test_runs_of_one_seed_are_one_trial() -> None:
    conditions = Conditions(dataset="digits", attack="pgd-10", eps=0.2, images=360)
    accuracy = mean_over_seeds({0: [0.3, 0.5, 0.4], 1: [0.4]}, conditions)
    assert accuracy == Accuracy(value=0.4, conditions=conditions, seeds=2, runs=4, std=None)


@pytest.mark.parametrize("accuracy", [0.0, 0.25, 1.0])
def test_the_binomial_error_is_the_deviation_of_the_mean_of_so_many_draws(accuracy: float) -> None:
    images = 40
    right = round(accuracy * images)
    draws = [1.0] * right + [0.0] * (images - right)
    assert binomial_error(accuracy, images) == pytest.approx(statistics.pstdev(draws) / math.sqrt(images))
