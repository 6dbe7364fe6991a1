"""What a widget does after the next paint is left out if the widget is gone by then."""

import asyncio

from textual.app import App
from textual.widgets import Static

from fastadv_tui.dashboard.after_refresh import after_refresh


def test_a_widget_that_was_removed_meanwhile_is_left_alone() -> None:
    called: list[str] = []

    async def script() -> None:
        app = App[None]()
        async with app.run_test() as pilot:
            kept, removed = Static("kept"), Static("removed")
            await app.mount(kept, removed)
            for name, widget in (("kept", kept), ("removed", removed)):
                after_refresh(widget, lambda name=name, widget=widget: called.append(f"{name} {widget.screen.size}"))  # type: ignore[misc]
            removed.remove()
            await pilot.pause()
            await pilot.pause()
            assert not removed.is_attached

    asyncio.run(script())
    assert [text.split()[0] for text in called] == ["kept"]
