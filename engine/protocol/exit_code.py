"""The exit codes of all commands of `fastadv` and of the engine."""

from enum import IntEnum


class ExitCode(IntEnum):
    """REFUSED: the user can fix the cause, which the program printed in one line. STOPPED: by a signal or `stop`."""

    DONE = 0
    FAILED = 1
    REFUSED = 2
    STOPPED = 130
