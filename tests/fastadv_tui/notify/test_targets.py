"""A message reaches its targets; one that hangs, fails or is gone costs a line, which holds no secret."""

import threading
from pathlib import Path

import pytest

from fastadv_tui.notify import targets
from fastadv_tui.notify.message import Message
from fastadv_tui.notify.settings import NotifySettings
from fastadv_tui.notify.targets import redacted, send
from tests.support.waiting import wait_until
from tests.support.webhook import SECRET, webhook

MESSAGE = Message(event="fail", title="a (k3f9) failed", text="it — 'broke' $x", time="t", run="k3f9", status="failed")


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def test_a_webhook_and_a_topic_get_the_message_as_json() -> None:
    with webhook() as server:
        topic = server.url.replace(f"/hooks/{SECRET}", f"/{SECRET}?auth=abc")
        outcomes = send(NotifySettings(webhook=server.url, ntfy=topic), MESSAGE)
        assert outcomes == {"webhook at 127.0.0.1": "", "ntfy at 127.0.0.1": ""}
        by_path = dict(zip(server.paths, server.got, strict=True))
    hook = by_path[f"/hooks/{SECRET}"]
    assert (hook["event"], hook["run"], hook["text"]) == ("fail", "k3f9", f"{MESSAGE.title}: {MESSAGE.text}")
    assert by_path["/?auth=abc"] == {
        "topic": SECRET, "title": MESSAGE.title, "message": MESSAGE.text, "tags": ["x"], "priority": 4,
    }  # fmt: skip


def test_a_command_gets_the_message_in_its_environment_as_it_is(tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = f'printf "%s|%s|%s" "$FASTADV_EVENT" "$FASTADV_RUN" "$FASTADV_TEXT" > {out}'
    assert send(NotifySettings(command=command), MESSAGE) == {"command printf": ""}
    assert out.read_text() == f"fail|k3f9|{MESSAGE.text}"


@pytest.mark.parametrize(
    ("command", "said"),
    [("exit 3", "exit code 3"), ("no-such-program-here", "exit code 127"), ("kill $$", "exit code -15")],
)
def test_a_command_that_fails_is_said(command: str, said: str) -> None:
    assert list(send(NotifySettings(command=command), MESSAGE).values()) == [said]


@pytest.mark.parametrize(("code", "said"), [(500, "HTTP 500"), (404, "HTTP 404"), (302, "HTTP 302"), (204, "")])
def test_the_answer_of_a_server_is_said_and_no_redirection_is_followed(code: int, said: str) -> None:
    with webhook() as server:
        server.code = code
        assert send(NotifySettings(webhook=server.url), MESSAGE) == {"webhook at 127.0.0.1": said}
        assert len(server.got) == 1


def test_a_server_that_is_gone_is_said() -> None:
    with webhook() as server:
        url = server.url
    assert send(NotifySettings(webhook=url), MESSAGE) == {"webhook at 127.0.0.1": "Connection refused"}


def test_what_hangs_is_given_up_and_does_not_hold_up_the_others(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(targets, "SEND_SECONDS", 0.3)
    child, release = tmp_path / "child", threading.Event()
    monkeypatch.setitem(
        targets.SENDERS, "ntfy", lambda target, message: str(release.wait())
    )  # e.g. a look-up of a name
    with webhook() as server:
        server.hang()
        settings = NotifySettings(
            webhook=server.url, ntfy="http://h/t", command=f"sleep 600 & echo $! > {child}; sleep 600"
        )
        outcomes = send(settings, MESSAGE)
    release.set()
    assert outcomes["webhook at 127.0.0.1"] == outcomes["ntfy at h"] == targets.TOO_LATE
    assert "killed" in outcomes["command sleep"]
    wait_until(lambda: not Path(f"/proc/{child.read_text().strip()}").exists())  # its children are killed, too


@pytest.mark.parametrize(
    ("kind", "target", "named"),
    [
        ("webhook", f"https://hooks.example.org/services/{SECRET}?key={SECRET}", "webhook at hooks.example.org"),
        ("ntfy", f"https://ntfy.sh/{SECRET}", "ntfy at ntfy.sh"),
        ("command", f"TOKEN={SECRET} /usr/bin/curl -H {SECRET} x", "command curl"),
        ("command", f"echo '{SECRET}", "command"),
        ("command", f"A={SECRET}", "command"),
    ],
)
def test_a_target_is_named_without_its_secret(kind: str, target: str, named: str) -> None:
    assert redacted(kind, target) == named
