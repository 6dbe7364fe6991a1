"""Writes the checkpoints of a training in a thread of its own, while the training goes on."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, Self

import torch

from engine.config.run import RunConfig
from engine.protocol import events
from engine.protocol.stop import Stopped
from engine.runtime.host_copy import HostCopy, copy_to_host
from engine.training import checkpoint


class CheckpointFile(NamedTuple):
    """A checkpoint to write. keep: the previous file moves there. reported: whether an event tells of the file."""

    path: Path
    state: dict[str, Any]
    keep: Path | None = None
    reported: bool = True


class CheckpointWriter:
    """Copies a state at once, and writes it in a thread, as `checkpoint.save` does.

    At most one copy of a state exists at a time: the next one waits until the files of the one before are written.
    Use as a context manager. Leaving the context waits for the files.

    emit: writes an event, from the thread. The event of a file follows when the file is there.
    """

    def __init__(self, config: RunConfig, device: torch.device, emit: Callable[[events.AnyEvent], None]) -> None:
        self._config, self._device, self._emit = config, device, emit
        self._thread = ThreadPoolExecutor(1, "checkpoints")
        self._writing: Future[None] | None = None

    def write(self, step: int, *files: CheckpointFile) -> None:
        """Copy the states of files, which share their tensors, and begin to write the files in this order.

        step: weight updates so far, for the events. Raises: as `wait`, for the files before.
        """
        self.wait()
        copies = copy_to_host([file.state for file in files], self._device)
        places = [file._replace(state={}) for file in files]  # so that the thread does not keep the originals
        self._writing = self._thread.submit(self._write, step, places, copies)

    def check(self) -> None:
        """Raise the error of a write that has ended, if it failed. Does not wait. Raises: as `wait`."""
        if self._writing is not None and self._writing.done():
            self.wait()

    def wait(self) -> None:
        """Wait until all files are written.

        Raises: OSError, if a file could not be written. The file before it then stays, and later files are left out.
        """
        writing, self._writing = self._writing, None
        if writing is not None:
            writing.result()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        """Raises: OSError, as `wait`, also in place of Stopped: a run that was not saved is not stopped, it failed."""
        try:
            self.wait()
        except Exception as problem:
            if error is None or isinstance(error, Stopped):
                raise
            error.add_note(f"the last checkpoint was not written: {problem}")
        finally:
            self._thread.shutdown()

    def _write(self, step: int, files: list[CheckpointFile], copies: HostCopy) -> None:
        copies.wait()
        for file, state in zip(files, copies.state, strict=True):
            size = checkpoint.save(file.path, self._config, state, file.keep)
            if file.reported:
                self._emit(events.Saved(step=step, file=file.path.name, bytes=size))
