"""Sends a message to the targets. A target that hangs, fails or is gone costs at most SEND_SECONDS and a line.

No line holds a secret: of a URL only the host is named, of a command only its program.
"""

import json
import os
import shlex
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit, urlunsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

import msgspec

from fastadv_tui.notify.message import Message
from fastadv_tui.notify.settings import NotifySettings

SEND_SECONDS = 10.0  # longest wait for a target
TOO_LATE = f"no answer within {SEND_SECONDS:.0f} s"
PRIORITY = {"fail": 4, "stall": 4, "alarm": 4}  # of ntfy, where 3 is the default
EMOJI = {"end": "white_check_mark", "fail": "x", "stall": "hourglass", "alarm": "warning", "test": "wave"}


class NoRedirect(HTTPRedirectHandler):
    """Takes a redirection as a failure: the secret in the URL is not for another server."""

    def redirect_request(self, *_: Any) -> None:
        return None


def send(settings: NotifySettings, message: Message) -> dict[str, str]:
    """Send to all targets at once. Returns: by target, as `redacted` names it, what failed; empty if nothing did."""
    outcomes = {redacted(kind, target): TOO_LATE for kind, target in settings.targets.items()}

    def deliver(kind: str, target: str) -> None:
        outcomes[redacted(kind, target)] = SENDERS[kind](target, message)

    # threads, because no time limit of Python ends a look-up of a host name
    threads = [threading.Thread(target=deliver, args=each, daemon=True) for each in settings.targets.items()]
    for thread in threads:
        thread.start()
    end = time.monotonic() + SEND_SECONDS + 1.0  # each sender has its own limit; this one is for what ignores limits
    for thread in threads:
        thread.join(max(end - time.monotonic(), 0.0))
    return dict(outcomes)


def redacted(kind: str, target: str) -> str:
    """A target for people and logs: `webhook at hooks.example.org`, `command curl`."""
    if kind != "command":
        return f"{kind} at {urlsplit(target).hostname}"
    try:
        words = [word for word in shlex.split(target) if "=" not in word]  # NAME=secret may stand before the program
    except ValueError:
        words = []
    return f"command {Path(words[0]).name}" if words else "command"


def _run_command(command: str, message: Message) -> str:
    """Run a command of the shell, with the message in its environment. Returns: what failed, or an empty text."""
    told = {f"FASTADV_{key.upper()}": value for key, value in msgspec.to_builtins(message).items()}
    nothing = subprocess.DEVNULL
    try:
        process = subprocess.Popen(
            ["/bin/sh", "-c", command],
            env={**os.environ, **told},
            stdin=nothing,
            stdout=nothing,
            stderr=nothing,
            start_new_session=True,
        )
        code = process.wait(SEND_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return f"did not end within {SEND_SECONDS:.0f} s, and was killed"
    except OSError as error:
        return f"cannot be started ({error.strerror})"
    return f"exit code {code}" if code else ""


def _post_to_ntfy(url: str, message: Message) -> str:
    parts = urlsplit(url)
    folder, _, topic = parts.path.rpartition("/")
    server = urlunsplit(parts._replace(path=f"{folder}/"))
    content = {"topic": topic, "title": message.title, "message": message.text, "tags": [EMOJI[message.event]]}
    return _post(server, {**content, "priority": PRIORITY.get(message.event, 3)})


def _post_to_webhook(url: str, message: Message) -> str:
    """`text` is what Slack and Mattermost show, `content` what Discord shows."""
    line = f"{message.title}: {message.text}"
    return _post(url, {**msgspec.to_builtins(message), "text": line, "content": line, "detail": message.text})


def _post(url: str, content: dict[str, Any]) -> str:
    """Post JSON. Returns: what failed, without the URL; an empty text if the server took it."""
    headers = {"Content-Type": "application/json", "User-Agent": "fastadv"}
    request = Request(url, json.dumps(content).encode(), headers)
    try:
        with build_opener(NoRedirect).open(request, timeout=SEND_SECONDS):
            return ""
    except HTTPError as error:
        return f"HTTP {error.code}"
    except TimeoutError:
        return TOO_LATE
    except URLError as error:  # of its texts only those of the system surely hold no URL
        reason = error.reason
        if isinstance(reason, TimeoutError):
            return TOO_LATE
        return (isinstance(reason, OSError) and reason.strerror) or type(reason).__name__
    except Exception as error:  # e.g. an answer that is no HTTP
        return type(error).__name__


SENDERS: dict[str, Callable[[str, Message], str]] = {
    "command": _run_command,
    "ntfy": _post_to_ntfy,
    "webhook": _post_to_webhook,
}
