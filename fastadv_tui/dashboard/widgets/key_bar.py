"""The last line of a screen: the keys that work now, each with a word. A click presses the key."""

from collections.abc import Sequence
from typing import Any

from rich.style import Style as RichStyle
from textual.binding import ActiveBinding
from textual.content import Content
from textual.events import MouseDown, MouseEvent, MouseMove
from textual.strip import Strip
from textual.style import Style
from textual.widget import Widget

from fastadv_tui.dashboard.widgets.fitting_keys import PALETTE, fitting

KEY = "bold $footer-key-foreground on $footer-key-background"
WORD = "$footer-description-foreground on $footer-description-background"
HOVERED = "$footer-key-foreground on $block-hover-background"
EDGE = "▏", "$foreground 20%"  # between the keys of the screen and that of the palette


class KeyBar(Widget):
    """Shows the keys of the screen at the left, and the key of the palette at the right; whole keys, if need be fewer.

    It looks like Textual's Footer, which mounts and styles a widget for each key, and again whenever the focus moves.
    That took a fifth of the time of the first paint.
    """

    ALLOW_SELECT = False
    DEFAULT_CSS = """
    KeyBar { dock: bottom; height: 1; color: $footer-foreground; background: $footer-background; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._keys: dict[str, ActiveBinding] | None = None  # by key; None when outdated
        self._hovered = ""  # the key under the mouse

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, self._outdate)

    def _outdate(self, _: Any) -> None:
        """Read the keys before the next paint. A terminal that lost the focus keeps them: no widget has it then."""
        if self.app.app_focus:
            self._keys = None
            self.refresh()

    def render_line(self, y: int) -> Strip:
        keys = self._shown_keys()
        palette = keys.get(self.app.COMMAND_PALETTE_BINDING)
        others = [key for key in keys.values() if key is not palette]
        left = [self._drawn(key, " {} ", "{} ") for key in others]
        right = [Content.styled(*EDGE), self._drawn(palette, "{}", " {}")] if palette else []
        used = sum(part.cell_length for part in right) + len(right[:1])  # a blank ends the line
        widths = [(key.binding.action, part.cell_length) for key, part in zip(others, left, strict=True)]
        *shown, with_palette = fitting([*widths, (PALETTE, used)], self.size.width)
        left = [part for part, is_shown in zip(left, shown, strict=True) if is_shown]
        right, used = (right, used) if with_palette else ([], 0)
        return Strip.join([self._strip(left, max(self.size.width - used, 0)), self._strip(right, used)])

    def _strip(self, parts: Sequence[Content], width: int) -> Strip:
        """The parts in a row, cut off or filled up to a width in cells."""
        segments = [segment for part in parts for segment in part.render_segments(self.visual_style)]
        return Strip(segments).adjust_cell_length(width, RichStyle(bgcolor=self.rich_style.bgcolor))

    def _shown_keys(self) -> dict[str, ActiveBinding]:
        """The keys that the bar shows: one for each action, and that of the palette."""
        if self._keys is None:
            self._keys = {}
            actions = set()
            for key, active in self.screen.active_bindings.items():
                shown = active.binding.show and active.binding.action not in actions
                if shown or key == self.app.COMMAND_PALETTE_BINDING:
                    self._keys[key] = active
                    actions.add(active.binding.action)
        return self._keys

    def _drawn(self, key: ActiveBinding, name: str, word: str) -> Content:
        """A key. name, word: formats of the name of the key and of its word, with the blanks beside them."""
        binding = key.binding
        named = name.format(self.app.get_key_display(binding)), KEY
        content = Content.assemble(named, (word.format(binding.description), WORD))
        if binding.key == self._hovered:
            content = content.stylize(HOVERED)
        return content.stylize(Style(dim=not key.enabled or None) + Style.from_meta({"key": binding.key}))

    def on_mouse_move(self, event: MouseMove) -> None:
        self._hover(self._key_at(event))

    def on_leave(self) -> None:
        self._hover("")

    def _hover(self, key: str) -> None:
        if key != self._hovered:
            self._hovered = key
            self.tooltip = self._shown_keys()[key].tooltip if key in self._shown_keys() else None
            self.refresh()

    def on_mouse_down(self, event: MouseDown) -> None:
        if key := self._shown_keys().get(self._key_at(event)):
            if key.enabled:
                self.app.simulate_key(key.binding.key)
            else:
                self.app.bell()

    def _key_at(self, event: MouseEvent) -> str:
        """The key under the mouse; empty if there is none."""
        return str(event.style.meta.get("key", ""))
