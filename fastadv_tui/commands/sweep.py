"""`sweep`: submits a grid of runs as a group."""

import sys
from typing import Annotated

import typer

from fastadv_tui.commands import completion
from fastadv_tui.commands.arguments import Dataset, Set
from fastadv_tui.errors import UserError

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
    import secrets

    from fastadv_tui.history.index import History
    from fastadv_tui.launch.submission import configure, grid, merge, parse_pairs, scaled_phases
    from fastadv_tui.runs import control, engine_client
    from fastadv_tui.runs.create import create_run

    configs = []
    for chosen in grid(parse_pairs(axes or ()), seeds):
        typed: dict[str, str | None] = {"data_dir": data_dir}
        merge(typed, parse_pairs(settings or ()))
        merge(typed, chosen)
        configs.append(configure(dataset, typed, preset))
    for scaling in sorted({scaled_phases(config) for config in configs} - {""}):
        print(scaling, file=sys.stderr)
    group = tag or f"sweep-{secrets.token_hex(2)}"
    print(f"{len(configs)} run(s), tagged {group}", file=sys.stderr)
    if len(configs) > MAX_UNCONFIRMED and not yes:
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
        raise UserError(
            f"all runs were submitted, but not every tag and history row was written: {untagged}; do not submit the "
            f"sweep again: `fastadv reindex` writes the rows, and `fastadv tag RUN {group}` adds the tag"
        )
