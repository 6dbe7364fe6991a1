"""Which keys the last line of a screen shows where not all of them have room."""

from collections.abc import Sequence

HELP = "help"  # the action that is never left out
PALETTE = "command_palette"
RARE = (PALETTE, "zoom", "toggle_accuracy", "copy", "file")  # actions that are left out first, in this order


def fitting(keys: Sequence[tuple[str, int]], width: int) -> list[bool]:
    """Whether each key is shown: rare ones are left out first, then those at the right, and the help never.

    keys: action and width in cells, from the left. width: of the line, in cells.
    """
    actions = [action for action, _ in keys]
    rare = [actions.index(action) for action in RARE if action in actions]
    others = [place for place in reversed(range(len(keys))) if place not in rare and actions[place] != HELP]
    left_out: set[int] = set()
    for place in [*rare, *others]:
        if sum(cells for number, (_, cells) in enumerate(keys) if number not in left_out) <= width:
            break
        left_out.add(place)
    return [place not in left_out for place in range(len(keys))]
