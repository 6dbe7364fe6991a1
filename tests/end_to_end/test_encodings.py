"""Every command prints in the encodings of old terminals and of pipes, with plain marks for what they lack."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from engine.config.presets import build
from engine.protocol.events import Finished
from fastadv_tui.history.index import History
from fastadv_tui.paths import ensure_home, runs_dir
from tests.support.events import evaluated, started, write_events
from tests.support.runs import make_run
from tests.support.shell import FASTADV
from tests.support.waiting import seconds

NAME = "naïve · 漢 ✓"


@pytest.fixture(autouse=True)
def _runs(home: Path) -> None:
    ensure_home()
    for run_id in ("a", "b"):
        rundir = make_run(runs_dir() / run_id, chosen=build("digits", {"name": NAME}))
        write_events(rundir, started(), evaluated(10), Finished(status="done", step=10))
        History().edit(rundir, lambda notes: setattr(notes, "note", NAME))


def printed(words: Sequence[str], encoding: str) -> str:
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    done = subprocess.run([*FASTADV, *words], capture_output=True, env=environment, timeout=seconds(120))
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr
    return done.stdout.decode(encoding)


COMMANDS = (["show", "a"], ["compare", "a", "b"], ["logs", "a"], ["settings"], ["presets"], ["--help"], ["run", "-h"])


@pytest.mark.parametrize(
    ("words", "encoding"),
    [*((words, "ascii") for words in COMMANDS), (["runs"], "latin-1"), (["runs"], "cp1252")],
)
def test_a_command_prints_in_any_encoding(words: list[str], encoding: str) -> None:
    assert printed(words, encoding).count("\n") > 1


def test_marks_are_plain_where_the_encoding_lacks_them() -> None:
    lines = [line.split() for line in printed(["runs"], "ascii").splitlines()]
    (line,) = (line for line in lines if line[1:3] == ["a", "done"])
    assert (line[0], line[3:7]) == ("+", ["na?ve", "-", "?", "+"])
    assert NAME in printed(["runs"], "utf-8")
