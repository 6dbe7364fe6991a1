"""The formats of `fastadv export`: parquet and TensorBoard's event files."""

import csv
import io
import sys
from datetime import datetime
from pathlib import Path

import pytest

from engine.protocol.events import Finished
from engine.protocol.rundir import RunDir
from fastadv_tui.errors import UserError
from fastadv_tui.paths import ensure_home, runs_dir
from fastadv_tui.terminal.event_export import as_csv
from fastadv_tui.terminal.export_formats import FORMATS, check_format, export_events
from tests.support.event_files import scalars
from tests.support.events import evaluated, started, step, write_events
from tests.support.runs import make_run
from tests.support.shell import fastadv


@pytest.fixture(autouse=True)
def _home(home: Path) -> None:
    ensure_home()


def run(name: str = "a1") -> RunDir:
    rundir = make_run(runs_dir() / name)
    write_events(rundir, started(t=1.0), step(5, t=2.0, signal=0.25), evaluated(10, t=3.5), Finished(status="done"))
    return rundir


def test_a_text_format_goes_into_a_file_as_to_standard_output(tmp_path: Path) -> None:
    rundir, out = run(), io.StringIO()
    as_csv([rundir], out)
    done = fastadv("export", "a1", "--format", "csv", "-o", str(tmp_path / "events.csv"))
    assert (tmp_path / "events.csv").read_text() == out.getvalue() != ""
    assert done.stdout == ""
    assert done.stderr.strip() == f"{tmp_path}/events.csv: 1 run"


def test_parquet_has_the_columns_of_csv_with_types(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    runs, path, out = [run("a1"), run("b2")], tmp_path / "events.parquet", io.StringIO()
    export_events(runs, "parquet", path)
    as_csv(runs, out)
    table, lines = parquet.read_table(path).to_pylist(), [*csv.DictReader(io.StringIO(out.getvalue()))]
    assert [[*line] for line in table] == [[*line] for line in lines]
    for typed, text in zip(table, lines, strict=True):
        assert (typed["run"], typed["step"], typed["signal"]) == (
            text["run"], int(text["step"]), float(text["signal"]) if text["signal"] else None,
        )  # fmt: skip
        assert typed["t"] == datetime.fromisoformat(text["t"])


def test_without_pyarrow_one_line_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UserError, match=r"--format parquet needs pyarrow: pip install 'fastadv\[parquet\]'"):
        export_events([run()], "parquet", tmp_path / "events.parquet")
    assert not (tmp_path / "events.parquet").exists()


def test_a_past_run_becomes_an_event_file_in_a_folder_of_its_own(tmp_path: Path) -> None:
    runs = [run("a1"), run("b2")]
    for _ in range(2):  # an export that is repeated replaces its files
        export_events(runs, "tensorboard", tmp_path / "logs")
    assert sorted(path.name for path in (tmp_path / "logs").iterdir()) == ["a1", "b2"]
    found = scalars(tmp_path / "logs" / "a1")
    assert found["train/signal"] == [(5, 0.25)]
    assert found["watch/clean"] == [(10, pytest.approx(0.9))]


def test_a_run_without_a_readable_config_is_exported_without_its_settings(tmp_path: Path) -> None:
    rundir = run()
    rundir.config.write_text("{")
    export_events([rundir], "tensorboard", tmp_path)
    assert scalars(tmp_path / "a1")["train/loss"] == [(5, 1.0)]


def test_a_run_without_events_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"q1 has no events yet"):
        export_events([make_run(runs_dir() / "q1")], "tensorboard", tmp_path)


@pytest.mark.parametrize("form", ["parquet", "tensorboard"])
def test_a_format_of_files_asks_for_a_path(form: str) -> None:
    with pytest.raises(UserError, match=rf"--format {form} is written to a path: add -o"):
        check_format(form, has_path=False)


def test_an_unknown_format_is_refused_with_all_formats() -> None:
    with pytest.raises(UserError) as refused:
        check_format("xlsx", has_path=False)
    assert all(form in str(refused.value) for form in FORMATS)


@pytest.mark.parametrize("form", ["csv", "tensorboard"])
def test_a_path_that_cannot_be_is_one_line(form: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="type another path after -o"):
        export_events([run()], form, tmp_path / "file" / "below")
