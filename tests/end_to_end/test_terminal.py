"""fastadv in a real terminal: tmux starts a run, shows it, and is killed under it."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from engine.protocol.rundir import RunDir
from fastadv_tui.runs import control
from fastadv_tui.runs.state import load
from tests.support.processes import ROOT, TOKEN, kill_all, with_token
from tests.support.runs import gone, verdict
from tests.support.waiting import wait_until

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
FASTADV = f"{shlex.quote(sys.executable)} -P -m fastadv_tui"
TO_EPOCHS = 16  # fields and headings of the form from the data set down to the epochs
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
        """Environment of a session. It adds the data set `toy-squares`, whose 120 images make evaluations short."""
        toy = ["-e", f"PYTHONPATH={ROOT}", "-e", "FASTADV_PLUGINS=tests.support.toy_dataset"]
        return ["-e", f"FASTADV_HOME={self._home}", "-e", "OMP_NUM_THREADS=1", *toy]

    def session(self, name: str, command: str) -> None:
        self("new-session", "-d", "-s", name, "-x", "110", "-y", "30", *self.environment, command)

    def cursor_line(self, name: str) -> str:
        """The line with the terminal's cursor, which is the field with the focus."""
        return self.screen(name).splitlines()[int(self("display-message", "-p", "-t", name, "#{cursor_y}"))]

    def shows(self, name: str, words: str, timeout: float = 20) -> None:
        """Wait for words on a screen. AssertionError shows what is there instead."""
        try:
            wait_until(lambda: words in self.screen(name), timeout)
        except AssertionError:
            raise AssertionError(f"no {words!r} in time on\n{self.screen(name)}") from None

    def screen(self, name: str) -> str:
        return self("capture-pane", "-p", "-t", name)


@pytest.fixture
def tmux(tmp_path: Path, home: Path) -> Iterator[Tmux]:
    server = Tmux(tmp_path / "tmux", home)
    yield server
    subprocess.run([*server._base, "kill-server"], capture_output=True)
    kill_all(lambda: with_token(os.environ[TOKEN]))


def test_a_run_survives_its_terminal_and_two_viewers_show_the_same(tmux: Tmux, home: Path) -> None:
    tmux.session("first", f"{FASTADV} run digits {LONG}")
    tmux.shows("first", "training", timeout=60)
    (folder,) = (home / "runs").iterdir()
    rundir = RunDir(folder)
    wait_until(lambda: len(load(rundir).watch) >= 1, timeout=60)
    tmux.session("keeper", "cat")  # without a session the server would end
    tmux("kill-session", "-t", "first")
    before = load(rundir).step
    wait_until(lambda: load(rundir).step > before, timeout=60)
    for viewer in ("left", "right"):
        tmux.session(viewer, f"{FASTADV} watch {rundir.id}")
    tmux.shows("left", "epoch   1/1000", timeout=30)
    tmux.shows("right", "epoch   1/1000", timeout=30)
    control.stop(rundir)
    wait_until(lambda: verdict(rundir).status == "stopped", timeout=60)


def test_the_dashboard_starts_compares_and_exports_runs_and_finds_them_again(
    tmux: Tmux, home: Path, tmp_path: Path
) -> None:
    """Start a run, compare it with one of the shell, export both, leave while a third one trains, and find it again."""
    program = f"{FASTADV}; echo it ended with $?; cat"  # tmux itself does not always notice that a program has ended
    tmux("new-session", "-d", "-s", "d", "-x", "140", "-y", "40", "-c", str(tmp_path), *tmux.environment, program)
    tmux.shows("d", "Press n to start one", timeout=30)
    tmux.session("shell", run_of_shell("one", epochs=1, seed=1))
    launch(tmux, "two", "1", "2")
    for name in ("one", "two"):
        tmux.shows("d", f"✓ {name}", timeout=90)
    tmux("send-keys", "-t", "d", "h")
    tmux.shows("d", "2 of 2 runs")
    tmux("send-keys", "-t", "d", "Space")
    tmux.shows("d", "1 marked")
    tmux("send-keys", "-t", "d", "j", "Space")
    tmux.shows("d", "2 marked")
    tmux("send-keys", "-t", "d", "c")
    tmux.shows("d", "data, evaluation and code agree")
    for form, names, count in (("comparison", "fastadv-compare-*", 3), ("accuracy by epoch", "fastadv-accuracy-*", 3)):
        tmux("send-keys", "-t", "d", "E")
        tmux.shows("d", "Export 2 runs")
        tmux("send-keys", "-t", "d", "-l", form)
        wait_until(lambda: "all numbers" not in tmux.screen("d"))  # the dialog has all that was typed
        tmux("send-keys", "-t", "d", "Enter")
        wait_until(lambda names=names, count=count: len([*tmp_path.glob(names)]) == count, timeout=90)
    tmux("send-keys", "-t", "d", "Escape")
    tmux.shows("d", "2 of 2 runs")
    tmux("send-keys", "-t", "d", "Escape")
    tmux.shows("d", "Accuracy")
    tmux.session("shell again", run_of_shell("three", epochs=20_000, seed=3))
    tmux.shows("d", "● three", timeout=60)
    tmux("send-keys", "-t", "d", "q")
    tmux.shows("d", "it ended with 0")
    tmux.session("again", FASTADV)
    tmux.shows("again", "● three", timeout=30)


BROKEN = """
from fastadv_tui.dashboard.open import open_dashboard
from fastadv_tui.dashboard.screens.runs import RunsScreen
def take(self, snapshot):
    raise RuntimeError("this dashboard is broken")
RunsScreen.take = take
open_dashboard(readonly=False)
"""


def test_a_dashboard_that_breaks_says_so_and_ends_with_exit_code_1(tmux: Tmux, tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text(BROKEN)
    program = f"{shlex.quote(sys.executable)} -P {shlex.quote(str(tmp_path / 'broken.py'))}"
    tmux.session("b", f"{program}; echo it ended with $?; cat")
    tmux.shows("b", "it ended with 1", timeout=30)
    assert "this dashboard is broken" in tmux.screen("b")
    assert "Your runs continue. Start `fastadv` to see them again." in " ".join(tmux.screen("b").split())


def run_of_shell(name: str, epochs: int, seed: int) -> str:
    return f"{FASTADV} run toy-squares --epochs {epochs} --seed {seed} --name {name} --detach"


def launch(tmux: Tmux, name: str, epochs: str, seed: str) -> None:
    """Fill the form as a user does: n, down from field to field, ctrl+s."""
    tmux("send-keys", "-t", "d", "n")
    wait_until(lambda: "data set" in tmux.cursor_line("d"))
    fill_field(tmux, 0, "data set", "toy-squares")
    fill_field(tmux, TO_EPOCHS, "epochs", epochs)
    fill_field(tmux, 4, "seed", seed)
    tmux("send-keys", "-t", "d", *["Down"] * 5, "Enter")  # over the other groups to the last one, which opens
    tmux.shows("d", "▾ Saving")
    tmux.shows("d", "checkpoint every")  # the heading changes a moment before its fields are there
    fill_field(tmux, 1, "name", name)
    tmux("send-keys", "-t", "d", "C-s")
    wait_until(lambda: "New run" not in tmux.screen("d").splitlines()[0], timeout=60)


def fill_field(tmux: Tmux, downs: int, title: str, text: str) -> None:
    """Go down to a field and type; the cursor of the terminal is in the field that has the focus."""
    tmux("send-keys", "-t", "d", *["Down"] * downs)
    cursor_shows(tmux, title)
    tmux("send-keys", "-t", "d", text)
    cursor_shows(tmux, text)


def cursor_shows(tmux: Tmux, word: str) -> None:
    """Wait for a word in the field with the focus. AssertionError shows the screen instead."""
    try:
        wait_until(lambda: f" {word} " in tmux.cursor_line("d"))
    except AssertionError:
        raise AssertionError(f"no {word!r} at the cursor of\n{tmux.screen('d')}") from None


def test_a_draft_is_there_after_the_dashboard_was_killed(tmux: Tmux, home: Path) -> None:
    draft = home / "draft.json"
    tmux.session("keeper", "cat")  # without a session the server would end
    for again in (False, True):
        tmux.session("d", f"exec {FASTADV}")
        tmux.shows("d", "Press n to start one", timeout=30)
        tmux("send-keys", "-t", "d", "n")
        wait_until(lambda: "data set" in tmux.cursor_line("d"))
        if again:
            wait_until(lambda: re.search(r"epochs +77 ", tmux.screen("d")))
        else:
            fill_field(tmux, TO_EPOCHS, "epochs", "77")
            wait_until(lambda: draft.exists() and '"epochs":"77"' in draft.read_text())
        pid = int(tmux("display-message", "-p", "-t", "d", "#{pane_pid}"))
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda pid=pid: gone(pid))  # type: ignore[misc]
        wait_until(lambda: "d" not in tmux("list-sessions", "-F", "#S").split())


def test_ctrl_c_in_a_terminal_stops_the_run(tmux: Tmux, home: Path) -> None:
    tmux.session("first", "bash --norc")
    tmux("send-keys", "-t", "first", f"{FASTADV} run digits {LONG}; echo exit code $?", "Enter")
    tmux.shows("first", "training ━", timeout=60)
    tmux("send-keys", "-t", "first", "C-c")
    tmux.shows("first", "exit code 130", timeout=60)
    screen = tmux.screen("first")
    assert "stopping: waiting for the checkpoint" in screen
    assert "fastadv resume" in screen


def shell_with(tmux: Tmux, command: str, words: str) -> None:
    """Open a shell with job control, type a command, and wait until the screen shows `words`."""
    tmux.session("t", "bash --norc")
    tmux("send-keys", "-t", "t", command, "Enter")
    tmux.shows("t", words, timeout=60)


def suspend_and_use_the_shell(tmux: Tmux) -> None:
    """Press Ctrl-Z, and have the shell do something, with its cursor on the screen."""
    tmux("send-keys", "-t", "t", "C-z")
    tmux.shows("t", "Stopped")
    tmux("send-keys", "-t", "t", "echo shell $((40 + 2))", "Enter")
    tmux.shows("t", "shell 42")
    assert tmux("display-message", "-p", "-t", "t", "#{cursor_flag}") == "1\n"


def test_ctrl_z_gives_the_shell_back_and_fg_draws_the_dashboard_anew(tmux: Tmux) -> None:
    shell_with(tmux, FASTADV, "Press n to start one")
    for _ in range(2):
        suspend_and_use_the_shell(tmux)
        assert "Press n to start one" not in tmux.screen("t")
        tmux("send-keys", "-t", "t", "fg", "Enter")
        tmux.shows("t", "Press n to start one")
    tmux("send-keys", "-t", "t", "n")  # the keys come once, and not to a second reader
    tmux.shows("t", "^s Start")  # of the form; "New run" is in the footer of the first screen, too
    suspend_and_use_the_shell(tmux)
    tmux("send-keys", "-t", "t", "fg", "Enter")
    tmux.shows("t", "^s Start")
    tmux("send-keys", "-t", "t", "Escape")
    tmux.shows("t", "Press n to start one")
    tmux("send-keys", "-t", "t", "q")
    tmux.shows("t", "shell 42")


def test_ctrl_z_in_a_dashboard_that_no_shell_started_says_so(tmux: Tmux) -> None:
    tmux.session("t", f"exec {FASTADV}")
    tmux.shows("t", "Press n to start one", timeout=30)
    tmux("send-keys", "-t", "t", "C-z")
    tmux.shows("t", "no shell waits for this dashboard")
    tmux("send-keys", "-t", "t", "h")
    tmux.shows("t", "No runs yet. Press n to start one.")


@pytest.mark.parametrize("watching", [False, True], ids=["run", "watch"])
def test_ctrl_z_gives_the_shell_back_while_the_run_goes_on_and_fg_shows_it_again(
    tmux: Tmux, home: Path, watching: bool
) -> None:
    training = run_of_shell("long", epochs=100_000, seed=1)
    command = f"{training}; {FASTADV} watch last" if watching else training.removesuffix("--detach")
    shell_with(tmux, command, "training ━")
    suspend_and_use_the_shell(tmux)
    (folder,) = (home / "runs").iterdir()
    before = load(RunDir(folder)).step
    wait_until(lambda: load(RunDir(folder)).step > before, timeout=30)
    assert "training ━" not in tmux.screen("t").split("shell 42")[-1]
    tmux("send-keys", "-t", "t", "fg", "Enter")
    wait_until(lambda: "training ━" in tmux.screen("t").split("shell 42")[-1])
    tmux("send-keys", "-t", "t", "C-c")
    tmux.shows("t", "not waiting any longer" if watching else "fastadv resume", timeout=60)
    tmux("send-keys", "-t", "t", "echo exit code $?", "Enter")
    tmux.shows("t", f"exit code {0 if watching else 130}")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_dashboard_and_restores_the_terminal(tmux: Tmux, number: signal.Signals) -> None:
    shell_with(tmux, f"{FASTADV}; echo ended with $?", "Press n to start one")
    (dashboard,) = psutil.Process(int(tmux("display-message", "-p", "-t", "t", "#{pane_pid}"))).children()
    dashboard.send_signal(number)
    tmux.shows("t", f"ended with {128 + number}")
    assert "Press n to start one" not in tmux.screen("t")
    tmux("send-keys", "-t", "t", "echo shell $((40 + 2))", "Enter")
    tmux.shows("t", "shell 42")
    assert "Traceback" not in tmux.screen("t")
