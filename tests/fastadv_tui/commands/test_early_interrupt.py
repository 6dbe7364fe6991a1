"""A Ctrl-C that comes after a run was started and before its viewer looks stops the run."""

import signal

import pytest

from engine.config.presets import build
from engine.protocol.rundir import RunDir
from fastadv_tui.commands.run import start
from fastadv_tui.paths import runs_dir
from fastadv_tui.terminal import follow
from tests.support.runs import verdict


@pytest.mark.usefixtures("fake_engine")
def test_a_ctrl_c_between_the_start_and_the_first_look_stops_the_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    update = follow.update_history

    def interrupted(rundir: RunDir) -> None:
        monkeypatch.setattr(follow, "update_history", update)
        signal.raise_signal(signal.SIGINT)
        update(rundir)

    monkeypatch.setattr(follow, "update_history", interrupted)
    assert start(build("digits", {"name": "forever"}), 1, as_json=True, detach=False) == 130
    (folder,) = runs_dir().iterdir()
    assert verdict(RunDir(folder)).status == "stopped"
    assert "stopping: waiting for the checkpoint" in capsys.readouterr().err
