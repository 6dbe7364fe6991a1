"""`eval`: measures the robust accuracy of a run's weights, or of a file of weights trained elsewhere."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.protocol.exit_code import ExitCode
from engine.protocol.rundir import RunDir
from fastadv_tui.commands import completion
from fastadv_tui.commands.arguments import RUN_HELP, Filter
from fastadv_tui.errors import UserError
from fastadv_tui.text.sanitize import one_line

if TYPE_CHECKING:
    from engine.protocol.requests import EvalRequest

EXAMPLES = (
    "Examples: fastadv eval last --eps 2,4,8 · fastadv eval --filter tag:paper --attack pgd-50-10 · "
    "fastadv eval weights.pt --model preact-resnet18 --dataset cifar --eps 8 --attack pgd-50-10 --limit 1000"
)


def register(app: typer.Typer) -> None:
    app.command("eval", epilog=EXAMPLES)(eval_)


def eval_(
    targets: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="FILE|RUN...",
            help=f"State dicts (PyTorch, safetensors, gzip or shards), hf:USER/REPO[:FILE] of the Hub, zoo:NAME of "
            f"RobustBench, or runs, each by {RUN_HELP}.",
            autocompletion=completion.runs,
        ),
    ] = None,
    filter_: Filter = "",
    model: Annotated[
        str | None, typer.Option(help="Network that the weights in FILE belong to.", autocompletion=completion.networks)
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Option(
            help="Data set to evaluate on; required for a FILE that does not name it.",
            autocompletion=completion.datasets,
        ),
    ] = None,
    eps: Annotated[
        str | None,
        typer.Option(
            help="Radius of the ball, or several: 2,4,8 (8 means 8/255; with norm l2, type plain numbers, as 0.5). "
            "Default: the run's eps, or for a FILE the eps in the preset of the data set."
        ),
    ] = None,
    norm: Annotated[
        str | None,
        typer.Option(
            help="Norm of the threat model; default: the run's, or linf for a FILE. "
            "Norm l2 needs --eps, unless it is the run's.",
            metavar=completion.choices_of("norm"),
        ),
    ] = None,
    attack: Annotated[
        str | None,
        typer.Option(
            help="Attack: pgd-STEPS[-RESTARTS], aa-quick or aa (AutoAttack); default: the run's eval.attack, or "
            "pgd-50-10 for a FILE."
        ),
    ] = None,
    limit: Annotated[
        str | None,
        typer.Option(
            help="Number of test images, from the first; 0: all, but 1,000 on "
            "a CPU if the attack is auto (the default)."
        ),
    ] = None,
    normalize: Annotated[
        str | None,
        typer.Option(
            help="Input normalisation of the network in FILE: none, dataset (the data set's mean and std) or MEAN/STD; "
            "default: the mean and std in the file, else dataset."
        ),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(help="Set of weights in FILE, e.g. state_dict_ema, or module in it; default: one that fits."),
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show which tensor of FILE went where in the network.")
    ] = False,
    which: Annotated[
        str,
        typer.Option(
            help="Checkpoint of a RUN: last, or best (end of the last epoch without catastrophic overfitting)."
        ),
    ] = "last",
    seed: Annotated[str | None, typer.Option(help="Seed of the attack's random starts.")] = None,
    device: Annotated[str | None, typer.Option(help="Device to compute on: auto, cpu or cuda:N.")] = None,
    data_dir: Annotated[str | None, typer.Option(help="Folder of the data sets; default: $FASTADV_HOME/data.")] = None,
    corruptions: Annotated[
        str | None,
        typer.Option(
            metavar="PATH",
            help="Measure the accuracy on the corrupted images in this folder (CIFAR-10-C, CIFAR-100-C), in place of an"
            " attack; --limit is the number of images of each corruption and severity.",
        ),
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Ignore stored results and measure again.")] = False,
    detach: Annotated[
        bool, typer.Option("--detach", help="Put the evaluation of a RUN into the queue, and do not wait for it.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print progress and results as JSON, one object per line.")
    ] = False,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Set any other setting, e.g. model.width=16; may be repeated.",
            autocompletion=completion.settings,
        ),
    ] = None,
) -> None:
    """Measure the clean and robust accuracy of existing weights, one after another. Ctrl-C keeps the progress."""
    from fastadv_tui.history.selection import check_given, selected_ids
    from fastadv_tui.launch import eval_request
    from fastadv_tui.launch.submission import merge, parse_pairs, readings
    from fastadv_tui.terminal.each_run import for_each
    from fastadv_tui.terminal.slow_progress import SlowProgress

    typed: dict[str, str | None] = {
        "model.name": model,
        "norm": norm,
        "eval.attack": attack,
        "eval.images": limit,
        "seed": seed,
        "device": device,
        "data_dir": data_dir,
    }
    merge(typed, parse_pairs(settings or ()))
    check_given(targets or (), filter_)
    all_targets = targets or selected_ids((), filter_)
    told: set[str] = set()

    def measure(target: str) -> int:
        several = len(all_targets) > 1
        if several and not as_json:
            print(f"{one_line(target)}:", flush=True)
        with SlowProgress("downloading") as progress:
            request = eval_request.request(
                target, dataset, typed, eps, normalize, which, again, key, explain, corruptions, progress
            )
        if target.startswith("zoo:"):
            from fastadv_tui.fetch.zoo import published

            print(published(target.removeprefix("zoo:")), file=sys.stderr)
        for reading in {*readings({**typed, "norm": request.config.norm, "eps": eps})} - told:
            print(reading, file=sys.stderr)
            told.add(reading)
        if detach:
            _put_in_queue(request)
            return ExitCode.DONE
        return _measure(request, as_json, target if several else "")

    raise typer.Exit(for_each(all_targets, measure))


def _measure(request: "EvalRequest", as_json: bool, target: str) -> int:
    """Evaluate in the engine, on a free slot if there is one. target: of several. Returns the exit code."""
    from fastadv_tui.runs.evaluation_slot import evaluation_slot
    from fastadv_tui.terminal import answer_display
    from fastadv_tui.terminal.follow import update_history

    with evaluation_slot(request.config.device) as in_use:
        if in_use:
            print(f"fastadv: {in_use}", file=sys.stderr)
        code = answer_display.evaluate(request, as_json, target)
    if request.run and code == ExitCode.DONE:
        update_history(RunDir(Path(request.run)))  # the result is in the run directory now
    return code


def _put_in_queue(request: "EvalRequest") -> None:
    """Raises: UserError, if the weights are those of no run."""
    from fastadv_tui.runs.evaluation_jobs import run_of
    from fastadv_tui.runs.evaluation_submission import submit_evaluation

    if request.corruptions:
        raise UserError("--detach is for attacks; leave it out, or leave --corruptions out")
    if not request.run:
        raise UserError("--detach is for the weights of a run, which keeps the result; for a file, leave it out")
    submit_evaluation(request)
    name = run_of(request)
    text = f"{name}: evaluation queued; `fastadv show {name}` has the result, `fastadv stop {name}` stops it"
    print(text, file=sys.stderr)
