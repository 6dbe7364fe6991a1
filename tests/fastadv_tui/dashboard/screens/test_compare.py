"""The comparison of any number of runs, driven by a pilot."""

from pathlib import Path

import pytest
from msgspec.structs import replace
from textual.pilot import Pilot

from engine.protocol.evaluations import append
from fastadv_tui.dashboard.app import Fastadv
from fastadv_tui.dashboard.chart.widget import Chart
from fastadv_tui.dashboard.screens.compare import CompareScreen
from fastadv_tui.dashboard.widgets.comparison_view import ComparisonView
from fastadv_tui.history.index import History
from tests.support import demo_home
from tests.support.evaluations import evaluation
from tests.support.pilot import a_run, export, play, shown, until

pytestmark = pytest.mark.usefixtures("quick_home")


async def opened(app: Fastadv, pilot: Pilot[str], *names: str, by_seed: bool = False) -> ComparisonView:
    """Open the comparison of all runs with these names, and wait until its table is filled."""
    await until(pilot, lambda: app.snapshot.loaded)
    app.push_screen(CompareScreen([row.id for row in app.snapshot.rows if row.name in names], by_seed))
    await until(pilot, lambda: any(view.row_count for view in app.screen.query(ComparisonView)))
    return app.screen.query_one(ComparisonView)


def headings(view: ComparisonView) -> list[str]:
    return [str(column.label) for column in view.ordered_columns]


def test_runs_that_do_not_fit_become_rows_and_the_first_column_stays_while_keys_scroll() -> None:
    demo_home.fill("seeds")

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        view = await opened(app, pilot, "fgsm", "nfgsm", "fgsm-zero", "nfgsm-eps4")
        assert view.row_count == 12
        assert "robust" in headings(view)
        await until(pilot, lambda: "clean" in shown(app))
        await pilot.press(*["right"] * 30)
        await until(pilot, lambda: view.scroll_x > 20 and "collapsed  80" not in shown(app))
        assert all(f"nfgsm s{seed}" in shown(app) for seed in range(3))

    play(script, size=(120, 60))


def test_seed_groups_that_fit_are_columns_with_differences_to_the_pinned_one() -> None:
    demo_home.fill("seeds")

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        view = await opened(app, pilot, "fgsm", "nfgsm", by_seed=True)
        assert [" ".join(name.split()[-2:]) for name in headings(view)[1:]] == ["nfgsm (3)", "fgsm (3)"]
        assert "⚑" in headings(view)[2]
        await until(pilot, lambda: "48.6 ± 0.1% +3.6 *" in shown(app))
        await until(pilot, lambda: "differences in percentage points against fgsm (3)" in shown(app))
        await pilot.press("g")
        await until(pilot, lambda: view.row_count == 6)  # each run alone: rows

    play(script, size=(160, 50))


def test_a_small_chart_without_room_for_its_axes_is_not_drawn() -> None:
    runs = [a_run("a1"), a_run("b2", eps=4 / 255)]
    for rundir in runs:
        append(rundir.evaluations, [evaluation(eps=eps / 255, robust=0.5 - eps / 40) for eps in (2, 4, 8)])

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: len(app.snapshot.rows) == 2)
        app.push_screen(CompareScreen([row.id for row in app.snapshot.rows]))

        def drawn() -> list[str | None]:
            charts = app.screen.query("#small-comparisons Chart").results(Chart)
            return [chart.id for chart in charts if chart.display and chart.size.width >= 20]

        await until(pilot, lambda: drawn() == ["against-time", "against-eps"])
        await until(pilot, lambda: "chart against work: needs a wider terminal" in shown(app))
        await pilot.resize_terminal(200, 40)
        await until(pilot, lambda: len(drawn()) == 3 and "wider terminal" not in shown(app))

    play(script, size=(120, 40))


def test_a_marked_run_keeps_its_colour_and_an_unmarked_one_takes_a_free_one() -> None:
    demo_home.fill("seeds")

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: app.snapshot.loaded)
        of = {row.name: row.id for row in app.snapshot.rows if row.seed == 0}
        for name in ("nfgsm-eps4", "pgd"):
            app.marked.toggle(of[name])
        app.push_screen(CompareScreen([of["fgsm"], of["pgd"], of["nfgsm"]]))
        await until(pilot, lambda: app.screen.query(Chart) and app.screen.query(Chart).first().series)
        assert [series.look for series in app.screen.query(Chart).first().series] == [2, 1, 3]

    play(script, size=(160, 50))


def test_charts_against_time_work_and_eps() -> None:
    demo_home.fill("seeds")

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await opened(app, pilot, "fgsm", "nfgsm", by_seed=True)
        charts = {name: app.screen.query_one(f"#against-{name}", Chart) for name in ("time", "work", "eps")}
        assert [len(charts[name].series) for name in charts] == [2, 2, 1]
        await until(pilot, lambda: "4 PFLOP" in shown(app) and "1/255" in shown(app))
        await pilot.press("t")
        await until(pilot, lambda: "Results" not in shown(app))

    play(script, size=(200, 60))


def test_the_key_v_turns_every_chart_of_training() -> None:
    demo_home.fill("seeds")

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await opened(app, pilot, "fgsm", "nfgsm", by_seed=True)
        charts = [app.screen.query_one(f"#against-{name}", Chart) for name in ("epochs", "time", "work")]
        robust = [chart.series[0].ys[-1] for chart in charts]
        await pilot.press("v")
        await until(pilot, lambda: "Clean · time" in shown(app) and "Clean · work" in shown(app))
        assert [chart.series[0].ys[-1] > was + 0.2 for chart, was in zip(charts, robust, strict=True)] == [True] * 3
        assert "PGD-20 · eps" in shown(app)

    play(script, size=(200, 60))


def test_titles_name_the_attack_of_the_curves_unless_the_runs_have_several() -> None:
    demo_home.fill("seeds")
    other = replace(demo_home.recipes()[0], id="other", name="other", settings={"watch.steps": 20})
    History().upsert([other])

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await opened(app, pilot, "fgsm", "pgd", by_seed=True)
        await until(pilot, lambda: "Robust accuracy while training, PGD-10 · epoch" in shown(app))
        assert "PGD-10 · time" in shown(app)
        await pilot.press("v")
        await until(pilot, lambda: "Clean accuracy while training · epoch" in shown(app))
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, CompareScreen))
        await opened(app, pilot, "fgsm", "other", by_seed=True)
        await until(pilot, lambda: "Robust accuracy while training · epoch" in shown(app))
        assert "Robust · time" in shown(app)

    play(script, size=(200, 60))


def test_one_run_is_named_agrees_with_none_and_no_word_beside_it_is_cut() -> None:
    demo_home.fill("seeds")

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: app.snapshot.loaded)
        rows = [row for row in app.snapshot.rows if row.name == "nfgsm"]
        app.push_screen(CompareScreen([rows[0].id]))
        await until(pilot, lambda: "Results · run nfgs00 ─" in shown(app))
        assert "agree" not in shown(app)
        await until(pilot, lambda: "from the preset" in shown(app))
        assert "changed" in shown(app)
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, CompareScreen))
        app.push_screen(CompareScreen([row.id for row in rows], by_seed=True))
        await until(pilot, lambda: "Results · 3 runs in 1 group, mean over seeds" in shown(app))
        await pilot.press("p")
        await until(pilot, lambda: "3 runs in 1 group, mean over seeds · " in shown(app))
        assert " published" in shown(app)

    play(script, size=(120, 40))


def test_a_run_without_an_evaluation_is_left_out_of_the_figure_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = demo_home.recipes()[:2]
    History().upsert([*rows, replace(rows[0], id="new", name="waits", curve=[], status="cancelled")])

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await opened(app, pilot, "nfgsm", "waits")
        await export(app, pilot, "accuracy by epoch")
        await until(pilot, lambda: "without an evaluation: waits" in " ".join(shown(app).split()))
        await until(pilot, lambda: [*tmp_path.glob("fastadv-accuracy-*.pdf")])

    play(script, size=(120, 40))


def test_published_results_that_do_not_exist_are_said_to_be_missing() -> None:
    rows = [replace(row, dataset="digits", preset="digits") for row in demo_home.recipes()[:2]]
    History().upsert(rows)

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await opened(app, pilot, "nfgsm")
        await pilot.press("p")
        await until(pilot, lambda: "no results are published for digits" in " ".join(shown(app).split()))

    play(script, size=(120, 40))


def test_a_narrow_terminal_shows_the_table_and_the_charts_on_request() -> None:
    demo_home.fill("seeds")

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await opened(app, pilot, "fgsm", "nfgsm", by_seed=True)
        await until(pilot, lambda: "Results" in shown(app) and "Robust accuracy" not in shown(app))
        await pilot.press("t")
        await until(pilot, lambda: "Results" not in shown(app) and "Robust accuracy" in shown(app))

    play(script, size=(80, 24))


def test_where_the_reasons_have_no_room_a_letter_stands_for_each_and_is_explained_below() -> None:
    demo_home.fill("seeds")

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        view = await opened(app, pilot, "fgsm", "nfgsm", "pgd", "nfgsm-eps4", by_seed=True)
        words = view.reasons.values()
        assert "eps 4" in words
        assert any("while training" in reason for reason in words)
        await until(pilot, lambda: "a  not comparable: " in shown(app))
        robust = headings(view).index("robust")
        assert robust < headings(view).index("attack")  # whose words would push the accuracies off the screen
        dim = [view.get_row_at(row)[robust] for row in range(view.row_count)]
        letters = [str(cell)[-1] for cell in dim if str(cell.style) == "dim"]
        assert sorted(set(letters)) == sorted(view.reasons)
        assert view.get_row_height(view.ordered_rows[0].key) == 1

    play(script, size=(80, 24))


def test_every_letter_of_the_notes_stands_in_a_cell_though_the_number_of_images_is_unknown() -> None:
    rows = demo_home.recipes()[:3]
    History().upsert([*rows, replace(rows[0], id="old", name="old", attack="pgd-10", images=0, final=False)])

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        view = await opened(app, pilot, "nfgsm", "old")
        cells = [str(cell) for row in range(view.row_count) for cell in view.get_row_at(row)]
        assert view.reasons
        assert all(any(cell.endswith(f"% {letter}") for cell in cells) for letter in view.reasons)
        assert not any("…" in cell for cell in cells)

    play(script, size=(80, 24))


def test_the_key_of_the_seeds_says_that_there_is_nothing_to_join() -> None:
    demo_home.fill("live")

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        view = await opened(app, pilot, "nfgsm-w64", "fgsm-zero")
        columns = headings(view)
        await pilot.press("g")
        await until(pilot, lambda: "No two of these runs differ only in their seed" in shown(app))
        assert headings(view) == columns

    play(script, size=(120, 40))


def test_published_results_stand_beside_the_runs_while_they_are_asked_for() -> None:
    demo_home.fill("seeds")

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        view = await opened(app, pilot, "fgsm", by_seed=True)
        assert not any("PGD-7" in name for name in headings(view))
        await pilot.press("p")
        await until(pilot, lambda: "PGD-7: published result" in shown(app))
        await pilot.press("p")
        await until(pilot, lambda: "published result" not in shown(app))

    play(script, size=(160, 50))
