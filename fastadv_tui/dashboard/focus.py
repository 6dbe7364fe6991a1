"""Moves the focus up and down a form.

Everywhere in the dashboard the focus moves by `set_focus`, at once. `Widget.focus` waits for the next turn of the event
loop: keys that were typed or pasted right after would go to the old focus, and run as commands.
"""

from typing import Any

from textual.screen import Screen


def step_focus(screen: Screen[Any], by: int) -> None:
    """Move the focus to the next (1) or the previous (-1) field. It stays at the first and the last one."""
    chain = screen.focus_chain
    place = chain.index(screen.focused) + by if screen.focused in chain else 0
    if 0 <= place < len(chain):
        screen.set_focus(chain[place])
