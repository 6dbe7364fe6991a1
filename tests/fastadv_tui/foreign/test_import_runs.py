"""Runs of other programs become rows and curves; what cannot be imported is refused by name, and leaves nothing."""

import contextlib
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.protocol.rundir import RunDir
from fastadv_tui.api import find_runs
from fastadv_tui.errors import UserError
from fastadv_tui.foreign.figures import parse_maps
from fastadv_tui.foreign.import_runs import READERS, import_runs
from fastadv_tui.foreign.make import Typed
from fastadv_tui.history.index import History
from fastadv_tui.history.row import Row
from fastadv_tui.history.run_settings import setting_of
from fastadv_tui.paths import ensure_home, runs_dir
from fastadv_tui.runs.foreign import Source
from fastadv_tui.terminal.export_formats import export_events
from tests.support import demo_home
from tests.support.foreign import (
    CURVE,
    EIGHT,
    LOSS,
    config,
    history,
    refused,
    wandb_file,
    written,
)
from tests.support.shell import fastadv


@pytest.fixture(autouse=True)
def _home(home: Path) -> None:
    ensure_home()


def test_a_curve_in_percent_becomes_a_row_with_its_curve(tmp_path: Path) -> None:
    (row,) = import_runs("csv", written(tmp_path / "c.csv", CURVE), EIGHT, ["zoo"])
    assert (row.status, row.name, row.dataset, row.tags) == ("foreign", "c", "cifar10", ["zoo"])
    assert (row.eps, row.attack, row.images, row.final) == (8 / 255, "pgd-20", 10_000, False)
    assert row.curve == [(1.0, 0.35, 0.205), (2.0, 0.45, 0.305), (3.0, 0.55, 0.003)]
    assert (row.clean, row.robust) == (pytest.approx(0.55), pytest.approx(0.003))
    assert row.reason == f"imported from csv: {tmp_path}/c.csv"
    assert History().get(row.id) == row
    History().reindex()
    assert History().get(row.id) == row


def test_a_figure_that_the_file_lacks_is_unknown_and_not_zero(tmp_path: Path) -> None:
    import_runs("csv", written(tmp_path / "c.csv", CURVE), EIGHT)
    (run,) = find_runs("status=foreign")
    assert run.curve("loss").values == [2.1, 1.9, 1.5]
    assert [*run.curve("lr")] == [*run.curve("accuracy")] == [*run.curve("images_per_second")] == []
    assert run.settings["model.width"] is None


def test_the_defaults_of_our_settings_are_not_those_of_a_foreign_run() -> None:
    row = Row(id="a", status="foreign", dataset="cifar10", method="pgd", eps=0.25, settings={"bs": 64})
    assert setting_of(row, "optim.lr") is None
    assert (setting_of(row, "bs"), setting_of(row, "method.name"), setting_of(row, "eps")) == (64, "pgd", 0.25)


def test_a_table_of_results_becomes_a_row_for_each_line(tmp_path: Path) -> None:
    table = "name,method,eps,seed,clean,robust\nA,fgsm,8,0,0.8,0.45\nB,pgd,4/255,1,79%,48%\nC,free,8,2,,0.4\n"
    by_eight = 8 / 255
    rows = import_runs("csv", written(tmp_path / "t.csv", table), Typed(dataset="cifar10"))
    assert [(row.name, row.method, row.eps, row.seed, row.clean, row.robust) for row in rows] == [
        ("A", "fgsm", by_eight, 0, 0.8, 0.45),
        ("B", "pgd", 4 / 255, 1, 0.79, 0.48),
        ("C", "free", by_eight, 2, None, 0.4),
    ]
    assert all(row.final and not row.curve for row in rows)


def test_our_own_exports_come_back_with_the_same_curves(tmp_path: Path) -> None:
    demo_home.past()
    own = History().find("p0st00")
    runs = [RunDir(runs_dir() / own.id)]
    export_events(runs, "csv", tmp_path / "own.csv")
    export_events(runs, "tensorboard", tmp_path / "own")
    typed = Typed(dataset="cifar10", eps="8")
    for source, path in (("csv", tmp_path / "own.csv"), ("tensorboard", tmp_path / "own")):
        (row,) = import_runs(source, path, typed)  # type: ignore[arg-type]
        assert row.curve == own.curve
        assert (row.clean, row.robust, row.final) == (pytest.approx(own.clean), pytest.approx(own.robust), True)
    assert row.method == "fgsm"  # of the hparams
    assert row.settings["model.width"] == 64.0


def test_an_import_that_is_repeated_replaces_the_run_and_keeps_its_notes(tmp_path: Path) -> None:
    path = written(tmp_path / "c.csv", CURVE)
    (first,) = import_runs("csv", path, EIGHT)
    assert fastadv("tag", first.id, "mine").returncode == 0
    written(path, CURVE + "4,1.4,60.0,33.0\n")
    (second,) = import_runs("csv", path, EIGHT, ["zoo"])
    assert (second.id, second.tags, len(second.curve)) == (first.id, ["mine", "zoo"], 4)
    assert len(History().rows()) == 1


def test_a_folder_of_our_own_is_never_overwritten(tmp_path: Path) -> None:
    path = written(tmp_path / "c.csv", CURVE)
    (row,) = import_runs("csv", path, EIGHT)
    (runs_dir() / row.id / "foreign.json").unlink()
    with pytest.raises(UserError, match="is in the way, and is no imported run"):
        import_runs("csv", path, EIGHT)


def test_the_command_line_imports_shows_and_compares(tmp_path: Path) -> None:
    path = written(tmp_path / "c.csv", CURVE.replace("adv_acc", "my_pgd"))
    said = fastadv("import", "csv", str(path), "--dataset", "cifar", "--eps", "8", "--map", "robust=my_pgd")
    run_id = said.stdout.split()[0]
    assert "c: clean 55.0%, robust 0.3%, 3 points" in said.stdout
    shown = fastadv("show", run_id).stdout
    assert "foreign, imported from csv" in shown
    assert not {"alpha", "trained on", "in Python"} & {line.split("  ")[0] for line in shown.splitlines()}
    demo_home.past()
    compared = fastadv("compare", run_id, "p0st00").stdout
    assert "under an unknown attack or PGD-10 while training" in " ".join(compared.split())
    assert "optim.lr" not in compared  # of the foreign run unknown, so no difference
    assert run_id in fastadv("runs", "--filter", "status=foreign").stdout
    for words in (("resume", run_id), ("eval", run_id), ("rerun", run_id)):
        done = fastadv(*words)
        assert (done.returncode, "Traceback" in done.stderr) == (2, False), words
        assert done.stderr.startswith(f"fastadv: {run_id}"), words
    assert fastadv("rm", run_id, "--yes").returncode == 0


@pytest.mark.parametrize("source", READERS)
def test_a_path_that_is_not_there_or_empty_is_named(source: Source, tmp_path: Path) -> None:
    refused(source, tmp_path / "none")
    refused(source, written(tmp_path / "empty", b""))


@pytest.mark.parametrize("source", READERS)
def test_a_pipe_or_a_device_is_not_read(source: Source, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "run-tfevents.wandb")
    for path in (tmp_path / "run-tfevents.wandb", Path("/dev/zero")):
        assert " no " in refused(source, path)
    if source != "csv":
        assert " no " in refused(source, tmp_path)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), source=st.sampled_from([*READERS]))
def test_a_damaged_file_is_read_or_refused(data: st.DataObject, source: Source, tmp_path: Path) -> None:
    """Any bytes, and valid files with changed bytes: no error but one that names the file."""
    whole = {
        "csv": CURVE.encode(),
        "tensorboard": LOSS,
        "wandb-offline": wandb_file(history(10, loss=2.0), config(eps=8)),
    }[source]
    content = bytearray(whole)
    for _ in range(data.draw(st.integers(0, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = written(tmp_path / "run-a.wandb", bytes(content[: data.draw(st.integers(0, len(content)))]))
    with contextlib.suppress(UserError):
        READERS[source](path)


def test_no_name_of_a_run_is_a_path(tmp_path: Path) -> None:
    """Names come from the file; folders are named by a hash of them."""
    content = "name,robust\n../../evil,0.4\n/etc/passwd,0.3\n"
    rows = import_runs("csv", written(tmp_path / "t.csv", content), EIGHT)
    assert sorted(os.listdir(runs_dir())) == sorted(row.id for row in rows)
    assert all(row.id.isalnum() for row in rows)


def test_one_name_for_several_runs_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "t.csv", "name,robust\nA,0.4\nB,0.3\n")
    assert "2 runs, which cannot have one name" in refused("csv", path, Typed(name="mine"))


@pytest.mark.parametrize("word", ["robust", "rubust=x", "robust="])
def test_a_wrong_map_is_refused_with_the_figures(word: str) -> None:
    with pytest.raises(UserError, match="type FIGURE=NAME"):
        parse_maps([word])


def test_a_typed_figure_that_is_not_there_is_named_with_those_that_are(tmp_path: Path) -> None:
    typed = Typed(maps=parse_maps(["robust=val/pgd"]))
    assert "has no 'val/pgd'; it has adv_acc" in refused("csv", written(tmp_path / "c.csv", CURVE), typed)
