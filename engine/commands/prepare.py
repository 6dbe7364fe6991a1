"""`engine --prepare`: makes resized copies of a data set and answers on standard output. A stop loses nothing."""

from pathlib import Path

from filelock import FileLock, Timeout

from engine.config.errors import UserError
from engine.config.sendable import sendable
from engine.config.typed import decode
from engine.data.prepare.copy import CopyError, cannot_write
from engine.data.prepare.preparation import LOCK, Preparation, check_request
from engine.data.prepare.source import SourceError
from engine.protocol.answers import answer, refuse
from engine.protocol.exit_code import ExitCode
from engine.protocol.requests import Failed, PrepareRequest
from engine.protocol.stop import Stopped, StopRequest


def prepare(request: bytes) -> int:
    """Answer a PrepareRequest. `request` is JSON; returns the exit code."""
    stop = StopRequest()
    try:
        return _prepare(request, stop)
    except (Stopped, BrokenPipeError):  # stopped, or nobody reads the answers
        return ExitCode.STOPPED


def _prepare(request: bytes, stop: StopRequest) -> int:
    try:
        asked = decode(request, PrepareRequest)
        check_request(asked)
        with _locked(Path(asked.out)):
            answer(Preparation(asked, stop).run())
    except UserError as error:
        return refuse(str(error))
    except CopyError as error:
        answer(Failed(message=sendable(str(error))))
        return ExitCode.FAILED
    except BrokenPipeError:
        raise
    except OSError as error:
        answer(Failed(message=sendable(cannot_write(Path(error.filename or asked.out), error))))
        return ExitCode.FAILED
    return ExitCode.DONE


class _locked:  # noqa: N801 - it is used as a function
    """Locks the folder `out`, so that no other process prepares it meanwhile. Raises: SourceError."""

    def __init__(self, out: Path) -> None:
        self._out = out

    def __enter__(self) -> None:
        try:
            self._out.mkdir(parents=True, exist_ok=True)
            self._lock = FileLock(self._out / LOCK, timeout=0)
            self._lock.acquire()
        except Timeout:
            raise SourceError(f"another `fastadv prepare` is at work on {self._out}; wait for it, or stop it") from None
        except (FileExistsError, NotADirectoryError):
            raise SourceError(f"{self._out} cannot be a folder: there is a file in its place") from None
        except PermissionError as error:
            raise SourceError(f"cannot write to {self._out}: {error.strerror}; choose another --out") from None

    def __exit__(self, *_: object) -> None:
        self._lock.release()
