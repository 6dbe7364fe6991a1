"""Tells the user what happened to a run: `python -P -m fastadv_tui.notify.deliver RUN_DIR HAPPENED COUNT TEXT`.

The supervisor of the run starts this process and never waits for it. What fails becomes one line on standard error,
which is the log of the run.
"""

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import msgspec

from engine.protocol.exit_code import ExitCode
from engine.protocol.rundir import RunDir
from fastadv_tui.errors import UserError
from fastadv_tui.notify.message import Happened, Message, message_of
from fastadv_tui.notify.rate_limit import RateLimit
from fastadv_tui.notify.settings import NotifySettings, load
from fastadv_tui.notify.targets import send
from fastadv_tui.paths import notify_path
from fastadv_tui.text.sanitize import one_line


def main(arguments: Sequence[str]) -> int:
    """Returns: the exit code. Settings that cannot be read are told in the log, too."""
    folder, happened, count, text = arguments
    rundir = RunDir(Path(folder))
    os.environ["FASTADV_HOME"] = str(rundir.path.parent.parent)  # the home of the run, whatever the environment says
    try:
        settings = load()
    except UserError as error:
        _log(str(error))
        return ExitCode.REFUSED
    if settings is not None and settings.enabled and settings.targets:
        assert happened in get_args(Happened)
        message = message_of(rundir, happened, int(count), text)  # type: ignore[arg-type]
        if message.event in settings.on:
            _send_within_limit(settings, message)
    return ExitCode.DONE


def _send_within_limit(settings: NotifySettings, message: Message) -> None:
    limit = RateLimit(notify_path().with_name("notify-sent.json"), settings.at_most)
    left_out = limit.admit()
    if left_out is None:
        if not (left_out := limit.admit_summary()):
            return
        several = f"{left_out} more notification(s) were left out"
        message = msgspec.structs.replace(message, title=several, text=f"the last: {message.title}")
    elif left_out:
        message = msgspec.structs.replace(message, text=f"{message.text} ({left_out} notification(s) were left out)")
    for target, failure in send(settings, message).items():
        if failure:
            _log(f"{target}: {failure}; `fastadv notify test` tries it again")


def _log(text: str) -> None:
    when = time.strftime("%Y-%m-%d %H:%M:%S")
    print(f"{when} notify: {one_line(text)}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stderr.flush()
    os._exit(code)  # a thread may still look up a host name, and Python would wait for it
