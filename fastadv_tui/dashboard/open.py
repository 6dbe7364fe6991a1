"""Opening the dashboard."""

import gc
import sys


def open_dashboard(readonly: bool) -> None:
    """Open the dashboard and stay in it until the user leaves."""
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
