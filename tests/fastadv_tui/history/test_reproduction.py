"""The tables of `fastadv reproduce`: which runs belong to which row, and their results beside the published ones."""

import csv
import io
import statistics

import pytest
from msgspec.structs import replace

from engine.config.errors import ConfigError
from engine.config.methods import methods
from engine.config.presets import PRESETS
from engine.config.settings import settings
from fastadv_tui.history.paper_tables import TABLES, Scale, parse_scale, row_of_run
from fastadv_tui.history.published_results import BY_ID, PUBLISHED
from fastadv_tui.history.reproduction import Cell, Reproduction, reproduction_of
from fastadv_tui.history.row import Row
from fastadv_tui.terminal.reproduction_output import FORMATS
from tests.support.evaluations import evaluation

ABLATION, METHODS = TABLES["ablation"], TABLES["methods"]
SMALL = {"model.width": 16, "epochs": 10}
RUN = Row(
    id="a0", dataset="cifar10", preset="wong2020", method="fgsm", eps=8 / 255, status="done", clean=0.70, robust=0.40,
    attack="pgd-50-10", images=1000, final=True, settings=SMALL, epochs=10.0, total_epochs=10.0,
    images_per_second=1000.0, tags=["reproduce:methods"],
)  # fmt: skip
FGSM = [replace(RUN, id=f"f{seed}", seed=seed, robust=value) for seed, value in enumerate((0.38, 0.40, 0.45))]
ZERO = {"method.alpha": 8 / 255, "method.init": "zero"}
PGD = replace(RUN, id="p", method="pgd", settings=SMALL | {"method.steps": 7}, robust=0.44, images_per_second=250.0)


def line(shown: Reproduction, name: str) -> dict[str, Cell]:
    (found,) = [cells for cells in shown.lines if cells[0].text == name]
    return dict(zip(shown.columns, found, strict=True))


def ablation_run(**changed: object) -> Row:
    return replace(RUN, tags=["reproduce:ablation"], settings=SMALL | changed)


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({"method.alpha": 10 / 255}, "random start, alpha 10"),
        (ZERO, "zero start, alpha 8"),
        (ZERO | {"early_stop.enabled": True}, "zero start, alpha 8, early stop"),
        (ZERO | {"on_collapse": "stop"}, "zero start, alpha 8, early stop"),
        ({"method.alpha": 16 / 255, "method.init": "previous"}, "previous start, alpha 16"),
        ({"method.alpha": 5 / 255}, None),
    ],
)
def test_the_settings_of_a_run_tell_its_row(changed: dict[str, object], name: str | None) -> None:
    row = row_of_run(ABLATION, ablation_run(**changed))
    assert (row.name if row else None) == name


def test_a_line_has_mean_and_deviation_of_its_seeds_and_the_published_result() -> None:
    shown = line(reproduction_of(METHODS, [*FGSM, PGD], Scale(), None), "fgsm")
    values = [run.robust or 0.0 for run in FGSM]
    cell = shown["PGD-50-10 on 1,000"]
    assert cell.value == pytest.approx(statistics.mean(values))
    assert cell.plus_minus == pytest.approx(statistics.stdev(values))
    assert (shown["n"].value, shown["size"].text) == (3, "16x10")
    assert (shown["published clean"].text, shown["published PGD"].text) == ("83.81%", "46.06%")


def test_time_is_that_of_training_as_a_multiple() -> None:
    shown = reproduction_of(METHODS, [*FGSM, PGD], Scale(), None)
    assert (line(shown, "fgsm")["time"].text, line(shown, "pgd-7")["time"].text) == ("1.00", "4.00")
    assert line(reproduction_of(METHODS, [PGD], Scale(), None), "pgd-7")["time"].text == "-"


def test_runs_of_another_size_or_setting_are_lines_of_their_own() -> None:
    wide = replace(RUN, id="w", settings={"epochs": 10})
    slow = replace(RUN, id="s", settings=SMALL | {"optim.lr": 0.05})
    shown = reproduction_of(METHODS, [*FGSM, wide, slow], Scale(), None)
    lines = [cells for cells in shown.lines if cells[0].text == "fgsm"]
    assert sorted((cells[1].text, cells[2].text) for cells in lines) == [
        ("16x10", "-"), ("16x10", "optim.lr=0.05"), ("64x10", "-"),
    ]  # fmt: skip


def test_runs_with_another_eps_have_no_published_result_beside_them() -> None:
    smaller = replace(RUN, id="e", eps=4 / 255, settings=SMALL | {"eps": 4 / 255})
    shown = line(reproduction_of(METHODS, [smaller], Scale(), None), "fgsm")
    assert (shown["settings"].text, shown["published PGD"].text) == ("eps=4/255", "-")


def test_scale_and_seeds_choose_the_runs() -> None:
    wide = replace(RUN, id="w", settings={"epochs": 10})
    free = replace(RUN, id="m", method="free", settings={"model.width": 16, "epochs": 7}, total_epochs=7.0)
    shown = reproduction_of(METHODS, [*FGSM, wide, free], parse_scale(METHODS, "16x10"), [0, 1])
    assert line(shown, "fgsm")["n"].value == 2
    assert line(shown, "free, m=8")["size"].text == "16x7"  # two thirds of the epochs of the others, as in the recipe


def test_only_finished_runs_of_the_table_are_shown_and_the_others_are_counted() -> None:
    running = replace(RUN, id="r", status="running", final=False)
    other = replace(RUN, id="o", tags=["reproduce:science"])
    shown = reproduction_of(METHODS, [running, other], Scale(), None)
    assert line(shown, "fgsm")["n"].text == "-"
    assert "not shown: 1 run(s) that are not finished" in shown.notes


def test_results_of_eval_have_columns_and_a_collapse_is_counted() -> None:
    record = evaluation(
        attack="pgd-10", dataset="cifar10", eps=8 / 255, images=500, robust=0.36, checkpoint="last", held_out=False
    )
    collapsed = replace(FGSM[1], alarms=["overfitting"])
    shown = line(
        reproduction_of(METHODS, [replace(FGSM[0], evaluations=[record]), collapsed, FGSM[2]], Scale(), None), "fgsm"
    )
    assert shown["PGD-10 on 500"].value == pytest.approx(0.36)
    assert shown["collapsed"].text == "1 of 3"


def test_every_format_has_the_figures_and_the_sources() -> None:
    shown = reproduction_of(METHODS, [*FGSM, PGD], Scale(), None)
    texts = {name: form(shown) for name, form in FORMATS.items()}
    assert all("41.0 " in texts[name] for name in ("table", "md", "latex"))
    assert all("arXiv 2001.03994" in text for text in texts.values())
    heading, *lines = csv.reader(io.StringIO(texts["csv"]))
    fgsm = dict(zip(heading, lines[0], strict=True))
    assert float(fgsm["PGD-50-10 on 1,000"]) == pytest.approx(0.41)
    assert float(fgsm["PGD-50-10 on 1,000 ±"]) == pytest.approx(statistics.stdev([0.38, 0.40, 0.45]))
    assert float(fgsm["published PGD"]) == pytest.approx(0.4606)


@pytest.mark.parametrize("name", TABLES)
def test_every_table_names_what_exists(name: str) -> None:
    table = TABLES[name]
    assert table.preset in PRESETS
    assert {*table.published, *(published for row in table.rows for published in row.published)} <= {*BY_ID}
    assert table.timed_by in [row.name for row in table.rows]
    assert len({row.name for row in table.rows}) == len(table.rows)
    known = {key for row in table.rows if row.method in methods() for key in row.settings}
    assert known <= {*settings()}


def test_published_results_have_plausible_figures_and_a_source() -> None:
    assert len(BY_ID) == len(PUBLISHED)
    for published in PUBLISHED:
        figures = [published.clean, published.robust, published.autoattack]
        known = [figure for figure in figures if figure is not None]
        assert known == sorted(known, reverse=True)  # AutoAttack below PGD below clean
        assert all(0 <= figure <= 100 for figure in known)
        assert published.source.words


@pytest.mark.parametrize(
    ("table", "text", "scale"),
    [
        ("methods", "16x10", Scale(16, 10)),
        ("methods", "x3", Scale(None, 3)),
        ("methods", "full", Scale(64, 15)),
        ("science", "full", Scale(64, 100)),
        ("mnist", "full", Scale(None, 10)),
        ("mnist", "tiny", Scale(None, 1)),
    ],
)
def test_a_scale_is_read(table: str, text: str, scale: Scale) -> None:
    assert parse_scale(TABLES[table], text) == scale


@pytest.mark.parametrize(
    ("table", "text"), [("methods", "16"), ("methods", "0x3"), ("methods", "8x0"), ("methods", "big"), ("mnist", "8x3")]
)
def test_a_wrong_scale_is_refused(table: str, text: str) -> None:
    with pytest.raises(ConfigError, match="--scale"):
        parse_scale(TABLES[table], text)
