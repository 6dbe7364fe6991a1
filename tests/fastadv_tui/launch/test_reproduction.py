"""The runs of a table of `fastadv reproduce`: their settings, and what is still to train."""

from pathlib import Path

import pytest

from engine.config.errors import ConfigError
from engine.protocol.events import Alarm, Finished
from engine.protocol.rundir import RunDir
from fastadv_tui.history.index import History
from fastadv_tui.history.paper_tables import TABLES, Scale, known_rows, row_of_run
from fastadv_tui.launch.group import submit_group
from fastadv_tui.launch.reproduction import ToDo, configs_of, to_do
from fastadv_tui.paths import ensure_home
from fastadv_tui.supervise.queue import RunQueue
from tests.support.events import started, write_events
from tests.support.runs import wait_for_status
from tests.support.shell import fastadv

METHODS = TABLES["methods"]
SIZE = Scale(8, 3)


@pytest.fixture
def runs(home: Path, fake_engine: None) -> list[RunDir]:
    """The three runs of the table, which wait in a queue that is held."""
    ensure_home()
    RunQueue.of_home().pause()
    found: list[RunDir] = []
    submit_group(configs_of(METHODS, SIZE, [0], {}), ["fastadv"], [METHODS.tag], queued=found.append)
    return found


def end(rundir: RunDir, status: str, *alarms: str) -> None:
    RunQueue.of_home().remove(rundir.id)
    rundir.queued.unlink()
    said = [Alarm(kind=kind, step=3, epoch=0.3, message="!") for kind in alarms]  # type: ignore[arg-type]
    write_events(rundir, started(), *said, Finished(status=status, t=1.0))  # type: ignore[arg-type]


def left(seeds: list[int] | None = None) -> ToDo:
    return to_do(METHODS, configs_of(METHODS, SIZE, seeds or [0], {}), History().rows())


def test_all_rows_of_one_seed_come_before_the_next_seed(home: Path) -> None:
    configs = configs_of(METHODS, SIZE, [0, 1], {"eval.images": "50"})
    assert [(config.seed, config.method.name) for config in configs] == [
        (seed, method) for seed in (0, 1) for method in ("fgsm", "free", "pgd")
    ]
    assert {(config.model.width, config.eval.images) for config in configs} == {(8, 50)}
    assert [config.epochs for config in configs[:3]] == [3, 2, 3]  # the recipe has 15, 10 and 15


@pytest.mark.parametrize("name", TABLES)
def test_each_run_of_a_table_is_found_again_as_the_row_that_it_was_made_of(name: str, home: Path) -> None:
    from fastadv_tui.history.row import Row
    from fastadv_tui.history.run_settings import changed_settings

    table = TABLES[name]
    rows, _ = known_rows(table)
    for row, config in zip(rows, configs_of(table, Scale(None, 4), [0], {}), strict=True):
        run = Row(
            id="a", dataset=config.dataset, preset=config.preset, method=config.method.name, eps=config.eps,
            settings=changed_settings(config),
        )  # fmt: skip
        assert row_of_run(table, run) == row


def test_a_setting_that_makes_the_table_cannot_be_set(home: Path) -> None:
    with pytest.raises(ConfigError, match=r"method\.name is set twice"):
        configs_of(METHODS, SIZE, [0], {"method.name": "pgd"})


def test_another_preset_is_taken_and_another_data_set_is_refused(home: Path) -> None:
    configs = configs_of(METHODS, SIZE, [0], {"preset": "speed"})
    assert {(config.preset, config.optim.name) for config in configs} == {("speed", "muon")}
    with pytest.raises(ConfigError, match="dataset is set twice"):
        configs_of(METHODS, SIZE, [0], {"dataset": "mnist"})


def test_what_is_done_or_waits_is_not_missing_and_what_was_interrupted_goes_on(runs: list[RunDir]) -> None:
    assert left() == ToDo([], [], [])
    end(runs[0], "done")
    end(runs[1], "stopped")
    end(runs[2], "failed", "diverged")
    found = left()
    assert found.missing == []
    assert [row.id for row in found.interrupted] == [runs[1].id]
    assert [row.id for row in found.diverged] == [runs[2].id]
    assert [config.seed for config in left([0, 1]).missing] == [1, 1, 1]


def test_runs_of_another_size_are_other_runs(runs: list[RunDir]) -> None:
    assert len(to_do(METHODS, configs_of(METHODS, Scale(16, 3), [0], {}), History().rows()).missing) == 3


def test_the_command_queues_what_is_missing_once_and_continues_the_rest(runs: list[RunDir]) -> None:
    end(runs[0], "stopped")
    words = ("reproduce", "methods", "--scale", "8x3")
    done = fastadv(*words)
    assert done.returncode == 0
    assert "0 of 3 run(s) to queue, tagged reproduce:methods; 1 interrupted run(s) to continue" in done.stderr
    assert done.stdout.split() == [runs[0].id]
    wait_for_status(runs[0], "queued")
    assert fastadv(*words).stdout == ""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nope"], "unknown table 'nope'; use ablation"),
        (["methods", "--scale", "big"], "--scale 'big': write 16x10"),
        (["mnist", "--scale", "16x3"], "has one width only; write x3"),
        (["methods", "--seeds", "x"], "--seeds 'x': write 0-2"),
        (["methods", "--format", "csv"], "--format is for --show"),
        (["methods", "--show", "--format", "odt"], "--format 'odt': use table, csv, md or latex"),
        (["methods", "--show", "--set", "eps=4"], "--show takes no --set"),
        (["--show"], "--show needs a table"),
    ],
)
def test_bad_input_is_one_line(words: list[str], said: str, home: Path) -> None:
    done = fastadv("reproduce", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_without_a_table_the_command_lists_the_tables_and_print_starts_nothing(home: Path) -> None:
    assert {line.split()[0] for line in fastadv("reproduce").stdout.splitlines()[1:]} == {*TABLES}
    printed = fastadv("reproduce", "methods", "--print", "--scale", "tiny").stdout.splitlines()
    assert [line.split()[:3] for line in printed] == [["fastadv", "run", "cifar10"]] * 3
    assert fastadv("runs", "--json").stdout.strip() == "[]"
