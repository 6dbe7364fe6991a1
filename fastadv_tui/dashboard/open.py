"""Opening the dashboard."""

import gc
import os
import sys

from fastadv_tui.errors import UserError


def open_dashboard(readonly: bool) -> None:
    """Open the dashboard and stay in it until the user leaves.

    Raises: UserError, if there is no terminal to show it in.
    """
    _check_terminal()
    gc.disable()  # until the first picture stands: what is loaded for it stays, and looking at it again and again costs
    from fastadv_tui.dashboard.app import Fastadv
    from fastadv_tui.dashboard.settings import load
    from fastadv_tui.paths import ensure_home

    ensure_home()
    app = Fastadv(load(), readonly)
    said = app.run()
    if said:
        print(said, file=sys.stderr)
    if app.return_code:
        print("fastadv: the dashboard broke, see above; runs go on, and `fastadv` comes back to them", file=sys.stderr)
        sys.exit(app.return_code)


def _check_terminal() -> None:
    """Textual reads standard input and draws on standard error; without a terminal there it would spin for ever."""
    if os.environ.get("TEXTUAL_DRIVER"):  # `fastadv serve` shows the dashboard in a browser, through pipes
        return
    if not all(stream and stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):
        raise UserError(
            "the dashboard needs a terminal; without one, `fastadv runs` lists the runs, `fastadv --help` the commands"
        )
