"""A home that version 0.1 wrote is read and resumed. Its evaluations are measured anew.

`tests/support/written_by_0_1` holds three N-FGSM runs on the digits with one seed. `done` is whole. `stopped` was
stopped at weight update 51 of 184, `evaluating` in its final evaluation. The stored evaluation is one of `done`, at two
eps.
"""

import json
import re
import shutil
from pathlib import Path

import pytest
import torch

from engine import load_model
from engine.protocol import events
from engine.protocol.rundir import RunDir
from fastadv_tui.history.index import History
from fastadv_tui.paths import ensure_home
from tests.support.engine import of_kind
from tests.support.networks import digits
from tests.support.shell import fastadv
from tests.support.training import train

WRITTEN = Path(__file__).parents[1] / "support" / "written_by_0_1"


@pytest.fixture(autouse=True)
def old_home(home: Path) -> Path:
    ensure_home()
    shutil.copytree(WRITTEN, home, dirs_exist_ok=True)
    return home


def final_of(rundir: RunDir) -> events.Evaluated:
    (final,) = (event for event in of_kind(rundir, events.Evaluated) if event.stage == "final")
    return final


def test_rows_of_version_0_1_are_listed_and_filtered() -> None:
    rows = {row["id"]: row for row in json.loads(fastadv("runs", "--json").stdout)}
    assert {run: row["status"] for run, row in rows.items()} == {
        "done": "done",
        "stopped": "stopped",
        "evaluating": "stopped",
    }
    assert (rows["done"]["robust"], rows["done"]["tags"], rows["done"]["note"]) == (
        0.8333333333333334,
        ["kept"],
        "a note",
    )
    assert len(json.loads(fastadv("runs", "--json", "--filter", "method.noise=1.5 clean>0.8").stdout)) == 2


def test_runs_of_version_0_1_are_indexed_by_the_method_that_they_were() -> None:
    assert fastadv("reindex").returncode == 0
    row = History().find("done")
    assert (row.method, row.settings["method.noise"], row.alpha) == ("nfgsm", 1.5, 0.1)
    assert (row.clean, row.robust, row.attack, row.final) == (0.8833333333333333, 0.8333333333333334, "pgd-3-2", True)


def test_a_run_of_version_0_1_resumes_to_where_it_would_have_ended(old_home: Path) -> None:
    rundir, whole = RunDir(old_home / "runs" / "stopped"), RunDir(old_home / "runs" / "done")
    train(rundir, attempt=2)
    started = of_kind(rundir, events.Started)[-1]
    assert (started.attempt, started.from_step, started.total_steps) == (2, 51, 184)
    found, wanted = final_of(rundir), final_of(whole)
    assert found.clean == pytest.approx(wanted.clean, abs=0.07)  # of 60 images; processors round differently
    assert found.robust == pytest.approx(wanted.robust, abs=0.07)


def test_an_evaluation_of_version_0_1_starts_anew_because_its_attack_was_weaker(old_home: Path) -> None:
    """The attack of version 0.1 failed on networks with large logits. No figure mixes that attack with today's."""
    rundir = RunDir(old_home / "runs" / "evaluating")
    train(rundir, attempt=2)
    progress = of_kind(rundir, events.Progress)
    assert progress[-1].done == progress[-1].total
    assert not rundir.evaluation.exists()
    assert final_of(rundir).robust <= final_of(RunDir(old_home / "runs" / "done")).robust + 0.02


def test_a_stored_evaluation_of_version_0_1_is_measured_anew() -> None:
    first, second = (fastadv("eval", "done", "--eps", "0.1,0.2").stdout for _ in range(2))
    assert "measured before" not in first
    assert "measured before" in second
    robust = [float(figure) for figure in re.findall(r"PGD-3-2 ([0-9.]+)%", first)]
    assert robust == [pytest.approx(83.3, abs=4), pytest.approx(63.3, abs=4)]


@pytest.mark.parametrize("which", ["last", "best"])
def test_a_checkpoint_of_version_0_1_is_a_network(old_home: Path, which: str) -> None:
    model = load_model(old_home / "runs" / "done", which=which)
    _, _, images, labels = digits()
    with torch.no_grad():
        right = (model(images[:60]).argmax(1) == labels[:60]).float().mean()
    assert right == pytest.approx(0.8833, abs=0.02)
