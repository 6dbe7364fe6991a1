"""Ctrl-C ends a command without a traceback, whatever the command is doing at that moment."""

import signal
import sys
from types import FrameType

_interrupted = False


def interrupt_quietly() -> None:
    """From now on the first SIGINT raises KeyboardInterrupt, so that the command cleans up. A second one kills."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # jobs in the background may ignore SIGINT
        signal.signal(signal.SIGINT, _interrupt)
        sys.unraisablehook = _end_if_interrupted


def was_interrupted() -> bool:
    """Whether a SIGINT came. Its KeyboardInterrupt may be lost: C code of a library may clear any error of a callback.

    One such place is msgspec, which compares types while it prepares to decode a type for the first time.
    """
    return _interrupted


def _interrupt(number: int, frame: FrameType | None) -> None:
    global _interrupted
    _interrupted = True
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    raise KeyboardInterrupt


def _end_if_interrupted(unraisable: "sys.UnraisableHookArgs") -> None:
    """Python ignores an exception in a destructor or in a callback of an import. A Ctrl-C must not be ignored."""
    if unraisable.exc_type is KeyboardInterrupt:
        signal.raise_signal(signal.SIGINT)  # this is the second one, which kills
    sys.__unraisablehook__(unraisable)
