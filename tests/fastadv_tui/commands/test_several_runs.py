"""Commands that take several runs: by id, by name, and by `--filter`, with one question for what cannot be undone."""

import json
import subprocess
import time
from pathlib import Path

import pytest

from engine.protocol.events import Finished
from engine.protocol.rundir import RunDir
from fastadv_tui.history.notes import Notes, read_notes, write_notes
from fastadv_tui.paths import ensure_home, runs_dir
from tests.support.events import evaluated, started, write_events
from tests.support.runs import config, engine_pid, make_run, submit, verdict, wait_for_status
from tests.support.shell import FASTADV, fastadv
from tests.support.waiting import seconds


@pytest.fixture(autouse=True)
def _home(home: Path) -> None:
    ensure_home()


def ended(run_id: str, status: str = "done", *tags: str) -> RunDir:
    now = time.time()
    rundir = make_run(runs_dir() / run_id, now - 60, config(f"name of {run_id}"))
    write_events(rundir, started(t=now - 50), evaluated(10, t=now - 40), Finished(status=status, t=now - 30))  # type: ignore[arg-type]
    write_notes(rundir, Notes(tags=[*tags]))
    return rundir


def answered(answer: str, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([*FASTADV, *words], input=answer, capture_output=True, text=True, timeout=seconds(60))


def test_rm_over_a_filter_says_how_many_and_asks_and_keeps_the_others() -> None:
    for run_id, status in (("a1", "failed"), ("b2", "failed"), ("c3", "done")):
        ended(run_id, status)
    refused = answered("n\n", "rm", "--filter", "status=failed")
    assert refused.returncode == 1
    assert "delete 2 run(s) for good? (a1, b2)" in refused.stderr
    assert len([*runs_dir().iterdir()]) == 3
    done = fastadv("rm", "--filter", "status=failed", "--yes")
    assert (done.returncode, done.stderr) == (0, "a1: deleted\nb2: deleted\n")
    assert [row["id"] for row in json.loads(fastadv("runs", "--json").stdout)] == ["c3"]


def test_one_run_that_cannot_be_stopped_does_not_hold_up_the_others() -> None:
    for run_id in ("a1", "b2"):
        ended(run_id)
    done = fastadv("stop", "a1", "name of b2")
    assert done.returncode == 2
    assert done.stderr == "fastadv: a1 has already ended: done\nfastadv: b2 has already ended: done\n"


def test_tags_are_given_to_runs_that_commas_separate_and_to_those_of_a_filter() -> None:
    a, b, c = ended("a1", "failed"), ended("b2"), ended("c3", "failed", "old")
    assert fastadv("tag", "a1,name of b2", "paper").returncode == 0
    assert [read_notes(run).tags for run in (a, b, c)] == [["paper"], ["paper"], ["old"]]
    assert fastadv("tag", "--filter", "status=failed", "--", "broken", "-old").returncode == 0
    assert [read_notes(run).tags for run in (a, b, c)] == [["paper", "broken"], ["paper"], ["broken"]]
    assert "type a tag after the run" in fastadv("tag", "a1").stderr


def test_watch_of_several_runs_begins_each_line_with_the_id_and_tells_their_ends() -> None:
    ended("a1")
    ended("b22", "stopped")
    done = fastadv("watch", "a1", "b22")
    lines = done.stdout.splitlines()
    assert done.returncode == 130
    assert {line.split()[0] for line in lines} == {"a1", "b22"}
    assert any(line.startswith("a1   epoch") for line in lines)
    assert {"a1   done", "b22  stopped"} <= {*done.stderr.splitlines()}
    events = [json.loads(line) for line in fastadv("watch", "a1", "b22", "--json").stdout.splitlines()]
    assert {event["run"] for event in events} == {"a1", "b22"}


def test_eval_of_several_targets_goes_on_after_one_that_is_refused() -> None:
    ended("a1")
    done = fastadv("eval", "no/such/file.pt", "a1")
    assert done.returncode == 2
    assert "no/such/file.pt does not exist" in done.stderr
    assert "a1 has no last checkpoint" in done.stderr


@pytest.mark.usefixtures("fake_engine")
def test_stop_and_resume_over_a_filter() -> None:
    running, waiting = submit("forever"), submit("second forever")
    engine_pid(running)
    ended("d0ne")
    stopped = answered("y\n", "stop", "--filter", "dataset=digits")
    assert stopped.returncode == 0, stopped.stderr
    assert "stop 2 run(s)?" in stopped.stderr
    assert (wait_for_status(running, "stopped").status, verdict(waiting).status) == ("stopped", "cancelled")
    resumed = fastadv("resume", "--filter", "dataset=digits")
    assert (resumed.returncode, {*resumed.stdout.split()}) == (0, {running.id, waiting.id})
    assert verdict(waiting).live
    killed = fastadv("stop", "--now", "--yes", "--filter", "status=running")
    assert killed.returncode == 0
    assert f"{running.id}: killing; " in killed.stderr
    assert fastadv("stop", "--now", waiting.id).returncode == 0
    for rundir in (running, waiting):
        wait_for_status(rundir, "stopped", "cancelled")


def test_published_results_stand_beside_runs_that_they_fit_and_are_refused_for_others() -> None:
    from engine.config.presets import build

    now = time.time()
    rundir = make_run(runs_dir() / "c1", now - 60, build("cifar", {"model.width": 16}))
    write_events(rundir, started(t=now - 50), evaluated(10, t=now - 40), Finished(status="done", t=now - 30))
    ended("d1")
    done = fastadv("compare", "c1", "--paper", "--format", "md")
    assert (done.returncode, done.stderr) == (0, "")
    assert "paper:fgsm-rerun-8" in done.stdout
    refused = fastadv("compare", "d1", "--paper")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "--paper: no results are published for " in refused.stderr


def test_the_word_all_is_answered_by_the_filter_and_a_run_that_is_done_by_its_status() -> None:
    ended("a1")
    refused = fastadv("stop", "all")
    assert refused.returncode == 2
    assert "no run has the name 'all'" in refused.stderr
    assert "--filter status=running" in refused.stderr
    refused = fastadv("resume", "a1", "--detach")
    assert "a1 is done; nothing is left to resume" in refused.stderr
