"""`export`: gives the events of runs, or the network of a run, to other programs."""

from pathlib import Path
from typing import Annotated

import typer

from fastadv_tui.commands.arguments import Filter, Runs
from fastadv_tui.errors import UserError

OF_ONE_RUN = ("onnx", "robustbench", "card")  # formats of the network of one run; the others hold events of any runs
UNKNOWN = "unknown"  # the Hub's word for a licence that nobody has named
EXAMPLES = (
    "Examples: fastadv export last --format csv > events.csv · "
    "fastadv export --filter tag:paper --format tensorboard -o logs · "
    "fastadv export last --weights model.safetensors · fastadv export last --format robustbench -o mine"
)


def register(app: typer.Typer) -> None:
    app.command(epilog=EXAMPLES)(export)


def export(
    runs: Runs = None,
    filter_: Filter = "",
    form: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help="jsonl (default): all events. csv or parquet: training steps and evaluation results only. "
            "tensorboard: a folder of event files for each run. corruptions: results on corrupted images, as csv. For "
            "the network of one run: onnx; robustbench, a folder with weights, model_info and a Python file that needs "
            "torch only; card, a model card in Markdown.",
        ),
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write the weights of one run to FILE.safetensors, .pt or .pth, under common names."
        ),
    ] = None,
    out: Annotated[
        str,
        typer.Option(
            "-o",
            "--out",
            metavar="PATH",
            help="File to write, or the folder of tensorboard or robustbench. Without it, jsonl, csv, corruptions and "
            "card are printed; the others have a name of their own, or ask for one.",
        ),
    ] = "",
    which: Annotated[str, typer.Option(help="Checkpoint of the network: last or best.")] = "last",
    dtype: Annotated[str, typer.Option(help="Numbers in the file of --weights: fp32, fp16 or bf16.")] = "fp32",
    license_: Annotated[
        str, typer.Option("--license", help="Licence in the header of a card, as the Hub names it, e.g. mit.")
    ] = UNKNOWN,
) -> None:
    """Print or write the events of runs, each beginning with the id of its run; or write the network of a run.

    Format parquet needs pyarrow: pip install 'fastadv\\[parquet]'. No format needs TensorBoard.
    """
    from fastadv_tui.history.selection import run_folder, selected_ids
    from fastadv_tui.paths import typed_path
    from fastadv_tui.terminal.export_formats import check_format, export_events

    if weights and (form or out):
        raise UserError("--weights FILE names the format and the file; leave out --format and -o")
    form = "weights" if weights else form or "jsonl"
    _refuse_idle_options(form, which, dtype, license_)
    if form in (*OF_ONE_RUN, "weights"):
        from fastadv_tui.publish.write import export_network

        export_network(
            selected_ids(runs or (), filter_), form, weights or (Path(out) if out else None), which, dtype, license_
        )
        return
    check_format(form, bool(out), others=OF_ONE_RUN)
    folders = [run_folder(run_id) for run_id in selected_ids(runs or (), filter_)]
    export_events(folders, form, typed_path(out) if out else None)


def _refuse_idle_options(form: str, which: str, dtype: str, license_: str) -> None:
    """Raises: UserError, if an option was typed that has no effect on this form."""
    if dtype != "fp32" and form != "weights":
        raise UserError("--dtype is for --weights; leave it out")
    if license_ != UNKNOWN and form != "card":
        raise UserError("--license is for --format card; leave it out")
    if which != "last" and form not in (*OF_ONE_RUN, "weights"):
        raise UserError("--which is for the network of a run; leave it out")
