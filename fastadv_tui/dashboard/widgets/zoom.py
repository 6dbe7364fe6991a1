"""Shows one panel of a screen alone.

The style sheet hides every `.part` of a screen with the class `zooming`, except the parts with the class `zoomed`.
"""

from textual.screen import Screen
from textual.widget import Widget

from fastadv_tui.dashboard.widgets.pane import Pane


class Zoom:
    """At most one panel of a screen is zoomed: the panel has the whole screen between the top bar and the footer."""

    def __init__(self, screen: Screen[None]) -> None:
        self._screen = screen
        self.panel: Widget | None = None  # the zoomed one
        self._subtitle: str | None = None  # that it had before

    def show(self, panel: Widget) -> None:
        """Zoom a panel in place of the one before."""
        self.leave()
        self.panel, self._subtitle = panel, panel.border_subtitle
        panel.border_subtitle = "tab: next panel"
        for widget in (panel, *panel.ancestors):
            if isinstance(widget, Widget) and widget.has_class("part"):
                widget.add_class("zoomed")
            if isinstance(widget, Pane):
                widget.let_go()
        self._screen.add_class("zooming")
        panel.screen.set_focus(panel)

    def leave(self) -> None:
        """Show all panels again."""
        if self.panel is not None:
            self.panel.border_subtitle = self._subtitle
        self.panel = None
        for widget in self._screen.query(".zoomed"):
            widget.remove_class("zoomed")
        for pane in self._screen.query(Pane):
            pane.resume()
        self._screen.remove_class("zooming")
