"""`fastadv notify` shows, sets, tests and turns off notifications, and prints no secret."""

import subprocess
from pathlib import Path

import pytest

from fastadv_tui.notify.settings import load
from fastadv_tui.paths import notify_path
from tests.support.shell import FASTADV, fastadv
from tests.support.waiting import seconds
from tests.support.webhook import SECRET, webhook


@pytest.fixture(autouse=True)
def _home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def test_it_begins_with_no_notifications() -> None:
    assert "fastadv notify set --ntfy TOPIC" in fastadv("notify").stdout
    assert fastadv("notify", "off").returncode == 0
    done = fastadv("notify", "test")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)


def test_what_is_set_is_shown_without_its_secret_and_what_is_not_typed_stays() -> None:
    done = fastadv("notify", "set", "--ntfy", SECRET, "--on", "fail, alarm")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert lines[:2] == ["notifications are on: fail, alarm; at most 5 a minute", "ntfy at ntfy.sh"]
    assert SECRET not in done.stdout + done.stderr
    typed = subprocess.run(
        [*FASTADV, "notify", "set", "--webhook", "-"],
        input=f"https://h.example/{SECRET}\n",
        text=True,
        timeout=seconds(20),
    )
    assert typed.returncode == 0
    settings = load()
    assert settings is not None
    assert settings.targets == {"ntfy": f"https://ntfy.sh/{SECRET}", "webhook": f"https://h.example/{SECRET}"}
    assert settings.on == ("fail", "alarm")
    assert fastadv("notify", "set", "--webhook", "").returncode == 0
    assert "webhook" not in fastadv("notify", "show").stdout
    assert fastadv("notify", "off").returncode == 0
    assert "notifications are off" in fastadv("notify").stdout


def test_a_test_reaches_every_target_and_the_exit_code_tells() -> None:
    with webhook() as server:
        assert fastadv("notify", "set", "--webhook", server.url, "--command", "exit 3").returncode == 0
        done = fastadv("notify", "test")
        assert (done.returncode, done.stdout) == (1, "command exit: exit code 3\nwebhook at 127.0.0.1: sent\n")
        assert fastadv("notify", "set", "--command", "").returncode == 0
        assert fastadv("notify", "test").returncode == 0
        assert {got["event"] for got in server.got} == {"test"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "type a target"),
        (["--on", "end,boom", "--ntfy", "t"], "--on 'boom': use end, fail, stall, alarm"),
        (["--webhook", f"ftp://h/{SECRET}"], "--webhook: write a URL that begins with https://"),
        (["--webhook", f"https://user:{SECRET}@h/x"], "no user and password"),
        (["--webhook", f"http://[::1/{SECRET}"], "--webhook: write a URL"),
        (["--webhook", f"http://h/{SECRET}\r\nHost: x"], "--webhook: write a URL"),
        (["--ntfy", f"a {SECRET}"], "--ntfy: write a"),
        (["--ntfy", f"https://ntfy.sh/{SECRET}/"], "--ntfy: write a topic"),
    ],
)
def test_what_cannot_be_a_target_is_refused_in_one_line_without_the_secret(words: list[str], said: str) -> None:
    done = fastadv("notify", "set", *words)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
    assert said in done.stderr
    assert SECRET not in done.stderr
    assert not notify_path().exists()


def test_a_file_that_others_can_read_is_warned_of() -> None:
    fastadv("notify", "set", "--ntfy", "topic")
    notify_path().chmod(0o644)
    assert "chmod 600" in fastadv("notify").stderr
    fastadv("notify", "set", "--at-most", "9")
    assert "chmod" not in fastadv("notify").stderr
