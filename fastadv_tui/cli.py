"""The command line. Each command imports what it needs only when it runs, so every start is fast."""

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from typing import Annotated

import typer
from typer.models import CommandInfo, TyperInfo

EPILOG = "Start with `fastadv run digits`: real data, no download, about a minute on a CPU."

NAME = "fastadv"
app = typer.Typer(
    name=NAME,
    help="Launch, supervise, watch and compare runs of fast adversarial training.",
    epilog=EPILOG,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
HEADINGS = {  # the modules of fastadv_tui.commands under the headings of --help, in its order
    "Train": ("run", "sweep", "rerun", "reproduce", "queue", "stop", "resume"),
    "Look at runs": ("runs", "top", "show", "watch", "logs", "compare"),
    "Evaluate and export": ("eval", "plot", "export"),
    "Keep order": ("tag", "note", "rm", "prune", "reindex"),
    "Data and machine": ("prepare", "doctor", "notify", "serve"),
    "Look up": ("settings", "presets"),
}
HEADING_OF = {name: heading for heading, names in HEADINGS.items() for name in names}
COMMANDS = tuple(HEADING_OF)


def register(words: Sequence[str]) -> None:
    """Load the module of the command that `words` begin with. If `words` begin with no command, load all modules."""
    if words[:1] == ["--version"]:
        return  # --version needs no command
    asked = [name for name in COMMANDS if name in words[:1]]
    for name in asked or COMMANDS:
        import_module(f"fastadv_tui.commands.{name}").register(app)
        _put_under_heading(name)


def _put_under_heading(name: str) -> None:
    known: list[CommandInfo | TyperInfo] = [*app.registered_commands, *app.registered_groups]
    for info in known:
        if name in (info.name, getattr(info.callback, "__name__", "")):  # a command may be named by its function
            info.rich_help_panel = HEADING_OF[name]


def _version(context: typer.Context, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:  # parsing is resilient while a shell asks for completions
        from engine.protocol.provenance import package_version

        print(f"fastadv {package_version()}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def common(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    readonly: Annotated[bool, typer.Option("--readonly", help="Open a dashboard that cannot change anything.")] = False,
) -> None:
    """Launch, supervise, watch and compare runs of fast adversarial training. Without a command, open the dashboard."""
    if context.invoked_subcommand is not None:
        _keep_queue_going()
        return
    from fastadv_tui.dashboard.open import open_dashboard

    open_dashboard(readonly)


def _keep_queue_going() -> None:
    """Start a keeper if runs wait and none is alive: every command does so, whatever killed the last keeper."""
    from fastadv_tui.errors import UserError
    from fastadv_tui.paths import slots_dir

    with suppress(OSError, UserError):  # a home that cannot be used: the command itself will say so
        if any(slots_dir().glob("*/queue/[!.]*")):
            from fastadv_tui.supervise.keeper import revive
            from fastadv_tui.supervise.queue import RunQueue

            revive(RunQueue.of_home())


def run(words: Sequence[str]) -> None:
    """Run a command line. Raises: UserError, which `fastadv_tui.__main__` prints in one line."""
    register(words)
    app(prog_name=NAME)


def complete(variable: str) -> None:
    """Print the completions that a shell asks for through the environment variable with this name.

    Raises: SystemExit, always. An error prints nothing: a traceback would spoil the line that the user is typing.
    """
    sys.modules["rich"] = None  # type: ignore[assignment] # Typer would load rich (0.1 s) to strip markup from help texts
    try:
        _register_for(words_before_cursor())
        app(prog_name=NAME, complete_var=variable)
    except Exception:
        sys.exit(1)


def _register_for(words: Sequence[str]) -> None:
    """Load only the command whose words are completed. Completing the name of a command loads no command."""
    if words[:1] and words[0] in COMMANDS:
        register(words)
        return
    for name in COMMANDS:
        app.command(name)(_placeholder)


def _placeholder() -> None:
    pass  # no docstring: the shell would show it as the help of every command


def words_before_cursor() -> list[str]:
    """The complete words between `fastadv` and the cursor, from the variables that Typer's shell functions set."""
    line = os.environ.get("_TYPER_COMPLETE_ARGS") or os.environ.get("COMP_WORDS", "")
    words = line.split()[1:]
    return words if line[-1:].isspace() else words[:-1]
