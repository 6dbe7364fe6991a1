"""The line at the top: the name of the program, and the number of runs in each state."""

from rich.text import Text
from textual.widgets import Static

from fastadv_tui.dashboard.snapshot import Snapshot
from fastadv_tui.text.quantities import GLYPHS

STATES = ("running", "queued", "done", "stopped", "cancelled", "failed", "lost")


class TopBar(Static):
    """Shows the number of runs in each state that has runs."""

    def show(self, snapshot: Snapshot, readonly: bool) -> None:
        counts = [(state, snapshot.count(state)) for state in STATES]
        parts = [f"{GLYPHS[state]} {count:,} {state}" for state, count in counts if count]
        parts = [*(parts or ["no runs yet"]), *(["read-only"] if readonly else [])]
        self.update(Text.assemble((" fastadv ", "reverse bold"), "  ", "   ".join(parts)))
