"""`run`: train a robust classifier."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from engine.config.methods import methods
from engine.protocol.exit_code import ExitCode
from fastadv_tui.commands import completion
from fastadv_tui.commands.arguments import Dataset, Set

if TYPE_CHECKING:
    from engine.config.run import RunConfig


def register(app: typer.Typer) -> None:
    app.command(epilog="Examples: fastadv run digits · fastadv run cifar --eps 8 --set model.width=16 --epochs 10")(run)


def _methods() -> str:
    *first, last = methods()
    return f"{', '.join(first)} or {last}"


def run(
    dataset: Dataset,
    model: Annotated[
        str | None,
        typer.Option(
            help="Network, e.g. preact-resnet18, or torchvision's resnet50.", autocompletion=completion.networks
        ),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(help=f"How training examples are perturbed: {_methods()}.", autocompletion=completion.methods),
    ] = None,
    eps: Annotated[
        str | None, typer.Option(help="Radius of the l-infinity ball: 8 (means 8/255), 8/255 or 0.3.")
    ] = None,
    alpha: Annotated[str | None, typer.Option(help="Step size of the training attack, as eps; follows eps.")] = None,
    epochs: Annotated[str | None, typer.Option(help="Passes over the training data.")] = None,
    batch_size: Annotated[str | None, typer.Option(help="Images in a minibatch.")] = None,
    seed: Annotated[str | None, typer.Option(help="Seed of weights, data order and noise.")] = None,
    precision: Annotated[str | None, typer.Option(help="auto, fp32, bf16 or fp16.")] = None,
    compiling: Annotated[str | None, typer.Option("--compile", help="auto, on or off.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu or cuda:N.")] = None,
    data_dir: Annotated[str | None, typer.Option(help="Folder of the data sets; default $FASTADV_HOME/data.")] = None,
    preset: Annotated[
        str | None, typer.Option(help="Recipe to start from, e.g. wong2020.", autocompletion=completion.presets)
    ] = None,
    name: Annotated[str | None, typer.Option(help="A name for your eyes.")] = None,
    evaluation: Annotated[
        str | None,
        typer.Option("--eval", help="Final evaluation: auto, none, pgd-50-10 or another pgd-STEPS[-RESTARTS]."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the events, one JSON object a line.")] = False,
    detach: Annotated[bool, typer.Option("--detach", help="Start it, print its id, and return.")] = False,
    slots: Annotated[int, typer.Option(min=1, help="Runs that may share the device at a time.")] = 1,
    settings: Set = None,
) -> None:
    """Train a robust classifier and remember the run."""
    from fastadv_tui.launch.submission import configure, merge, parse_pairs

    typed: dict[str, str | None] = {
        "model.name": model,
        "method.name": method,
        "eps": eps,
        "method.alpha": alpha,
        "epochs": epochs,
        "batch_size": batch_size,
        "seed": seed,
        "precision": precision,
        "compile": compiling,
        "device": device,
        "data_dir": data_dir,
        "name": name,
        "eval.attack": evaluation,
    }
    merge(typed, parse_pairs(settings or ()))
    config = configure(dataset, typed, preset)
    raise typer.Exit(start(config, slots, as_json, detach))


def start(config: "RunConfig", slots: int, as_json: bool, detach: bool) -> int:
    """Check, submit and, unless detached, follow a run; returns the exit code."""
    from fastadv_tui.launch.submission import understood
    from fastadv_tui.runs import control, engine_client
    from fastadv_tui.runs.create import create_run
    from fastadv_tui.terminal import run_display
    from fastadv_tui.terminal.follow import follow_to_end, remember

    print(understood(config), file=sys.stderr)
    engine_client.check(config)
    rundir = create_run(config, sys.argv, slots=slots)
    control.spawn(rundir)
    if detach:
        print(rundir.id, flush=True)
    remember(rundir)
    if detach:
        print(f"started; `fastadv watch {rundir.id}` shows it", file=sys.stderr)
        return ExitCode.DONE
    return follow_to_end(rundir, run_display.choose(as_json), may_stop=True)
