"""Holds the client of a tracker: `python -P -m fastadv_tui.trackers.worker`, messages as lines of JSON on stdin.

On stdout comes an answer for each message. This is a process of its own, because the packages of trackers take seconds
to load, start threads, and may wait for a dead server as long as they like: whoever started it can end it.
"""

import os
import sys
from typing import BinaryIO

import msgspec

from engine.config.sendable import sendable
from engine.config.typed import decode
from fastadv_tui.trackers.clients import CLIENTS, Client
from fastadv_tui.trackers.messages import Answer, Begin, Message, Points


def main() -> None:
    answers = _take_stdout()
    client: Client | None = None
    for line in sys.stdin.buffer:
        try:
            client = _do(decode(line, Message), client)
            answer = Answer(remote=client.remote, where=client.where)
        except (Exception, SystemExit) as error:  # a package of others may raise anything; the answer tells it
            answer = Answer(error=_one_line(error))
        answers.write(msgspec.json.encode(answer) + b"\n")
        answers.flush()


def _do(message: Message, client: Client | None) -> Client:
    if isinstance(message, Begin):
        opened: Client = CLIENTS[message.tool](message)
        return opened
    assert client is not None
    if isinstance(message, Points):
        client.log(message.points)
    else:
        client.end(message.status)
    return client


def _take_stdout() -> BinaryIO:
    """Standard output for the answers alone: what the packages print goes to standard error."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return answers


def _one_line(error: BaseException) -> str:
    said = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    return sendable(said or type(error).__name__)


if __name__ == "__main__":
    main()
    sys.stderr.flush()
    os._exit(0)  # a thread of a package may still wait for a server
