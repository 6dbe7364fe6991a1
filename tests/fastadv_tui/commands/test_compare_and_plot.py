"""The options that `compare` and `plot` share."""

from typing import Any

import pytest
import typer
from msgspec.structs import replace
from typer.testing import CliRunner

from fastadv_tui.commands import compare, plot
from fastadv_tui.history.row import Row

RUN = Row(id="a0", name="fgsm", dataset="digits", preset="digits", method="fgsm", clean=0.9, robust=0.5, images=360)
SEEDS = [replace(RUN, id=f"a{seed}", seed=seed) for seed in range(3)]


def printed(command: Any, *words: str) -> str:
    app = typer.Typer()
    command.register(app)
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture(autouse=True)
def _three_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fastadv_tui.history.selection.selected_rows", lambda runs, filter_: list(SEEDS))


@pytest.mark.parametrize("word", ["--seeds", "--group"])
def test_both_words_for_seeds_as_one_work_in_compare_and_in_plot(word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[bool] = []
    monkeypatch.setattr(
        "fastadv_tui.figure.write.write_figure", lambda rows, kind, path, group, *rest: drawn.append(group)
    )
    assert "(3 runs)" in printed(compare, word, "--format", "csv")
    assert printed(plot, word).endswith("figure.pdf: 3 runs\n")
    printed(plot)
    assert drawn == [True, False]


def test_plot_says_that_two_seeds_have_no_band(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fastadv_tui.history.selection.selected_rows", lambda runs, filter_: SEEDS[:2])
    monkeypatch.setattr("fastadv_tui.figure.write.write_figure", lambda *asked: None)
    assert printed(plot, "--seeds").endswith("figure.pdf: 2 runs; no band where there are fewer than 3 seeds\n")
    assert printed(plot).endswith("figure.pdf: 2 runs\n")


@pytest.mark.parametrize("command", [compare, plot])
def test_the_help_has_one_word_for_it(command: Any) -> None:
    text = printed(command, "--help")
    assert "--seeds" in text
    assert "--group" not in text
