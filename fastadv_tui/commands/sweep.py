"""`sweep`: submits a grid of runs as a group."""

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from fastadv_tui.commands import completion
from fastadv_tui.commands.arguments import Slots
from fastadv_tui.commands.run_options import Asked, run_options
from fastadv_tui.launch.confirm import MAX_UNCONFIRMED

if TYPE_CHECKING:
    from engine.config.run import RunConfig

EXAMPLES = (
    "Examples: fastadv sweep cifar --grid eps=2,4,8 --grid method.name=fgsm,pgd --seeds 0-2 · "
    "fastadv sweep cifar --epochs 10 --seeds 0-4 --tag baseline"
)


def register(app: typer.Typer) -> None:
    app.command(epilog=EXAMPLES)(sweep)


@run_options
def sweep(
    asked: Asked,
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
    tag: Annotated[
        list[str] | None,
        typer.Option(help="Tag of all runs of the sweep; may be repeated; default: a new random tag."),
    ] = None,
    slots: Slots = 1,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask for confirmation, however many runs there are.")
    ] = False,
) -> None:
    """Submit one run for each combination of the values. The runs queue and start by themselves."""
    from fastadv_tui.history.notes import new_tags
    from fastadv_tui.launch.group import submit_group
    from fastadv_tui.launch.submission import parse_pairs, readings, scaled_phases, sweep_tag
    from fastadv_tui.runs import engine_client
    from fastadv_tui.terminal.output import print_notices

    configs = configs_of(asked, axes or (), seeds)
    for scaling in sorted({scaled_phases(config) for config in configs} - {""}):
        print(scaling, file=sys.stderr)
    for reading in readings({**asked.settings, **parse_pairs(axes or ())}):
        print(reading, file=sys.stderr)
    tags = new_tags(tag) if tag else [sweep_tag()]
    print(f"{len(configs)} run(s), tagged {' '.join(tags)}", file=sys.stderr)
    if len(configs) > MAX_UNCONFIRMED and not yes:
        typer.confirm("start them?", abort=True, err=True)
    engine_client.check_all(configs)
    print_notices(submit_group(configs, sys.argv, tags, slots, queued=lambda rundir: print(rundir.id, flush=True)))


def configs_of(asked: Asked, axes: Iterable[str], seeds: str | None) -> "list[RunConfig]":
    """The configurations of a sweep. axes: words `key=A,B`. Raises: ConfigError."""
    from fastadv_tui.launch.submission import configure, grid, merge, parse_pairs

    configs = []
    for chosen in grid(parse_pairs(axes), seeds):
        typed = dict(asked.typed)
        merge(typed, chosen)
        configs.append(configure(asked.dataset, {**asked.file, **typed}, asked.preset))
    return configs
