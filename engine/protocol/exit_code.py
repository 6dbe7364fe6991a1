"""How a process of ours ends: the exit codes of every command, of the engine and of the face alike."""

from enum import IntEnum


class ExitCode(IntEnum):
    """REFUSED: a user can put right what is in the way, and was told in one line. STOPPED: by a signal or `stop`."""

    DONE = 0
    FAILED = 1
    REFUSED = 2
    STOPPED = 130
