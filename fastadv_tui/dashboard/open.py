"""Opens the dashboard and reports how it ended."""

import gc
import os
import sys

from fastadv_tui.errors import UserError
from fastadv_tui.text.encoding import is_utf8

BY_SIGNAL = range(129, 129 + 64)  # exit codes for the signals 1 to 64


def open_dashboard(readonly: bool) -> None:
    """Show the dashboard until the user leaves.

    Raises: UserError, if there is no terminal.
    """
    _check_terminal()
    gc.disable()  # until the first paint: the modules loaded for it are never garbage, and scanning them takes time
    from fastadv_tui.dashboard.app import Fastadv
    from fastadv_tui.dashboard.settings import load
    from fastadv_tui.paths import ensure_home

    ensure_home()
    app = Fastadv(load(), readonly)
    farewell = app.run()
    if farewell:
        print(farewell, file=sys.stderr)
    if app.return_code in BY_SIGNAL:
        sys.exit(app.return_code)
    if app.return_code:
        print(
            "fastadv: the dashboard failed; the error is above. Your runs continue. Start `fastadv` to see them again.",
            file=sys.stderr,
        )
        sys.exit(app.return_code)


def _check_terminal() -> None:
    """Refuse to start without a terminal: Textual reads standard input and draws on standard error, and would loop."""
    if os.environ.get("TEXTUAL_DRIVER"):  # `fastadv serve` shows the dashboard in a browser, through pipes
        return
    if not all(stream and stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):
        raise UserError(
            "the dashboard needs a terminal; without one, `fastadv runs` lists runs and `fastadv --help` lists commands"
        )
    if not is_utf8(sys.stdout):
        raise UserError(
            f"the dashboard needs UTF-8, and this terminal has {sys.stdout.encoding}; set LC_ALL=C.UTF-8, or use "
            "`fastadv runs`"
        )
    if os.environ.get("TERM", "dumb") in ("", "dumb"):
        raise UserError("the dashboard needs to know the terminal; set TERM, for example TERM=xterm-256color")
