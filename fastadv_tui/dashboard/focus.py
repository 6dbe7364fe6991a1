"""Moves the focus up and down a form."""

from typing import Any

from textual.screen import Screen


def step_focus(screen: Screen[Any], by: int, scroll: bool = True) -> None:
    """Move the focus to the next (1) or the previous (-1) field. It stays at the first and the last one.

    scroll: let Textual scroll to the field, in an animation.
    """
    chain = screen.focus_chain
    place = chain.index(screen.focused) + by if screen.focused in chain else 0
    if 0 <= place < len(chain):
        screen.set_focus(
            chain[place], scroll
        )  # at once: `focus` would let a letter typed right after the key go elsewhere
