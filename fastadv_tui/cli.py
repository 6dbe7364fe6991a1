"""The command line. Commands are thin; what they need is imported when they run, so that every start is quick."""

from collections.abc import Sequence
from importlib import import_module
from typing import Annotated

import typer

EPILOG = "Start with `fastadv run digits`: real data, no download, under a minute."

app = typer.Typer(
    name="fastadv",
    help="Fast adversarial training: launch, supervise, watch and compare runs.",
    epilog=EPILOG,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
COMMANDS = (  # each a module of fastadv_tui.commands, in the order in which --help shows them
    "run", "watch", "stop", "resume", "sweep", "runs", "show", "logs", "export", "compare", "eval", "prepare", "tag",
    "note", "rm", "prune", "reindex", "serve", "settings", "presets", "doctor",
)  # fmt: skip


def register(words: Sequence[str]) -> None:
    """Load the module of the command that is asked for, or all of them when it is not clear which one that is."""
    if words[:1] == ["--version"]:
        return  # answered before any command is looked for
    asked = [name for name in COMMANDS if name in words[:1]]
    for module in asked or COMMANDS:
        import_module(f"fastadv_tui.commands.{module}").register(app)


def _version(wanted: bool) -> None:
    if wanted:
        from engine.protocol.provenance import package_version

        print(f"fastadv {package_version()}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def common(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    readonly: Annotated[bool, typer.Option("--readonly", help="A dashboard that only looks.")] = False,
) -> None:
    """Fast adversarial training: launch, supervise, watch and compare runs. Without a command: the dashboard."""
    if context.invoked_subcommand is None:
        from fastadv_tui.dashboard.open import open_dashboard

        open_dashboard(readonly)


def run(words: Sequence[str]) -> None:
    """Run a command line. Raises: UserError, which `fastadv_tui.__main__` says in one line."""
    register(words)
    app()
