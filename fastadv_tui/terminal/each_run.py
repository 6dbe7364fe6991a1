"""Does something to several runs: one that fails does not stop the others, and the exit code tells."""

import sys
from collections.abc import Callable, Iterable
from typing import TypeVar

from engine.protocol.exit_code import ExitCode
from fastadv_tui.errors import UserError
from fastadv_tui.text.sanitize import one_line

Item = TypeVar("Item")


def for_each(items: Iterable[Item], act: Callable[[Item], int | None]) -> int:
    """Call `act` with each item, and print the error of each item that fails in one line. Ctrl-C ends the loop.

    act: may return an exit code; None stands for DONE.

    Returns: the exit code of all items if they agree, STOPPED if one was stopped, else FAILED.
    """
    codes: list[int] = []
    for item in items:
        codes.append(_code_of(act, item))
        if codes[-1] == ExitCode.STOPPED:
            return ExitCode.STOPPED
    return codes[0] if len({*codes}) == 1 else ExitCode.FAILED


def _code_of(act: Callable[[Item], int | None], item: Item) -> int:
    try:
        return act(item) or ExitCode.DONE
    except UserError as error:
        return _failed(error, ExitCode.REFUSED)
    except OSError as error:  # e.g. a folder without permission, or an unmounted disk
        return _failed(error, ExitCode.FAILED)


def _failed(error: Exception, code: int) -> int:
    print(f"fastadv: {one_line(str(error))}", file=sys.stderr, flush=True)
    return code
