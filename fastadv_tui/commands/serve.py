"""`serve`: shows the dashboard in a browser."""

from typing import Annotated

import typer

from fastadv_tui.errors import UserError


def register(app: typer.Typer) -> None:
    app.command(epilog="Example: fastadv serve --port 8000")(serve)


def serve(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0: any free port.")] = 8000,
    writable: Annotated[
        bool, typer.Option("--writable", help="Allow the browser to start, stop and resume runs.")
    ] = False,
) -> None:
    """Show the dashboard in a browser, on this machine only. The address contains a secret token."""
    try:
        from fastadv_tui.dashboard.web import server
    except ImportError as error:
        raise UserError(f"`fastadv serve` needs additional packages: pip install 'fastadv[web]' ({error})") from None
    from fastadv_tui.dashboard.settings import load
    from fastadv_tui.paths import ensure_home

    ensure_home()
    load()  # report wrong settings here and not in the browser
    server.serve(port, writable)
