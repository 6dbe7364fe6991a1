"""A real terminal: tmux starts a run, shows it, and is killed under it."""

import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers import kill_all_of, verdict, wait_for

from engine.rundir import RunDir
from fastadv_tui import runner
from fastadv_tui.state import load

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
FASTADV = f"{shlex.quote(sys.executable)} -P -m fastadv_tui.entry"
LONG = "--epochs 1000 --set model.width=4 --set watch.images=50 --eval none"


class Tmux:
    """A tmux server of this test's own."""

    def __init__(self, socket: Path, home: Path) -> None:
        self._base = ["tmux", "-S", str(socket), "-f", "/dev/null"]
        self._home = home

    def __call__(self, *words: str) -> str:
        return subprocess.run([*self._base, *words], check=True, capture_output=True, text=True).stdout

    @property
    def environment(self) -> list[str]:
        return ["-e", f"FASTADV_HOME={self._home}", "-e", "OMP_NUM_THREADS=1"]

    def session(self, name: str, command: str) -> None:
        self("new-session", "-d", "-s", name, "-x", "110", "-y", "30", *self.environment, command)

    def cursor_line(self, name: str) -> str:
        """The line of the terminal's cursor: that of the field that has the focus."""
        return self.screen(name).splitlines()[int(self("display-message", "-p", "-t", name, "#{cursor_y}"))]

    def screen(self, name: str) -> str:
        return self("capture-pane", "-p", "-t", name)


@pytest.fixture
def tmux(tmp_path: Path, home: Path) -> Iterator[Tmux]:
    server = Tmux(tmp_path / "tmux", home)
    yield server
    subprocess.run([*server._base, "kill-server"], capture_output=True)
    for folder in (home / "runs").iterdir():
        kill_all_of(RunDir(folder))


def test_a_run_survives_its_terminal_and_two_viewers_show_the_same(tmux: Tmux, home: Path) -> None:
    tmux.session("first", f"{FASTADV} run digits {LONG}")
    wait_for(lambda: "training" in tmux.screen("first"), timeout=60)
    (folder,) = (home / "runs").iterdir()
    rundir = RunDir(folder)
    wait_for(lambda: len(load(rundir).watch) >= 1, timeout=60)
    tmux.session("keeper", "cat")  # the server ends with its last session
    tmux("kill-session", "-t", "first")
    before = load(rundir).step
    wait_for(lambda: load(rundir).step > before, timeout=60)
    for viewer in ("left", "right"):
        tmux.session(viewer, f"{FASTADV} watch {rundir.id}")
    wait_for(lambda: "epoch   1/1000" in tmux.screen("left"), timeout=30)
    wait_for(lambda: "epoch   1/1000" in tmux.screen("right"), timeout=30)
    runner.stop(rundir)
    wait_for(lambda: verdict(rundir).status == "stopped", timeout=60)


def test_the_dashboard_from_the_form_to_a_comparison(tmux: Tmux, home: Path, tmp_path: Path) -> None:
    """Launch two runs, see them end, compare and export them, leave while a third one trains, and find it again."""
    tmux("new-session", "-d", "-s", "d", "-x", "140", "-y", "40", "-c", str(tmp_path), *tmux.environment, FASTADV)
    wait_for(lambda: "Press n to start one" in tmux.screen("d"), timeout=30)
    for name, seed in (("one", "1"), ("two", "2")):
        launch(tmux, name, "1", seed)
        wait_for(lambda name=name: f"✓ {name}" in tmux.screen("d"), timeout=90)  # type: ignore[misc]
    tmux("send-keys", "-t", "d", "h")
    wait_for(lambda: "2 of 2 runs" in tmux.screen("d"))
    tmux("send-keys", "-t", "d", "Space", "j", "Space")
    wait_for(lambda: "2 marked" in tmux.screen("d"))
    tmux("send-keys", "-t", "d", "c")
    wait_for(lambda: "data, evaluation and code agree" in tmux.screen("d"))
    tmux("send-keys", "-t", "d", "E")
    wait_for(lambda: len([*tmp_path.glob("fastadv-compare-*")]) == 4)
    tmux("send-keys", "-t", "d", "Escape")
    wait_for(lambda: "2 of 2 runs" in tmux.screen("d"))
    tmux("send-keys", "-t", "d", "Escape")
    wait_for(lambda: "Accuracy" in tmux.screen("d"))
    launch(tmux, "three", "1000", "3")
    wait_for(lambda: "● three" in tmux.screen("d"), timeout=60)
    tmux.session("keeper", "cat")
    tmux("send-keys", "-t", "d", "q")
    wait_for(lambda: "d" not in tmux("list-sessions", "-F", "#S").split())
    tmux.session("again", FASTADV)
    wait_for(lambda: "● three" in tmux.screen("again"), timeout=30)


def launch(tmux: Tmux, name: str, epochs: str, seed: str) -> None:
    """Fill the form as a user does: n, tab from field to field, ctrl+s."""
    tmux("send-keys", "-t", "d", "n")
    for tabs, field, text in ((0, "dataset", "digits"), (5, "epochs", epochs), (2, "seed", seed), (3, "name", name)):
        if tabs:
            tmux("send-keys", "-t", "d", *["Tab"] * tabs, text)
        wait_for(lambda words=[field, text]: tmux.cursor_line("d").split()[1:3] == words)  # type: ignore[misc]
    tmux("send-keys", "-t", "d", "C-s")
    wait_for(lambda: "New run" not in tmux.screen("d").splitlines()[0], timeout=60)


def test_ctrl_c_in_a_terminal_stops_the_run(tmux: Tmux, home: Path) -> None:
    tmux.session("first", "bash --norc")
    tmux("send-keys", "-t", "first", f"{FASTADV} run digits {LONG}; echo exit code $?", "Enter")
    wait_for(lambda: "training ━" in tmux.screen("first"), timeout=60)
    tmux("send-keys", "-t", "first", "C-c")
    wait_for(lambda: "exit code 130" in tmux.screen("first"), timeout=60)
    screen = tmux.screen("first")
    assert "stopping: waiting for the checkpoint" in screen
    assert "fastadv resume" in screen
