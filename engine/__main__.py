"""Entry point of the engine's process. `python -P -m engine RUN_DIR` trains a run, or evaluates what
`request.json` in the folder asks for.

`--check`, `--doctor`, `--flops`, `--export` and `--eval` answer one question, `--serve` answers many. `--warm` checks
a run that has no folder yet, and trains it then. `--prepare` resizes the images of a data set. The last event of a
training is always `finished`. Exit codes: 0 done, 1 failed, 2 refused, 130 stopped.
"""

import contextlib
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from engine.config.errors import UserError
from engine.config.sendable import sendable
from engine.protocol import event_log, events
from engine.protocol.exit_code import ExitCode
from engine.protocol.files import WriteError
from engine.protocol.rundir import RunDir
from engine.protocol.stop import Stopped, StopRequest, ignore_stops
from engine.runtime.garbage import postpone_garbage_collection, resume_garbage_collection
from engine.runtime.gpu_order import count_gpus_by_bus
from engine.runtime.openmp import let_waiting_threads_sleep

if TYPE_CHECKING:
    from engine.config.run import RunConfig

FIXABLE = (UserError, WriteError)  # errors whose text says what to do


def main(arguments: list[str]) -> int:
    """Returns the exit code."""
    try:
        return _command(arguments)
    except BrokenPipeError:  # the process that asked has ended
        return ExitCode.STOPPED


def _command(arguments: list[str]) -> int:
    if arguments[:1] == ["--check"]:
        from engine.commands.check import check
        from engine.protocol.requests import CODE_OF, ON_GPU

        folder = next((Path(word.removeprefix(CODE_OF)) for word in arguments if word.startswith(CODE_OF)), None)
        return check(sys.stdin.buffer.read(), ON_GPU in arguments, folder)
    if arguments[:1] == ["--doctor"]:
        from engine.commands.doctor import doctor

        return doctor(arguments[1])
    if arguments[:1] == ["--serve"]:
        from engine.commands.serve import serve

        return serve()
    if arguments[:1] == ["--warm"]:
        from engine.commands.warm import check_and_wait
        from engine.protocol.requests import ON_GPU

        found = check_and_wait(int(arguments[1]), on_gpu=arguments[2:] == [ON_GPU])
        return train(found) if isinstance(found, RunDir) else found
    if (answer := _answering(arguments[0])) is not None:
        return answer(sys.stdin.buffer.read())
    return train(RunDir(Path(arguments[0])))


def _answering(command: str) -> Callable[[bytes], int] | None:
    """The function of a command that answers one request; None for any other word."""
    if command == "--flops":
        from engine.commands.flops import flops

        return flops
    if command not in ("--eval", "--export", "--prepare"):
        return None
    resume_garbage_collection()  # these commands work for long
    if command == "--eval":
        from engine.commands.evaluate import evaluate

        return evaluate
    if command == "--export":
        from engine.commands.export import export

        return export
    from engine.commands.prepare import prepare

    return prepare


def train(rundir: RunDir) -> int:
    """Train a run, from its last checkpoint if there is one, or do the evaluation that a folder asks for.

    Every outcome is reported by a `finished` event.
    """
    stop = StopRequest(rundir.stop_asked)  # before torch is imported, because a stop may come at any moment
    attempt = 1 + sum(isinstance(event, events.Started) for event in event_log.read(rundir.events))
    with event_log.Writer(rundir.events) as writer:
        try:
            stop.check()
            writer.write(events.Starting(phase="loading torch"))
            from engine.runtime.allocator import tune_allocator
            from engine.runtime.gpu_memory import OTHERS, explaining_full_memory, peak

            tune_allocator()
            with explaining_full_memory(OTHERS):
                if rundir.request.exists():
                    from engine.commands.evaluate import evaluate_in_folder

                    resume_garbage_collection()
                    evaluate_in_folder(rundir, writer, stop)
                else:
                    from engine.training.trainer import Training

                    config = rundir.submission().config
                    _start_copies(config, rundir, writer)
                    training = Training(config, rundir, writer, stop)
                    resume_garbage_collection()
                    training.run(attempt)
            finished, code = events.Finished(status="done"), ExitCode.DONE
        except Stopped:
            finished, code = events.Finished(status="stopped"), ExitCode.STOPPED
        except BaseException as error:
            finished, code = _failed(error), ExitCode.FAILED
        with contextlib.suppress(NameError):
            finished.step, reporter = training.learner.step, training.reporter
            finished.elapsed, finished.trained = round(reporter.elapsed, 3), round(reporter.trained, 3)
            finished.gpu_memory = peak(training.setup.device)
        return _finish(writer, finished, code)


def _failed(error: BaseException) -> events.Finished:
    """Write the error to the log. Called while the error is handled."""
    fixable = isinstance(error, FIXABLE)  # the message is enough for the user; no traceback
    _log(str(error) if fixable else traceback.format_exc())
    resumable = getattr(error, "resumable", True)
    return events.Finished(status="failed", error=_one_line(error), resumable=resumable)


def _start_copies(config: "RunConfig", rundir: RunDir, writer: event_log.Writer) -> None:
    """Write the events for other programs, too, if the run asks for it."""
    if config.log.tensorboard == "on":
        from engine.protocol.tensorboard.event_file import copy_events

        copy_events(writer, rundir, config)


def _finish(writer: event_log.Writer, finished: events.Finished, code: int) -> int:
    try:
        writer.write(finished)
    except OSError as error:  # such as a full disk; then the log and the exit code carry the outcome
        _log(f"cannot write the last event ({error}): {finished}")
        return ExitCode.FAILED
    return code


def _log(text: str) -> None:
    """Write to the log. A disk that is full must not hide how the training ended."""
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr, flush=True)


def _one_line(error: BaseException) -> str:
    """The error in one line, for the `finished` event. The log has the traceback."""
    text = sendable(str(error).strip().partition("\n")[0])
    if text and isinstance(error, FIXABLE):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


if __name__ == "__main__":
    postpone_garbage_collection()
    let_waiting_threads_sleep()
    count_gpus_by_bus()
    exit_code = main(sys.argv[1:])
    ignore_stops()
    resume_garbage_collection()  # after a short command; otherwise Python would look at all of torch as it ends
    sys.exit(exit_code)
