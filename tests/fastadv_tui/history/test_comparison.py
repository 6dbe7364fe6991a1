"""Runs side by side: results, differences, groups of seeds and warnings."""

import statistics

import pytest
from msgspec.structs import replace

from fastadv_tui.history.comparison import compare
from fastadv_tui.history.comparison_formats import FORMATS
from fastadv_tui.history.run_settings import differing_settings
from fastadv_tui.history.seed_groups import counted_twice, group_by_seed, mean_std, seeds_text
from tests.support.comparisons import BASE, NARROW, PGD20, PGD100, line_of
from tests.support.evaluations import evaluation


def test_the_work_of_stopped_runs_in_a_comparison_is_what_they_did() -> None:
    runs = [
        replace(each, flops=10**12, total_epochs=10.0, epochs=epochs) for each, epochs in ((BASE, 5.0), (NARROW, 10.0))
    ]
    assert line_of(compare(runs), "results", "work") == ["500 GFLOP", "1 TFLOP"]


def test_a_comparison_shows_results_side_by_side() -> None:
    table = compare([BASE, NARROW])
    assert table.runs == ["a1", "b2"]
    assert line_of(table, "results", "clean") == ["80.0 ± 1.3%", "70.0 ± 1.4% -10.0 *"]
    assert line_of(table, "results", "robust") == ["45.0 ± 1.6%", "46.0 ± 1.6% +1.0"]
    assert line_of(table, "results", "took") == ["1 min 00 s", "30 s"]
    assert line_of(table, "results", "memory") == ["-", "-"]
    assert table.warnings == []


def test_a_comparison_of_seeds_has_a_column_for_each_group() -> None:
    seeds = [replace(BASE, id=f"s{seed}", seed=seed, duration=60.0 + 30 * seed) for seed in range(3)]
    table = compare([seeds[0], NARROW, *seeds[1:]], by_seed=True)
    assert table.runs == ["s0 (3 runs)", "b2"]
    assert line_of(table, "results", "seed") == ["0,1,2", "0"]
    newest_first = compare([*reversed(seeds), NARROW], by_seed=True)
    assert line_of(newest_first, "results", "seed") == ["0,1,2", "0"]
    assert line_of(table, "results", "took") == ["1 min 30 s", "30 s"]
    assert [label for label, _ in table.settings] == ["model.width"]


def test_the_step_sizes_of_two_methods_are_shown_where_each_is_the_default_of_its_method() -> None:
    fgsm, pgd = replace(BASE, alpha=10 / 255), replace(BASE, id="b2", method="pgd", alpha=2 / 255)
    assert line_of(compare([fgsm, pgd]), "settings", "method.alpha") == ["10/255", "2/255"]
    assert line_of(compare([fgsm, replace(pgd, alpha=10 / 255)]), "settings", "method.alpha") == []
    assert line_of(compare([fgsm, replace(pgd, method="fgsm", eps=2 / 255)]), "settings", "method.alpha") == []


def test_a_group_of_seeds_has_one_first_run_in_whatever_order_its_runs_are_given() -> None:
    seeds = [replace(BASE, id=f"s{seed}", seed=seed) for seed in range(3)]
    for order in (seeds, seeds[::-1], [seeds[1], seeds[2], seeds[0]]):
        (group,) = group_by_seed(order)
        assert [row.id for row in group.rows] == ["s0", "s1", "s2"]


def test_a_mean_over_fewer_runs_than_its_column_says_over_how_many() -> None:
    record = evaluation(attack="pgd-5", robust=0.4, images=1000)
    seeds = [replace(BASE, id=f"s{seed}", seed=seed, evaluations=[record] * (seed == 0)) for seed in range(2)]
    results = dict(compare([*seeds, NARROW], by_seed=True).results)
    (cells,) = [cells for label, cells in results.items() if label.startswith("PGD-5")]
    assert [cell.words for cell in cells] == ["40.0 ± 1.5% (n = 1 of 2)", "-"]
    assert results["robust"][0].words == "45.0 ± 1.6%"


def test_two_seeds_are_too_few_for_a_deviation_in_every_table() -> None:
    """The comparison shows the standard error of the images then; no other table may call it something else."""
    seeds = [replace(BASE, id=f"s{seed}", seed=seed, robust=0.4 + seed / 10) for seed in range(3)]
    assert [group.robust_std for group in group_by_seed(seeds[:2])] == [None]
    assert group_by_seed(seeds)[0].robust_std == pytest.approx(0.1)
    assert dict(compare(seeds, by_seed=True).results)["robust"][0].plus_minus == pytest.approx(0.1)


def test_runs_of_one_name_are_told_apart_by_their_seed() -> None:
    named = [column.name for column in compare([BASE, replace(BASE, id="c3", seed=1), NARROW]).columns]
    assert named == ["base s0", "base s1", "narrow"]


def test_the_notes_explain_only_signs_that_stand_in_a_cell() -> None:
    notes = compare([BASE, replace(NARROW, clean=0.81)]).notes
    assert any(note.startswith("differences in") for note in notes)
    assert not any(note.startswith("*") for note in notes)
    other = replace(NARROW, eps=4 / 255, settings={"eps": 4 / 255}, clean=None)
    assert not any(note.startswith("differences in") for note in compare([BASE, other]).notes)
    better = replace(NARROW, robust=0.9)
    assert any(note.startswith("* differs from base") for note in compare([BASE, better]).notes)


def test_the_note_on_parentheses_shows_which_are_meant() -> None:
    """The number of runs of a group stands in parentheses, too."""
    seeds = [replace(BASE, id=f"s{seed}", seed=seed) for seed in range(2)]
    table = compare([*seeds, replace(NARROW, eps=4 / 255, settings={"eps": 4 / 255})], by_seed=True)
    assert [column.name for column in table.columns] == ["base (2)", "narrow"]
    (note,) = [note for note in table.notes if "parentheses" in note]
    assert note.startswith("a reason in parentheses, such as (eps 4): measured unlike base (2)")


def test_the_best_epoch_stands_beside_the_last() -> None:
    table = compare([replace(BASE, curve=[(1.0, 0.4, 0.3), (2.0, 0.5, 0.5), (3.0, 0.6, 0.5)]), NARROW])
    assert line_of(table, "results", "best robust") == ["50.0%", "-"]
    assert line_of(table, "results", "at epoch") == ["2", "-"]
    assert line_of(compare([NARROW, BASE]), "results", "best robust") == []


def test_the_best_robust_accuracy_says_its_attack_and_of_seeds_it_is_the_mean() -> None:
    """The robust accuracy above it is mostly that under a stronger attack."""
    curves = [(1.0, 0.4, 0.3), (2.0, 0.5, 0.5)], [(1.0, 0.4, 0.4), (2.0, 0.5, 0.3)]
    seeds = [replace(BASE, id=f"s{seed}", seed=seed, curve=curve) for seed, curve in enumerate(curves)]
    table = compare([*seeds, NARROW], by_seed=True)
    assert line_of(table, "results", "best robust") == ["45.0%", "-"]
    assert line_of(table, "results", "at epoch") == ["1 to 2", "-"]
    told = "best robust: under PGD-10 while training"
    assert f"{told}, of several seeds the mean of their best" in table.notes
    assert told in compare(seeds).notes
    assert not any(note.startswith("best robust") for note in compare([BASE, NARROW]).notes)


def test_a_group_of_which_one_run_was_renamed_has_both_names() -> None:
    seeds = [BASE, replace(BASE, id="a2", name="mine", seed=1)]
    table = compare([*seeds, NARROW], by_seed=True)
    assert [column.name for column in table.columns] == ["base, mine (2)", "narrow"]
    assert line_of(table, "results", "name")[0] == "base, mine"


def test_a_run_alone_has_its_method_and_what_the_user_wrote() -> None:
    """Nothing differs there, so that no line of the settings says it."""
    run = replace(BASE, seed=3, tags=["paper", "old"], note="x & y")
    table = compare([run])
    assert [line_of(table, "results", label) for label in ("method", "seed", "tags", "note")] == [
        ["fgsm"], ["3"], ["paper old"], ["x & y"]
    ]  # fmt: skip
    assert "x \\& y" not in FORMATS["latex"](table)
    assert line_of(compare([run, NARROW]), "results", "note") == []


def test_runs_of_another_norm_are_no_competitors_and_show_plain_sizes() -> None:
    l2 = replace(NARROW, norm="l2", eps=0.5, settings={"norm": "l2", "eps": 0.5, "method.alpha": 0.625}, robust=0.9)
    table = compare([BASE, l2])
    assert line_of(table, "results", "robust") == ["45.0 ± 1.6%", "90.0 ± 0.9% (l2 eps 0.5)"]
    assert line_of(table, "results", "eps") == ["8/255", "l2 0.5"]
    assert line_of(table, "settings", "norm") == ["linf", "l2"]
    assert line_of(table, "settings", "method.alpha") == ["follows eps", "0.625"]
    assert any("different norms" in warning for warning in table.warnings)
    assert line_of(compare([l2, BASE]), "results", "robust")[1] == "45.0 ± 1.6% (linf eps 8)"
    alone = compare([l2])
    assert line_of(alone, "results", "eps") == ["l2 0.5"]
    assert "/255" not in FORMATS["md"](alone) + FORMATS["csv"](alone) + FORMATS["latex"](alone)


def test_a_collapsed_run_says_so() -> None:
    table = compare([replace(BASE, alarms=["overfitting"]), NARROW])
    assert line_of(table, "results", "status") == ["collapsed", "done"]


def test_a_run_that_was_rolled_back_says_so_and_is_not_called_collapsed() -> None:
    twice = replace(BASE, rollbacks=[(4.0, "pgd, then nfgsm"), (9.0, "pgd, then pgd")])
    assert line_of(compare([twice, NARROW]), "results", "status") == ["done, rolled back at epochs 4 and 9", "done"]
    again = replace(BASE, rollbacks=[(4.0, "pgd, then nfgsm")], alarms=["collapse"])
    assert line_of(compare([again]), "results", "status") == ["collapsed, rolled back at epoch 4"]


def test_a_comparison_lists_only_the_settings_that_differ() -> None:
    changes = {"eps": 4 / 255, "method.name": "pgd", "epochs": 15}
    other = replace(NARROW, id="c3", method="pgd", eps=4 / 255, settings=changes)
    table = compare([BASE, other])
    assert {label for label, _ in table.settings} == {"method.name"}  # 15 epochs are the preset's own
    assert line_of(table, "results", "eps") == ["8/255", "4/255"]  # with the accuracies, and only there


def test_settings_do_not_differ_between_a_derived_row_and_the_stored_row() -> None:
    kept, derived = (replace(BASE, settings={"optim.milestones": value}) for value in ([0.3, 0.6], (0.3, 0.6)))
    assert differing_settings([kept, derived]) == []
    assert (
        differing_settings([BASE, replace(BASE, settings={"optim.milestones": [0.5, 0.75]})]) == []
    )  # the default of this setting


def test_a_preset_that_no_longer_exists_leaves_gaps_and_no_error() -> None:
    table = compare([BASE, replace(BASE, id="x", preset="of-later")])
    assert line_of(table, "settings", "model.name") == ["preact-resnet18", "-"]
    assert line_of(table, "settings", "eps") == []


@pytest.mark.parametrize(
    ("change", "warning"),
    [
        ({"data_fingerprint": "other"}, "data"),
        ({"attack": "pgd-10"}, "attacks"),
        ({"images": 10_000}, "numbers of images"),
        ({"eps": 4 / 255}, "eps"),
        ({"final": False}, "during training"),
        ({"code_fingerprint": "other"}, "engine code"),
    ],
)
def test_warnings_say_why_results_might_not_be_comparable(change: dict[str, object], warning: str) -> None:
    (said,) = compare([BASE, replace(NARROW, **change)]).warnings
    assert warning in said


def test_seeds_are_grouped_as_mean_and_standard_deviation() -> None:
    figures = [0.45, 0.47, 0.44]
    seeds = [replace(BASE, id=f"s{seed}", seed=seed, robust=figure) for seed, figure in enumerate(figures)]
    group, alone = group_by_seed([*seeds, NARROW])
    assert (group.count, alone.count) == (3, 1)
    assert group.robust == pytest.approx(statistics.mean(figures))
    assert group.robust_std == pytest.approx(statistics.stdev(figures))
    assert mean_std(group.robust, group.robust_std) == "45.3 ± 1.5%"
    assert alone.robust_std is None
    assert mean_std(alone.robust, None) == "46.0%"


def test_runs_with_different_eps_or_evaluations_are_not_grouped() -> None:
    assert len(group_by_seed([BASE, replace(BASE, id="x", settings={"eps": 4 / 255})])) == 2
    assert len(group_by_seed([BASE, replace(BASE, id="x", attack="pgd-10")])) == 2


def test_main_memory_and_memory_of_a_gpu_have_no_mean() -> None:
    rows = [replace(BASE, id=f"r{seed}", seed=seed, peak_memory=10**9, gpu_memory=None) for seed in range(2)]
    for gpu_memory, text in ((None, "1.0 GB"), (3 * 10**9, "-")):
        rows[1] = replace(rows[1], gpu_memory=gpu_memory)
        cells = dict(compare(rows, by_seed=True).results)["memory"]
        assert [cell.text for cell in cells] == [text]


def test_a_copied_run_folder_is_no_second_trial() -> None:
    own, copy = replace(BASE, id="a", origin="a"), replace(BASE, id="b", origin="a", note="copied")
    for rows in ([own, copy], [copy, own]):
        (group,) = group_by_seed(rows)
        assert [row.id for row in group.rows] == ["a"]
        assert (group.count, group.robust_std) == (1, None)
    (renamed,) = group_by_seed([copy])  # the original is gone: the copy counts
    assert renamed.count == 1
    (both,) = group_by_seed([own, replace(own, id="c", origin="c")])
    assert seeds_text(both.rows) == f"{BASE.seed} (2 runs)"


def test_a_seed_that_is_counted_twice_is_said_if_the_code_is_the_same() -> None:
    one, again = replace(BASE, id="a", origin="a"), replace(BASE, id="b", origin="b")
    assert counted_twice(group_by_seed([one, again])) == [
        "base: seed 0 is counted 2 times, with the same settings and code (a, b); these runs are no independent trials"
    ]
    assert counted_twice(group_by_seed([one, replace(again, seed=1)])) == []
    assert counted_twice(group_by_seed([one, replace(again, code_fingerprint="other")])) == []
    assert counted_twice(group_by_seed([one, replace(again, clean=None, robust=None)])) == []  # no result is counted
    assert counted_twice(group_by_seed([one, replace(again, origin="a")])) == []  # a copy of the folder


def test_a_comparison_has_a_line_for_each_kind_of_evaluation() -> None:
    one = replace(BASE, evaluations=[evaluation(robust=0.44), evaluation(attack="pgd-100", robust=0.4)])
    table = compare([one, replace(NARROW, evaluations=[evaluation(robust=0.45)])])
    assert line_of(table, "results", PGD20) == ["44.0 ± 1.6%", "45.0 ± 1.6% +1.0"]
    assert line_of(table, "results", PGD100) == ["40.0 ± 1.5%", "-"]
    assert table.warnings == []


@pytest.mark.parametrize("other", [{"data": "other"}, {"step_size": 1 / 255}])
def test_evaluations_of_one_kind_that_cannot_be_compared_are_a_warning(other: dict[str, object]) -> None:
    one, two = replace(BASE, evaluations=[evaluation()]), replace(NARROW, evaluations=[evaluation(**other)])
    assert compare([one, two]).warnings == ["results of `fastadv eval` differ in their data or step size"]


def test_figures_that_may_say_nothing_are_told_below_without_a_word_on_comparability() -> None:
    table = compare([replace(BASE, without_gradient=12, answers=1), NARROW])
    assert table.warnings == []
    assert [text.partition(":")[0] for text in table.cautions] == ["base", "base"]
    assert {*table.cautions} < {*table.footnotes}


def test_no_row_of_a_comparison_has_the_name_of_another() -> None:
    """The epochs that were trained are a result; those that were asked for are a setting."""
    table = compare([BASE, replace(NARROW, epochs=5.0, settings={"epochs": 30})])
    labels = [label for label, _ in (*table.results, *table.settings)]
    assert "epochs" in labels
    assert len(labels) == len(set(labels))


def test_epochs_that_were_all_trained_are_one_line() -> None:
    whole = [replace(BASE, epochs=15.0), replace(NARROW, epochs=30.0, settings={"epochs": 30, "model.width": 16})]
    table = compare(whole)
    assert line_of(table, "results", "epochs trained") == ["15", "30"]
    assert [label for label, _ in table.settings] == ["model.width"]
    stopped = compare([whole[0], replace(whole[1], epochs=7.5)])
    assert [label for label, _ in stopped.settings] == ["model.width", "epochs"]
    assert stopped.known_settings == table.known_settings + 1
    assert "epochs" in dict(compare(whole[1:]).settings)  # of one run alone, all that it changed
