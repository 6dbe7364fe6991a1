"""Shows the progress of a command that is over in a moment for most users: only after two seconds."""

import sys
import time
from types import TracebackType

from fastadv_tui.text.quantities import format_bytes

PATIENCE = 2.0  # seconds without a word


class SlowProgress:
    """Shows bytes done and in total on standard error: one line that changes on a terminal, else every tenth.

    Use as a context manager: its end clears the line.
    """

    def __init__(self, label: str) -> None:
        self._label, self._begun = label, time.monotonic()
        self._on_terminal = sys.stderr.isatty()
        self._shown = -1

    def __call__(self, done: int, total: int) -> None:
        percent = 100 * done // max(total, 1)
        step = percent if self._on_terminal else percent // 10 * 10
        if step == self._shown or time.monotonic() - self._begun < PATIENCE:
            return
        self._shown = step
        text = f"{self._label} {step}% of {format_bytes(total)}"
        print(f"\r{text}" if self._on_terminal else text, end="" if self._on_terminal else "\n", file=sys.stderr)
        sys.stderr.flush()

    def __enter__(self) -> "SlowProgress":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._on_terminal and self._shown >= 0:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
