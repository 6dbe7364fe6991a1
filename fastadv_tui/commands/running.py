"""`run`, `sweep`, `watch`, `stop`, `resume`: the life of a run."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from engine.config.run import RunConfig
from engine.protocol.rundir import RunDir
from fastadv_tui.text.sanitize import line
from fastadv_tui.text.tail import tail

if TYPE_CHECKING:
    from fastadv_tui.display import Display

LOG_TAIL = 20  # lines shown of the log of a run that failed
METHODS = "standard, fgsm, pgd or free"
DATASETS = "digits, cifar (cifar10), cifar100, mnist, imagenet or imagefolder:PATH"
Dataset = Annotated[str, typer.Argument(help=f"Data set: {DATASETS}.", show_default=False)]
Set = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Any other setting; may be repeated.")
]
Run = Annotated[str, typer.Argument(metavar="RUN", help="A unique prefix of a run's id, or `last`.")]


def register(app: typer.Typer) -> None:
    app.command(epilog="Examples: fastadv run digits · fastadv run cifar --eps 8 --set model.width=16 --epochs 10")(run)
    app.command(epilog="Example: fastadv watch last")(watch)
    app.command(epilog="Example: fastadv stop last")(stop)
    app.command(epilog="Example: fastadv resume last")(resume)


def run(
    dataset: Dataset,
    model: Annotated[str | None, typer.Option(help="Network, e.g. preact-resnet18, or torchvision's resnet50.")] = None,
    method: Annotated[str | None, typer.Option(help=f"How training examples are perturbed: {METHODS}.")] = None,
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
    preset: Annotated[str | None, typer.Option(help="Recipe to start from, e.g. wong2020.")] = None,
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
    from fastadv_tui.submission import configure, merge, parse_pairs

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


def start(config: RunConfig, slots: int, as_json: bool, detach: bool) -> int:
    """Check, submit and, unless detached, follow a run; returns the exit code."""
    from fastadv_tui import display
    from fastadv_tui.runs import control, create, engine_client
    from fastadv_tui.submission import understood

    print(understood(config), file=sys.stderr)
    engine_client.check(config)
    rundir = create.create(config, sys.argv, slots=slots)
    control.spawn(rundir)
    if detach:
        print(rundir.id, flush=True)
    _remember(rundir)
    if detach:
        print(f"started; `fastadv watch {rundir.id}` shows it", file=sys.stderr)
        return 0
    return _follow(rundir, display.choose(as_json), may_stop=True)


def watch(run: Run, as_json: Annotated[bool, typer.Option("--json", help="Print the events.")] = False) -> None:
    """Show a run as `run` shows it; Ctrl-C ends only the watching."""
    from fastadv_tui import display
    from fastadv_tui.runs.find import find_run

    raise typer.Exit(_follow(find_run(run), display.choose(as_json), may_stop=False))


def stop(
    run: Run,
    now: Annotated[bool, typer.Option("--now", help="Kill it; work since the last checkpoint is lost.")] = False,
) -> None:
    """Ask a run to save and end; a queued run is cancelled."""
    from fastadv_tui.runs import control
    from fastadv_tui.runs.find import find_run

    rundir = find_run(run)
    control.stop(rundir, now=now)
    print(f"{rundir.id}: asked to stop; `fastadv resume {rundir.id}` goes on with it", file=sys.stderr)


def resume(
    run: Run,
    as_json: Annotated[bool, typer.Option("--json", help="Print the events.")] = False,
    detach: Annotated[bool, typer.Option("--detach", help="Start it and return.")] = False,
) -> None:
    """Go on with a stopped, failed or lost run from its last checkpoint."""
    from fastadv_tui import display
    from fastadv_tui.history.index import History
    from fastadv_tui.runs import control
    from fastadv_tui.runs.find import find_run

    rundir = find_run(run)
    History().record(rundir)  # where that cannot be written, a row that says "stopped" would be believed for ever
    control.resume(rundir)
    _remember(rundir)
    if detach:
        print(rundir.id)
        return
    raise typer.Exit(_follow(rundir, display.choose(as_json), may_stop=True))


def _follow(rundir: RunDir, display: "Display", may_stop: bool) -> int:
    """Follow a run, bring its history row up to date, and say how it ended."""
    from fastadv_tui.follow import follow

    display.note(f"run {rundir.id}, in {rundir.path}")
    try:
        code, verdict = follow(rundir, display, may_stop)
    finally:
        display.close()
    _remember(rundir)
    if not verdict.live and verdict.status != "done":
        print(f"{rundir.id} {verdict.status}{f': {line(verdict.reason)}' if verdict.reason else ''}", file=sys.stderr)
    if verdict.status in ("failed", "lost"):
        _show_log(rundir)
    if verdict.status in ("stopped", "failed", "lost") and may_stop:
        print(f"`fastadv resume {rundir.id}` goes on from the last checkpoint", file=sys.stderr)
    return code


def _remember(rundir: RunDir) -> None:
    """Bring the history up to date; that it cannot be written changes nothing of the run."""
    from fastadv_tui.commands.looking import tell
    from fastadv_tui.history.index import History

    history = History()
    history.bring_up_to_date(rundir)
    tell(history.notices)


def _show_log(rundir: RunDir) -> None:
    lines = tail(rundir.log, LOG_TAIL)
    for text in lines:
        print(f"  {line(text)}", file=sys.stderr)
    print(f"the log is {rundir.log}", file=sys.stderr)
