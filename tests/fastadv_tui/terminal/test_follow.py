"""What a terminal says at the end of a run that it followed."""

from pathlib import Path

import pytest

from engine.protocol.events import Finished
from engine.protocol.rundir import RunDir
from fastadv_tui.paths import ensure_home, runs_dir
from fastadv_tui.terminal.follow import follow_to_end
from fastadv_tui.terminal.run_display import PlainDisplay
from tests.support.events import started, write_events
from tests.support.runs import make_run

DIVERGED = "diverged: the loss is nan at step 12; lower the learning rate (--set optim.lr=...)"


def ended_run(error: str, resumable: bool = True) -> RunDir:
    """A run that failed, with the error in its log."""
    ensure_home()
    rundir = make_run(runs_dir() / "k3f9aa")
    write_events(rundir, started(), Finished(status="failed", step=12, error=error, resumable=resumable))
    rundir.log.write_text(f"{error}\n")
    return rundir


def said_at_the_end(rundir: RunDir, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The lines after the first, which names the folder of the run."""
    assert follow_to_end(rundir, PlainDisplay(), may_stop=True) == 1
    return capsys.readouterr().err.splitlines()[1:]


def test_a_reason_is_not_said_twice(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rundir = ended_run(DIVERGED)
    assert said_at_the_end(rundir, capsys) == [f"k3f9aa failed: {DIVERGED}", f"the log is {rundir.log}"]


@pytest.mark.parametrize("file", ["last.pt", "previous.pt"])
def test_resume_is_offered_if_there_is_a_checkpoint(home: Path, capsys: pytest.CaptureFixture[str], file: str) -> None:
    rundir = ended_run(DIVERGED)
    (rundir.path / file).touch()
    assert said_at_the_end(rundir, capsys)[-1] == "`fastadv resume k3f9aa` continues from the last checkpoint"


def test_resume_is_not_offered_if_the_run_would_fail_again(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rundir = ended_run("last.pt: trained with model.width = 8, but config.json now has 4; restore it", resumable=False)
    rundir.last.touch()
    assert not [line for line in said_at_the_end(rundir, capsys) if "fastadv resume" in line]


def test_lines_of_the_log_that_say_more_than_the_reason_are_shown(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rundir = ended_run("RuntimeError: of the program")
    rundir.log.write_text("Traceback ...\nRuntimeError: of the program\n")
    assert said_at_the_end(rundir, capsys)[1:] == ["  Traceback ...", f"the log is {rundir.log}"]
