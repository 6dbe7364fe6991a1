"""`run`: trains a robust classifier."""

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated

import typer

from engine.protocol.exit_code import ExitCode
from fastadv_tui.commands.arguments import Slots, Tags
from fastadv_tui.commands.run_options import Asked, run_options

if TYPE_CHECKING:
    from engine.config.run import RunConfig

EXAMPLES = (
    "Examples: fastadv run digits · fastadv run cifar --eps 8 --set model.width=16 --epochs 10 · "
    "fastadv show last --toml > a.toml; fastadv run --config a.toml --seed 1"
)


def register(app: typer.Typer) -> None:
    app.command(epilog=EXAMPLES)(run)


@run_options
def run(
    asked: Asked,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the run's events as JSON, one object per line.")
    ] = False,
    detach: Annotated[bool, typer.Option("--detach", help="Start the run, print its id, and return.")] = False,
    slots: Slots = 1,
    tag: Tags = None,
) -> None:
    """Train a robust classifier and record the run in the history."""
    from fastadv_tui.launch.submission import configure, readings

    config = configure(asked.dataset, asked.settings, asked.preset)
    for reading in readings(asked.settings):
        print(reading, file=sys.stderr)
    raise typer.Exit(start(config, slots, as_json, detach, tag or ()))


def start(config: "RunConfig", slots: int, as_json: bool, detach: bool, tags: Sequence[str] = ()) -> int:
    """Check, submit and, unless detached, follow a run. Returns the exit code."""
    from fastadv_tui.history.notes import Notes, encoded, new_tags
    from fastadv_tui.launch.submission import scaled_phases, understood
    from fastadv_tui.runs.create import create_run
    from fastadv_tui.runs.submit import submit_run
    from fastadv_tui.runs.warm_engine import WarmEngine
    from fastadv_tui.terminal import run_display
    from fastadv_tui.terminal.follow import Interrupts, follow_to_end, say_begun, update_history

    print(understood(config), file=sys.stderr)
    if scaling := scaled_phases(config):
        print(scaling, file=sys.stderr)
    notes = encoded(Notes(tags=new_tags(tags))) if tags else b""
    with ExitStack() as stack:
        with WarmEngine(config) as engine:
            engine.check()
            rundir = create_run(config, sys.argv, slots=slots, notes=notes)
            interrupts = stack.enter_context(Interrupts())  # from here on a Ctrl-C must stop the run: it trains at once
            submit_run(rundir, engine.supervise(rundir))
        if detach:
            print(rundir.id, flush=True)
        update_history(rundir)
        if not detach:
            return follow_to_end(rundir, run_display.choose(as_json), may_stop=True, begun=interrupts)
    say_begun(rundir)
    return ExitCode.DONE
