"""Detaches a process from the one that started it, which waits only until the work is under way."""

import os
import sys

from engine.protocol.exit_code import ExitCode
from engine.protocol.streams import release_questions


class Starter:
    """The process that started this one. It waits until it is told, or until this process ends."""

    def __init__(self, writer: int) -> None:
        self._writer, self.told = writer, False

    def tell(self) -> None:
        """Let the starter go on. Later calls do nothing."""
        if not self.told:
            self.told = True
            os.write(self._writer, b"1")
            os.close(self._writer)


def detach() -> Starter:
    """Go on in a child, in a session of its own.

    The parent ends here: with 0 once the child has told it, else with the exit code of the child.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.close(reader)
        os.setsid()
        return Starter(writer)
    os.close(writer)
    release_questions()  # only the child may answer there
    if os.read(reader, 1):
        sys.exit(ExitCode.DONE)
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
