"""`queue`: the runs that wait on this host, their order, and a pause."""

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, TypeVar

import msgspec
import typer

from fastadv_tui.commands.arguments import Run
from fastadv_tui.errors import HomeError, UserError

if TYPE_CHECKING:
    from fastadv_tui.launch.forecast import Expected
    from fastadv_tui.launch.line import WaitingRun
    from fastadv_tui.supervise.queue import RunQueue

Result = TypeVar("Result")
EPILOG = (
    "Examples: fastadv queue · fastadv queue move last --to 1 · fastadv queue pause · fastadv queue continue · "
    "`fastadv stop RUN` cancels a run"
)


def register(app: typer.Typer) -> None:
    group = typer.Typer()
    group.callback(invoke_without_command=True, epilog=EPILOG)(queue)
    group.command(epilog="Examples: fastadv queue move k3f9 --to 1 · fastadv queue move k3f9 --to last")(move)
    group.command()(pause)
    group.command("continue")(continue_)
    app.add_typer(group, name="queue")


def queue(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print the waiting runs as JSON.")] = False,
) -> None:
    """List the runs that wait on this host, move one, or hold and release them all."""
    if context.invoked_subcommand is not None:
        return
    from fastadv_tui.launch.line import waiting_runs
    from fastadv_tui.supervise.queue import RunQueue
    from fastadv_tui.text.quantities import format_age
    from fastadv_tui.text.table import aligned

    here = RunQueue.of_home()
    runs = waiting_runs(here)
    if as_json:
        sys.stdout.write(msgspec.json.encode([_as_data(run) for run in runs]).decode() + "\n")
        return
    if not runs:
        print("no run waits on this host")
    else:
        lines = [("", "id", "name", "device", "submitted", "starts", "ends")]
        for number, run in enumerate(runs, 1):
            when = format_age(run.submitted)
            times = ("paused", "") if here.paused else _times(run.expected)
            lines.append((str(number), run.id, run.name, run.device, when, *times))
        print("\n".join(aligned(lines)))
    if here.paused:
        print("the queue is paused; `fastadv queue continue` lets the runs start", file=sys.stderr)


def _as_data(run: "WaitingRun") -> dict[str, str | None]:
    """The run for JSON. Times are in ISO 8601, None if unknown."""
    from fastadv_tui.text.quantities import known_iso_time

    when = {"submitted": run.submitted, "starts": run.expected.start, "ends": run.expected.end}
    times = {name: known_iso_time(unix or 0.0) for name, unix in when.items()}
    return {"id": run.id, "name": run.name, "device": run.device, **times}


def _times(expected: "Expected") -> tuple[str, str]:
    return _from_now(expected.start), _from_now(expected.end)


def _from_now(when: float | None) -> str:
    from fastadv_tui.text.quantities import format_duration

    return "" if when is None else f"in {format_duration(max(when - time.time(), 0.0))}"


def move(
    run: Run,
    to: Annotated[str, typer.Option("--to", metavar="PLACE", help="The new place: 1 for the first, or last.")],
) -> None:
    """Give a waiting run another place."""
    from fastadv_tui.history.selection import find_run
    from fastadv_tui.supervise.queue import RunQueue

    if to != "last" and not (to.isdecimal() and int(to) > 0):
        raise UserError(f"--to {to} is no place; use a number from 1, or last")
    rundir, here = find_run(run), RunQueue.of_home()
    if not _changed(here, lambda: here.move(rundir.id, None if to == "last" else int(to))):
        raise UserError(f"{rundir.id} does not wait on this host; `fastadv queue` lists the runs that do")
    numbers = {ticket.id: number for number, ticket in enumerate(here.waiting(), 1)}
    print(f"{rundir.id}: now {numbers.get(rundir.id, 1)} of {len(numbers)}", file=sys.stderr)


def pause() -> None:
    """Let no waiting run start. Runs that train go on."""
    from fastadv_tui.supervise.queue import RunQueue

    here = RunQueue.of_home()
    _changed(here, here.pause)
    print(f"paused: {len(here.waiting())} run(s) wait until `fastadv queue continue`", file=sys.stderr)


def continue_() -> None:
    """Let the waiting runs start again."""
    from fastadv_tui.runs.submit import serve
    from fastadv_tui.supervise.queue import RunQueue

    here = RunQueue.of_home()
    _changed(here, here.unpause)
    serve(here)
    print(f"continued: {len(here.waiting())} run(s) wait for a slot", file=sys.stderr)


def _changed(queue: "RunQueue", change: "Callable[[], Result]") -> "Result":
    """Change the queue under its lock. Raises: HomeError, if the files of the queue cannot be written."""
    try:
        with queue.locked():
            return change()
    except OSError as error:
        raise HomeError(f"cannot change the queue in {queue.slots} ({error.strerror or error})") from None
