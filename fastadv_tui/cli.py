"""The command line. Each command imports what it needs only when it runs, so every start is fast."""

import ast
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
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
    "Evaluate and export": ("eval", "plot", "export", "mirror", "import", "bundle", "unbundle", "push"),
    "Keep order": ("tag", "note", "rm", "prune", "reindex"),
    "Data and machine": ("prepare", "doctor", "notify", "serve"),
    "Look up": ("settings", "presets"),
}
HEADING_OF = {name: heading for heading, names in HEADINGS.items() for name in names}
COMMANDS = tuple(HEADING_OF)
MODULE_OF = {"import": "import_"}  # the modules that cannot have the name of their command
COMMANDS_FOLDER = Path(__file__).parent / "commands"


def register(words: Sequence[str]) -> None:
    """Load the module of the command among `words`, and of no other one. Modules of commands import much.

    If `words` do not begin with a command, the help may be printed: then the other commands have their names and their
    help only.
    """
    asked = next((word for word in words if word in COMMANDS), "")
    for name in [asked] if asked in words[:1] else COMMANDS:
        if name == asked:
            load(name)
        else:
            _announce(name, _summary(name))


def load(name: str) -> None:
    """Load the module of a command, and add the command to `app`."""
    import_module(f"fastadv_tui.commands.{MODULE_OF.get(name, name)}").register(app)
    _put_under_heading(name)


def _announce(name: str, summary: str = "") -> None:
    """Add a command that can be listed and completed, and not run."""

    def placeholder() -> None:
        pass

    app.command(name, help=summary, rich_help_panel=HEADING_OF[name])(placeholder)


def _summary(name: str) -> str:
    """The help of a command: the docstring of the function that is named like the command.

    The module is parsed, because an import would take five times as long.
    """
    tree = ast.parse(COMMANDS_FOLDER.joinpath(f"{MODULE_OF.get(name, name)}.py").read_bytes())
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    return next(ast.get_docstring(node) or "" for node in functions if node.name.rstrip("_") == name)


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
    if words[:1] != ["--version"]:  # it needs no command
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
    """Load only the command whose words are completed. Names are completed without a help text for each."""
    if words[:1] and words[0] in COMMANDS:
        load(words[0])
        return
    for name in COMMANDS:
        _announce(name)


def words_before_cursor() -> list[str]:
    """The complete words between `fastadv` and the cursor, from the variables that Typer's shell functions set."""
    line = os.environ.get("_TYPER_COMPLETE_ARGS") or os.environ.get("COMP_WORDS", "")
    words = line.split()[1:]
    return words if line[-1:].isspace() else words[:-1]
