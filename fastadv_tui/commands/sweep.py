"""`sweep`: a grid of runs, submitted as a group."""

import sys
from typing import Annotated

import typer

from fastadv_tui.commands import completion
from fastadv_tui.commands.arguments import Dataset, Set
from fastadv_tui.errors import UserError

MANY = 8  # runs that are started without asking


def register(app: typer.Typer) -> None:
    app.command(epilog="Example: fastadv sweep cifar --grid eps=2,4,8 --grid method=fgsm,pgd --seeds 0-2")(sweep)


def sweep(
    dataset: Dataset,
    axes: Annotated[
        list[str] | None,
        typer.Option(
            "--grid", metavar="KEY=A,B", help="Values to try; may be repeated.", autocompletion=completion.settings
        ),
    ] = None,
    seeds: Annotated[str | None, typer.Option(help="Seeds: 0-2 or 0,3,7.")] = None,
    settings: Set = None,
    preset: Annotated[str | None, typer.Option(help="Recipe to start from.", autocompletion=completion.presets)] = None,
    data_dir: Annotated[str | None, typer.Option(help="Folder of the data sets.")] = None,
    tag: Annotated[str | None, typer.Option(help="Tag of the group; made up if not given.")] = None,
    slots: Annotated[int, typer.Option(min=1, help="Runs that may share the device at a time.")] = 1,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask, however many runs it is.")] = False,
) -> None:
    """Submit one run for every combination of the values; they queue and start by themselves."""
    import secrets

    from fastadv_tui.history.index import History
    from fastadv_tui.launch.submission import configure, grid, merge, parse_pairs
    from fastadv_tui.runs import control, engine_client
    from fastadv_tui.runs.create import create_run

    configs = []
    for chosen in grid(parse_pairs(axes or ()), seeds):
        typed: dict[str, str | None] = {"data_dir": data_dir}
        merge(typed, parse_pairs(settings or ()))
        merge(typed, chosen)
        configs.append(configure(dataset, typed, preset))
    group = tag or f"sweep-{secrets.token_hex(2)}"
    print(f"{len(configs)} run(s), tagged {group}", file=sys.stderr)
    if len(configs) > MANY and not yes:
        typer.confirm("start them?", abort=True, err=True)
    for config in engine_client.runs_to_check(configs):
        engine_client.check(config)
    history, untagged = History(), ""
    for config in configs:
        rundir = create_run(config, sys.argv, slots=slots)
        control.spawn(rundir)
        print(rundir.id, flush=True)
        try:
            history.edit(rundir, lambda notes: notes.tags.append(group))
        except UserError as error:
            untagged = str(error)
    if untagged:
        raise UserError(f"all runs were submitted, but not all were written down: {untagged}")
