"""The command line. Commands are thin; what they need is imported when they run, so that every start is quick."""

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated

import typer

EPILOG = "Start with `fastadv run digits`: real data, no download, under a minute."

NAME = "fastadv"
app = typer.Typer(
    name=NAME,
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


def _version(context: typer.Context, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:  # which it is while a shell completes the words behind it
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
    app(prog_name=NAME)


def complete(variable: str) -> None:
    """Answer a shell that asks, by an environment variable of this name, what could stand at the cursor.

    Raises: SystemExit, always. Whatever is wrong, nothing is said: a traceback has no place in a line being typed.
    """
    sys.modules["rich"] = None  # type: ignore[assignment] # Typer would load it, 0.1 s, to take markup out of our help
    try:
        _register_for(words_before_cursor())
        app(prog_name=NAME, complete_var=variable)
    except Exception:
        sys.exit(1)


def _register_for(words: Sequence[str]) -> None:
    """Load the one command whose words are completed; to complete the name of a command, none needs to be loaded."""
    if words[:1] and words[0] in COMMANDS:
        register(words)
        return
    for name in COMMANDS:
        app.command(name)(_nothing)


def _nothing() -> None:
    pass  # stands for a command; a docstring would be shown as what the command does


def words_before_cursor() -> list[str]:
    """The words behind `fastadv` that are typed to their end, as Typer's shell functions hand them over."""
    line = os.environ.get("_TYPER_COMPLETE_ARGS") or os.environ.get("COMP_WORDS", "")
    words = line.split()[1:]
    return words if line[-1:].isspace() else words[:-1]
