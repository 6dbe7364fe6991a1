"""A text input that handles its editing keys in the order in which they were typed."""

from textual.binding import Binding
from textual.events import Key
from textual.widgets import Input

EDITING = {
    key: binding.action for binding in Input.BINDINGS if isinstance(binding, Binding) for key in binding.key.split(",")
}


class TextField(Input):
    """An input that runs its editing keys itself.

    Textual's own input lets the app run them, after the letters that are already waiting. On a busy machine, ctrl+u
    would then delete text that was typed after it, and a run would start with a wrong value.
    """

    async def on_key(self, event: Key) -> None:
        if action := EDITING.get(event.key):
            event.stop()
            event.prevent_default()
            await self.run_action(action)
