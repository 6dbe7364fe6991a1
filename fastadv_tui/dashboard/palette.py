"""The command palette: lists every action that has a key on the current screen."""

from collections.abc import Iterator
from functools import partial

from textual.app import App, SystemCommand
from textual.screen import Screen


def commands(app: App[str], screen: Screen[object]) -> Iterator[SystemCommand]:
    """One command for each enabled action whose binding has an id."""
    listed: set[str] = set()
    for namespace, binding, enabled, _ in screen.active_bindings.values():
        if enabled and binding.id and binding.description not in listed:
            listed.add(binding.description)
            run = partial(app.run_action, binding.action, namespace)
            yield SystemCommand(binding.description, f"key {app.get_key_display(binding)}", run)
