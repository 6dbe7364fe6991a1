"""The command palette: every key of the screen one is on, by what it does."""

from collections.abc import Iterator
from functools import partial

from textual.app import App, SystemCommand
from textual.screen import Screen


def commands(app: App[str], screen: Screen[object]) -> Iterator[SystemCommand]:
    """One command for each action that has a name."""
    said: set[str] = set()
    for namespace, binding, enabled, _ in screen.active_bindings.values():
        if enabled and binding.id and binding.description not in said:
            said.add(binding.description)
            run = partial(app.run_action, binding.action, namespace)
            yield SystemCommand(binding.description, f"key {app.get_key_display(binding)}", run)
