"""`serve`: the dashboard in a browser."""

from typing import Annotated

import typer

from fastadv_tui.errors import UserError


def register(app: typer.Typer) -> None:
    app.command(epilog="Example: fastadv serve --port 8000")(serve)


def serve(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0 is any free one.")] = 8000,
    writable: Annotated[bool, typer.Option("--writable", help="The browser may start, stop and resume runs.")] = False,
) -> None:
    """Show the dashboard in a browser, on this machine only, behind a token."""
    try:
        from fastadv_tui.dashboard.web import server
    except ImportError as error:
        raise UserError(f"`fastadv serve` needs an extra: pip install 'fastadv[web]' ({error})") from None
    from fastadv_tui.dashboard.settings import load
    from fastadv_tui.paths import ensure_home

    ensure_home()
    load()  # what is wrong with them is to be said here, not in a browser
    server.serve(port, writable)
