"""`sweep`: submits a grid of runs as a group."""

import sys
from typing import Annotated

import typer

from fastadv_tui.commands import completion
from fastadv_tui.commands.arguments import Dataset, Set

MAX_UNCONFIRMED = 8  # a sweep of more runs asks for confirmation


def register(app: typer.Typer) -> None:
    app.command(epilog="Example: fastadv sweep cifar --grid eps=2,4,8 --grid method.name=fgsm,pgd --seeds 0-2")(sweep)


def sweep(
    dataset: Dataset,
    axes: Annotated[
        list[str] | None,
        typer.Option(
            "--grid",
            metavar="KEY=A,B",
            help="Try several values of a setting, e.g. method.name=fgsm,pgd; may be repeated.",
            autocompletion=completion.settings,
        ),
    ] = None,
    seeds: Annotated[str | None, typer.Option(help="Seeds to try: 0-2 or 0,3,7.")] = None,
    settings: Set = None,
    preset: Annotated[
        str | None,
        typer.Option(help="Preset whose settings the runs start from.", autocompletion=completion.presets),
    ] = None,
    data_dir: Annotated[str | None, typer.Option(help="Folder of the data sets; default: $FASTADV_HOME/data.")] = None,
    tag: Annotated[str | None, typer.Option(help="Tag of all runs of the sweep; default: a new random tag.")] = None,
    slots: Annotated[
        int,
        typer.Option(
            min=1,
            help="Number of runs that may use the device at the same time. Give all of these runs the same number.",
        ),
    ] = 1,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask for confirmation, however many runs there are.")
    ] = False,
) -> None:
    """Submit one run for each combination of the values. The runs queue and start by themselves."""
    from fastadv_tui.launch.group import submit_group
    from fastadv_tui.launch.submission import configure, grid, merge, parse_pairs, scaled_phases, sweep_tag
    from fastadv_tui.runs import engine_client
    from fastadv_tui.terminal.output import print_notices

    configs = []
    for chosen in grid(parse_pairs(axes or ()), seeds):
        typed: dict[str, str | None] = {"data_dir": data_dir}
        merge(typed, parse_pairs(settings or ()))
        merge(typed, chosen)
        configs.append(configure(dataset, typed, preset))
    for scaling in sorted({scaled_phases(config) for config in configs} - {""}):
        print(scaling, file=sys.stderr)
    group = tag or sweep_tag()
    print(f"{len(configs)} run(s), tagged {group}", file=sys.stderr)
    if len(configs) > MAX_UNCONFIRMED and not yes:
        typer.confirm("start them?", abort=True, err=True)
    for config in engine_client.runs_to_check(configs):
        engine_client.check(config)
    print_notices(submit_group(configs, sys.argv, [group], slots, queued=lambda rundir: print(rundir.id, flush=True)))
