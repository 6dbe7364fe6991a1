"""The footer: the keys of the screen, as many as have room, and always the key of the help."""

from collections.abc import Iterable, Sequence

from textual.app import ComposeResult
from textual.events import Resize
from textual.widget import Widget
from textual.widgets import Footer
from textual.widgets._footer import FooterKey

HELP = "help"  # the action that is never left out
RARE = ("command_palette", "zoom", "toggle_accuracy", "copy", "file")  # actions that are left out first, in order
BLANKS = 3  # cells around the key and after its word


class KeyFooter(Footer):
    """Leaves out whole keys where not all of them have room: first the rare ones, then those at the right."""

    def compose(self) -> ComposeResult:
        keys = [*super().compose()]
        self._fit(keys)
        yield from keys

    def on_resize(self, event: Resize) -> None:
        self._fit(self.children)

    def _fit(self, widgets: Iterable[Widget]) -> None:
        keys = [widget for widget in widgets if isinstance(widget, FooterKey)]
        shown = fitting([(key.action, cells(key)) for key in keys], self.app.size.width)
        for key, is_shown in zip(keys, shown, strict=True):
            key.display = is_shown


def cells(key: FooterKey) -> int:
    """The width of a key with its word."""
    return len(key.key_display) + len(key.description) + BLANKS


def fitting(keys: Sequence[tuple[str, int]], width: int) -> list[bool]:
    """Whether each key is shown. keys: action and width in cells, from the left."""
    actions = [action for action, _ in keys]
    rare = [actions.index(action) for action in RARE if action in actions]
    others = [place for place in reversed(range(len(keys))) if place not in rare and actions[place] != HELP]
    left_out: set[int] = set()
    for place in [*rare, *others]:
        if sum(cells for number, (_, cells) in enumerate(keys) if number not in left_out) <= width:
            break
        left_out.add(place)
    return [place not in left_out for place in range(len(keys))]
