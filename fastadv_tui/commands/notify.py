"""`notify`: messages about runs, to a command, an ntfy topic or a webhook."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from engine.protocol.exit_code import ExitCode
from fastadv_tui.errors import UserError

if TYPE_CHECKING:
    from fastadv_tui.notify.settings import Event

EXAMPLES = (
    "Examples: fastadv notify set --ntfy my-runs-x7f2 · fastadv notify set --on fail,alarm --webhook - < url.txt · "
    'fastadv notify set --command \'notify-send "$FASTADV_TITLE" "$FASTADV_TEXT"\' · fastadv notify test'
)
NOTHING = "no notifications are set; `fastadv notify set --ntfy TOPIC` sets one"


def register(app: typer.Typer) -> None:
    group = typer.Typer()
    group.callback(invoke_without_command=True, epilog=EXAMPLES)(notify)
    group.command("show")(show)
    group.command("set", epilog=EXAMPLES)(set_)
    group.command("test")(test)
    group.command("off")(off)
    app.add_typer(group, name="notify")


def notify(context: typer.Context) -> None:
    """Be told when a run ends, fails, stalls or raises an alarm, with no dashboard open.

    Without a command, show the settings. Runs that are under way follow a change of the settings.
    """
    if context.invoked_subcommand is None:
        show()


def show() -> None:
    """Show where notifications go, without the secrets."""
    from fastadv_tui.notify.settings import load, open_to_others
    from fastadv_tui.notify.targets import redacted
    from fastadv_tui.paths import notify_path
    from fastadv_tui.text.sanitize import one_line

    settings = load()
    if settings is None:
        print(NOTHING)
        return
    state = "on" if settings.enabled and settings.targets else "off"
    print(f"notifications are {state}: {', '.join(settings.on) or 'no event'}; at most {settings.at_most} a minute")
    for kind, target in settings.targets.items():
        print(one_line(redacted(kind, target)))
    print(f"the settings are in {notify_path()}")
    if open_to_others():
        print(f"warning: others may read the secrets; chmod 600 {notify_path()}", file=sys.stderr)


def set_(
    command: Annotated[
        str | None,
        typer.Option(
            help="Line for the shell. $FASTADV_EVENT, $FASTADV_RUN, $FASTADV_NAME, $FASTADV_STATUS, $FASTADV_TITLE, "
            "$FASTADV_TEXT and $FASTADV_TIME tell what happened. Killed after 10 s.",
        ),
    ] = None,
    ntfy: Annotated[
        str | None, typer.Option(metavar="TOPIC", help="Topic of ntfy.sh, or URL of a topic on another server.")
    ] = None,
    webhook: Annotated[
        str | None,
        typer.Option(metavar="URL", help="URL that gets JSON by POST, e.g. of Slack, Mattermost or Discord."),
    ] = None,
    on: Annotated[
        str | None, typer.Option(metavar="[end,fail,stall,alarm]", help="What to be told, separated by commas.")
    ] = None,
    at_most: Annotated[
        int | None, typer.Option(min=1, max=1000, help="Most notifications a minute, of all runs together; default: 5.")
    ] = None,
) -> None:
    """Set a target, and turn notifications on. What is not typed stays as it is.

    An empty text ('') removes a target. The text - reads the target from standard input, which keeps a secret out of
    the history of your shell.
    """
    from msgspec.structs import replace

    from fastadv_tui.notify.settings import NotifySettings, checked_url, load, ntfy_url, save

    settings = replace(load() or NotifySettings(), enabled=True)
    if command is not None:
        settings.command = _typed(command)
    if ntfy is not None:
        settings.ntfy = ntfy_url(text) if (text := _typed(ntfy)) else ""
    if webhook is not None:
        settings.webhook = checked_url(text, "webhook") if (text := _typed(webhook)) else ""
    if on is not None:
        settings.on = _events(on)
    settings.at_most = at_most or settings.at_most
    if not settings.targets:
        raise UserError("type a target: --ntfy TOPIC, --webhook URL or --command COMMAND")
    save(settings)
    show()
    print("`fastadv notify test` sends a message", file=sys.stderr)


def test() -> None:
    """Send a message to every target now, and say what came of it."""
    from fastadv_tui.notify.message import sample_message
    from fastadv_tui.notify.settings import load
    from fastadv_tui.notify.targets import send
    from fastadv_tui.text.sanitize import one_line

    settings = load()
    if settings is None or not settings.targets:
        raise UserError(NOTHING)
    outcomes = send(settings, sample_message())
    for target, failure in outcomes.items():
        print(one_line(f"{target}: {failure or 'sent'}"), flush=True)
    raise typer.Exit(ExitCode.FAILED if any(outcomes.values()) else ExitCode.DONE)


def off() -> None:
    """Send nothing any more. The targets are kept; `fastadv notify set` turns notifications on again."""
    from msgspec.structs import replace

    from fastadv_tui.notify.settings import load, save

    settings = load()
    if settings is not None:
        save(replace(settings, enabled=False))
    print("notifications are off", file=sys.stderr)


def _typed(text: str) -> str:
    """The text that was typed; for -, the first line of standard input."""
    return sys.stdin.readline().strip() if text == "-" else text.strip()


def _events(text: str) -> "tuple[Event, ...]":
    from fastadv_tui.notify.settings import EVENTS

    words = [word.strip() for word in text.split(",") if word.strip()]
    if unknown := [word for word in words if word not in EVENTS]:
        raise UserError(f"--on {unknown[0]!r}: use {', '.join(EVENTS)}, separated by commas")
    return tuple(event for event in EVENTS if event in words)
