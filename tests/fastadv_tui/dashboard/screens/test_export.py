"""The export: one key and one question on every screen that has runs."""

from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import OptionList

from engine.config.presets import build
from engine.protocol.events import Finished
from fastadv_tui.dashboard.app import Fastadv
from fastadv_tui.dashboard.screens.choice_dialog import ChoiceDialog
from fastadv_tui.paths import runs_dir
from tests.support.events import started, write_events
from tests.support.pilot import a_run, export, play, shown, until
from tests.support.runs import make_run

SCREENS = {"first screen": "Accuracy", "history": "2 of 2 runs", "comparison": "data, evaluation and code agree"}


@pytest.mark.parametrize("name", SCREENS)
def test_the_key_offers_the_same_forms_on_every_screen(
    name: str, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_run("a1")
    a_run("b2")
    monkeypatch.chdir(tmp_path)

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: app.snapshot.loaded and "run a1" in shown(app))
        if name == "history":
            await pilot.press("h")
        elif name == "comparison":
            app.open_compare(["a1", "b2"])
        await until(pilot, lambda: SCREENS[name] in shown(app))
        await pilot.press("E")
        await until(pilot, lambda: isinstance(app.screen, ChoiceDialog))
        forms = [str(option.prompt) for option in app.screen.query_one(OptionList).options]
        assert forms[:2] == ["comparison: csv, md and tex", "all numbers of each run: csv"]
        by = [form.removesuffix(": pdf, svg, png").partition(" by ")[2] for form in forms[2:]]
        assert by == ["epoch", "epoch", "time", "work", "eps"]
        choices = app.screen.query_one(OptionList)
        assert choices.max_scroll_y == 0  # all are in sight
        await pilot.press("escape")
        await export(app, pilot, "all numbers")
        await until(pilot, lambda: [*tmp_path.glob("fastadv-runs-*.csv")])
        await export(app, pilot, "accuracy by epoch")
        await until(pilot, lambda: [path.read_text()[:5] for path in tmp_path.glob("*.svg")] == ["<?xml"])
        await until(pilot, lambda: len([*tmp_path.glob("fastadv-accuracy-*")]) == 3)  # also pdf and png

    play(script)
    (path,) = tmp_path.glob("fastadv-runs-*.csv")
    assert len(path.read_text().splitlines()) == (2 if name == "first screen" else 3)  # the chosen run, or both


def test_no_figure_is_offered_of_a_run_that_has_no_evaluation_yet(home: Path) -> None:
    rundir = make_run(runs_dir() / "a1", chosen=build("cifar", {"name": "run a1"}))
    write_events(rundir, started(), Finished(status="stopped", step=0))

    async def script(app: Fastadv, pilot: Pilot[str]) -> None:
        await until(pilot, lambda: app.snapshot.loaded and "run a1" in shown(app))
        await pilot.press("E")
        await until(pilot, lambda: isinstance(app.screen, ChoiceDialog))
        assert app.screen.query_one(OptionList).option_count == 2

    play(script)
