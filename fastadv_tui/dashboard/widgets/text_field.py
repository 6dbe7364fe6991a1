"""A line of text to type into."""

from textual.binding import Binding
from textual.events import Key
from textual.widgets import Input

EDITING = {
    key: binding.action for binding in Input.BINDINGS if isinstance(binding, Binding) for key in binding.key.split(",")
}


class TextField(Input):
    """An input whose editing keys act in the order in which they were typed.

    Elsewhere a binding is run by the app, behind the letters that are waiting already: while the machine is busy, a
    ctrl+u deletes what was typed after it, and a run starts with another value than the one that was typed.
    """

    async def on_key(self, event: Key) -> None:
        if action := EDITING.get(event.key):
            event.stop()
            event.prevent_default()
            await self.run_action(action)
