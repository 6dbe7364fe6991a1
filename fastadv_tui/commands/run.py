"""`run`: trains a robust classifier."""

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
            help="Network to train, e.g. preact-resnet18, or torchvision's resnet50.",
            autocompletion=completion.networks,
        ),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(
            help=f"Method that perturbs the training examples: {_methods()}.", autocompletion=completion.methods
        ),
    ] = None,
    eps: Annotated[
        str | None,
        typer.Option(
            help="Radius of the l-infinity ball: 8 or 8/255. A number below 1, such as 0.3, is on the [0,1] scale."
        ),
    ] = None,
    alpha: Annotated[
        str | None, typer.Option(help="Step size of the training attack, typed like eps; default: follows from eps.")
    ] = None,
    epochs: Annotated[str | None, typer.Option(help="Number of passes over the training data.")] = None,
    batch_size: Annotated[str | None, typer.Option(help="Number of images in a minibatch.")] = None,
    seed: Annotated[str | None, typer.Option(help="Seed of initial weights, data order and noise.")] = None,
    precision: Annotated[
        str | None, typer.Option(help="Floating-point format of training: auto, fp32, bf16 or fp16.")
    ] = None,
    compiling: Annotated[
        str | None, typer.Option("--compile", help="Use torch.compile: auto (for long runs), on or off.")
    ] = None,
    device: Annotated[str | None, typer.Option(help="Device to train on: auto, cpu or cuda:N.")] = None,
    data_dir: Annotated[str | None, typer.Option(help="Folder of the data sets; default: $FASTADV_HOME/data.")] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            help="Preset whose settings the run starts from, e.g. wong2020.", autocompletion=completion.presets
        ),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Display name of the run.")] = None,
    evaluation: Annotated[
        str | None,
        typer.Option(
            "--eval", help="Attack of the final evaluation: auto, none, pgd-50-10 or another pgd-STEPS[-RESTARTS]."
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the run's events as JSON, one object per line.")
    ] = False,
    detach: Annotated[bool, typer.Option("--detach", help="Start the run, print its id, and return.")] = False,
    slots: Annotated[
        int,
        typer.Option(
            min=1,
            help="Number of runs that may use the device at the same time. Give all of these runs the same number.",
        ),
    ] = 1,
    settings: Set = None,
) -> None:
    """Train a robust classifier and record the run in the history."""
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
    """Check, submit and, unless detached, follow a run. Returns the exit code."""
    from fastadv_tui.launch.submission import scaled_phases, understood
    from fastadv_tui.runs import engine_client
    from fastadv_tui.runs.create import create_run
    from fastadv_tui.runs.submit import submit_run
    from fastadv_tui.terminal import run_display
    from fastadv_tui.terminal.follow import follow_to_end, say_begun, update_history

    print(understood(config), file=sys.stderr)
    if scaling := scaled_phases(config):
        print(scaling, file=sys.stderr)
    engine_client.check(config)
    rundir = create_run(config, sys.argv, slots=slots)
    submit_run(rundir)
    if detach:
        print(rundir.id, flush=True)
    update_history(rundir)
    if detach:
        say_begun(rundir)
        return ExitCode.DONE
    return follow_to_end(rundir, run_display.choose(as_json), may_stop=True)
