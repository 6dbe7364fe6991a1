"""`rerun`: submits runs once more, with the same settings."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from engine.protocol.exit_code import ExitCode
from fastadv_tui.commands.arguments import Filter, Runs, Yes
from fastadv_tui.launch.confirm import MAX_UNCONFIRMED

if TYPE_CHECKING:
    from engine.config.run import RunConfig
    from fastadv_tui.launch.again import RunAgain

EXAMPLES = (
    "Examples: fastadv rerun last · fastadv rerun --filter 'tag:sweep-1 status=failed' · "
    "fastadv rerun --filter tag:sweep-1 --missing"
)


USAGE_ERROR: type[Exception] = typer.BadParameter.__bases__[
    0
]  # wrong options; Typer has no name of its own for this error


def register(app: typer.Typer) -> None:
    app.command(epilog=EXAMPLES)(rerun)


def rerun(
    runs: Runs = None,
    filter_: Filter = "",
    missing: Annotated[
        bool,
        typer.Option(
            "--missing",
            help="Submit also the combinations of their sweeps that no run has, because the run was deleted, was "
            "cancelled in the queue or never started, or because the submission was interrupted. The command line of "
            "the sweep, which each of its runs has on record, tells the combinations.",
        ),
    ] = False,
    yes: Yes = False,
) -> None:
    """Submit runs once more, as new runs with the same settings and tags. They queue and start by themselves.

    With --filter, runs that are done, queued or running are left out, and those that were submitted again already. To
    continue a run, use `fastadv resume`.
    """
    from fastadv_tui.history.index import History
    from fastadv_tui.history.selection import selected_rows
    from fastadv_tui.launch import again
    from fastadv_tui.terminal.each_run import for_each
    from fastadv_tui.terminal.output import print_notices

    rows, everything = selected_rows(runs or (), filter_), History().rows()
    repeated = again.to_repeat(rows, everything) if filter_ else rows
    found: list[RunAgain] = []
    code = for_each(repeated, lambda row: found.append(again.again(row))) if repeated else ExitCode.DONE
    if missing:
        known = {run.config for run in found}
        lacking = again.missing(rows, everything, recorded_sweep)
        found += [run for run in lacking if run.config not in known]
    print(f"{len(found)} run(s) to submit again", file=sys.stderr)
    if len(found) > MAX_UNCONFIRMED and not yes:
        typer.confirm("start them?", abort=True, err=True)
    _check(found)
    print_notices(again.submit_again(found, lambda rundir: print(rundir.id, flush=True)))
    raise typer.Exit(code)


def _check(runs: "Sequence[RunAgain]") -> None:
    """Check a run of each kind, with the copy of the user's code that it takes. Raises: UserError."""
    from fastadv_tui.runs import engine_client

    engine_client.check_all(run.config for run in runs if run.code_of is None)
    code_of = {run.config: run.code_of for run in runs if run.code_of is not None}
    for config in engine_client.runs_to_check(code_of):
        engine_client.check(config, code_of[config])


def recorded_sweep(words: Sequence[str]) -> "list[RunConfig]":
    """The configurations of a sweep that was typed as `fastadv sweep WORDS`. Raises: UserError."""
    from fastadv_tui.commands import sweep
    from fastadv_tui.commands.run_options import asked_of
    from fastadv_tui.errors import UserError

    app = typer.Typer(add_completion=False)
    sweep.register(app)
    try:
        given = typer.main.get_command(app).make_context("sweep", [*words]).params
    except USAGE_ERROR as error:
        raise UserError(f"the recorded command `fastadv sweep {' '.join(words)}` is not understood: {error}") from None
    return sweep.configs_of(asked_of(given), given["axes"] or (), given["seeds"])
