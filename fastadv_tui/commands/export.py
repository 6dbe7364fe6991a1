"""`export`: prints the events of runs for other programs, or writes the network of a run for them."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from fastadv_tui.commands.arguments import Filter, Runs
from fastadv_tui.errors import UserError

OF_ONE_RUN = ("onnx", "robustbench", "card")  # formats of the network of one run; the others print events of any runs
UNKNOWN = "unknown"  # the Hub's word for a licence that nobody has named
EXAMPLES = (
    "Examples: fastadv export last --format csv > events.csv · fastadv export last --weights model.safetensors · "
    "fastadv export last --format robustbench -o mine"
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
            metavar="[jsonl|csv|corruptions|onnx|robustbench|card]",
            help="Set the output format: jsonl (all events), csv (training steps and evaluation results only), "
            "corruptions (results on corrupted images, as csv); for the network of one run: onnx, robustbench (a folder: "
            "weights, a Python file that needs torch only, model_info), or card (a model card in Markdown). Default: jsonl.",
        ),
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write the weights of one run to FILE.safetensors, .pt or .pth, under common names."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "-o", "--out", help="File or folder of onnx, robustbench or card. Default: ID.onnx, ID-robustbench, stdout."
        ),
    ] = None,
    which: Annotated[str, typer.Option(help="Checkpoint of the network: last or best.")] = "last",
    dtype: Annotated[str, typer.Option(help="Numbers in the file of --weights: fp32, fp16 or bf16.")] = "fp32",
    license_: Annotated[
        str, typer.Option("--license", help="Licence in the header of a card, as the Hub names it, e.g. mit.")
    ] = UNKNOWN,
) -> None:
    """Print the events of runs, each beginning with the id of its run; or write the network of a run."""
    from fastadv_tui.history.selection import run_folder, selected_ids
    from fastadv_tui.terminal.event_export import EXPORTS

    if weights and (form or out):
        raise UserError("--weights FILE names the format and the file; leave out --format and -o")
    form = "weights" if weights else form or "jsonl"
    _refuse_idle_options(form, which, dtype, license_)
    if form not in (*EXPORTS, *OF_ONE_RUN, "weights"):
        raise UserError(f"--format {form!r}: use {', '.join((*EXPORTS, *OF_ONE_RUN))}")
    ids = selected_ids(runs or (), filter_)
    if form in EXPORTS:
        if out:
            raise UserError(f"--format {form} prints to standard output: leave out -o, and type > {out}")
        EXPORTS[form]([run_folder(run_id) for run_id in ids], sys.stdout)
        return
    from fastadv_tui.publish.write import export_network

    export_network(ids, form, weights or out, which, dtype, license_)


def _refuse_idle_options(form: str, which: str, dtype: str, license_: str) -> None:
    """Raises: UserError, if an option was typed that has no effect on this form."""
    if dtype != "fp32" and form != "weights":
        raise UserError("--dtype is for --weights; leave it out")
    if license_ != UNKNOWN and form != "card":
        raise UserError("--license is for --format card; leave it out")
    if which != "last" and form not in (*OF_ONE_RUN, "weights"):
        raise UserError("--which is for the network of a run; leave it out")
