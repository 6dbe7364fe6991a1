"""Calls that wait for the next paint."""

from collections.abc import Callable

from textual.widget import Widget


def after_refresh(widget: Widget, act: Callable[[], None]) -> None:
    """Call `act` after the next paint, unless the widget is gone by then: its screen and its children are, too."""
    widget.call_after_refresh(lambda: act() if widget.is_attached else None)
