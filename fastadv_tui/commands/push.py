"""`push`: sends the network of a run to the Hugging Face Hub."""

import sys
from typing import Annotated

import typer

from fastadv_tui.commands.arguments import Run


def register(app: typer.Typer) -> None:
    app.command(epilog="Example: fastadv push last rice/preact-fgsm --license mit --public")(push)


def push(
    run: Run,
    repo: Annotated[str, typer.Argument(metavar="USER/REPO", help="The repository; created if it does not exist.")],
    license_: Annotated[str, typer.Option("--license", help="Licence as the Hub names it, e.g. mit.")] = "unknown",
    which: Annotated[str, typer.Option(help="Checkpoint: last or best.")] = "last",
    public: Annotated[
        bool, typer.Option("--public", help="Let everybody see a new repository. Default: only you.")
    ] = False,
) -> None:
    """Send the weights of a run, and a model card with its results, to the Hugging Face Hub.

    Needs the extra `hub`, and the token of `hf auth login` or HF_TOKEN. `fastadv eval hf:USER/REPO` takes it from
    there.
    """
    from fastadv_tui.fetch.hub import parse_repo
    from fastadv_tui.history.index import History
    from fastadv_tui.history.selection import run_folder
    from fastadv_tui.publish import hub_push

    parse_repo(repo)  # before torch is started
    row = History().find(run)
    address = hub_push.push(run_folder(row.id), row, repo, license_, which, public)
    print(f"evaluate it anywhere: fastadv eval hf:{repo}", file=sys.stderr)
    print(address)
