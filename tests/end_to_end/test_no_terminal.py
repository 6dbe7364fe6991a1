"""The dashboard where there is no terminal to show it in."""

import os
import pty
import subprocess

import pytest

from tests.support.shell import FASTADV
from tests.support.waiting import seconds

pytestmark = pytest.mark.usefixtures("home")


@pytest.mark.parametrize("stream", ["stdin", "stdout", "stderr"])
@pytest.mark.parametrize("words", [[], ["--readonly"]], ids=["plain", "read-only"])
def test_one_line_says_what_to_do_instead(stream: str, words: list[str]) -> None:
    ours, theirs = pty.openpty()
    streams = {"stdin": theirs, "stdout": theirs, "stderr": theirs, stream: subprocess.PIPE}
    try:
        with subprocess.Popen([*FASTADV, *words], **streams) as process:  # type: ignore[call-overload]
            out, narration = process.communicate(timeout=seconds(20))
        said = narration if stream == "stderr" else os.read(ours, 1000)
    finally:
        os.close(ours)
        os.close(theirs)
    assert process.returncode == 2
    assert not out
    (line,) = said.decode().splitlines()
    assert line.startswith("fastadv: the dashboard needs a terminal")
    assert "`fastadv runs`" in line
    assert "`fastadv --help`" in line


def test_a_stream_that_is_closed_is_no_terminal() -> None:
    command = ["sh", "-c", 'exec "$@" <&-', "sh", *FASTADV]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds(20))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("TERM", "dumb", "set TERM"),
        ("TERM", "", "set TERM"),
        ("PYTHONIOENCODING", "latin-1", "the dashboard needs UTF-8"),
    ],
)
def test_a_terminal_that_cannot_show_the_dashboard_gets_one_line(name: str, value: str, said: str) -> None:
    ours, theirs = pty.openpty()
    try:
        environment = {**os.environ, "TERM": "xterm-256color", name: value}
        done = subprocess.run(FASTADV, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, timeout=seconds(20))
        printed = os.read(ours, 1000).decode()
    finally:
        os.close(ours)
        os.close(theirs)
    assert done.returncode == 2
    (line,) = printed.splitlines()
    assert said in line
