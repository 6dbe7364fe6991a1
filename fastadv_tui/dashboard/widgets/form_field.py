"""A setting of the launch form in one line: title, value, unit. A second line holds the error, if there is one."""

from collections.abc import Callable, Sequence

from rich.highlighter import Highlighter
from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.events import Key
from textual.geometry import Region
from textual.strip import Strip

from fastadv_tui.dashboard.widgets.text_field import TextField
from fastadv_tui.text.sanitize import one_line

TITLE, ARROW, NOTE = 21, 2, 24  # columns at the left, around the value, and at the right


class Printable(Highlighter):
    """Draws a dot for each character that would act on the terminal, so that the cursor stays in its place."""

    def highlight(self, text: Text) -> None:
        if not text.plain.isprintable():
            text.plain = "".join(character if character.isprintable() else "·" for character in text.plain)


class FormField(TextField):
    """An input that draws its own title and notes, because one widget opens faster than four.

    A field with choices is a picker: left and right go through them. Other values can be typed, too. In a `closed`
    field such a value is an error, so left and right replace it. Elsewhere they move the cursor in it.

    styles_of: the style of a part: `title`, `note`, `arrow` or `error`. The form has these styles for all of its
    fields, because styles in each field would take a third of the time in which the form opens.
    """

    DEFAULT_CSS = f"""
    FormField {{
        height: 1; border: none; padding: 0 {NOTE + ARROW} 0 {TITLE + ARROW}; background: $panel;
        &:focus {{ border: none; background-tint: $foreground 0%; background: $primary 25%; }}
        &.wrong {{ height: 2; padding: 0 {NOTE + ARROW} 1 {TITLE + ARROW}; }}
        &>.input--placeholder {{ color: $foreground; }}
    }}
    """

    def __init__(
        self,
        key: str,
        title: str,
        text: str,
        styles_of: Callable[[str], Style],
        choices: Sequence[str] = (),
        closed: bool = False,
    ) -> None:
        super().__init__(text, id=field_id(key), highlighter=Printable())
        self._styles_of = styles_of
        self.key, self.title, self.choices, self._only_choices = key, title, tuple(choices), closed
        self.error = ""
        self._default = self._note = ""

    def show(self, default: str, note: str, error: str) -> None:
        """Draw what the form found. default: the text that an empty field stands for. note: such as the unit."""
        if (default, note, error) == (self._default, self._note, self.error):
            return
        self._default, self._note, self.error = default, note, error
        self.placeholder = one_line(default)
        self.set_class(bool(error), "wrong")
        self.refresh()

    async def on_key(self, event: Key) -> None:
        if event.key in ("left", "right") and self._turns():
            event.stop()
            event.prevent_default()
            self._turn(1 if event.key == "right" else -1)
        else:
            await super().on_key(event)

    def _turns(self) -> bool:
        """Whether left and right go through the choices. A list of values for a sweep is text to edit."""
        text = self.value.strip()
        return bool(self.choices) and (text in ("", *self.choices) or (self._only_choices and "," not in text))

    def _turn(self, step: int) -> None:
        """Go to the next choice. The default leaves the field empty, so that the value follows the other fields."""
        present = self.value.strip() or self._default
        if present in self.choices:
            chosen = self.choices[(self.choices.index(present) + step) % len(self.choices)]
        else:
            chosen = self.choices[0 if step > 0 else -1]
        self.value = "" if chosen == self._default else chosen
        self.cursor_position = len(self.value)

    # -- drawing ----------------------------------------------------------------------------------------------

    def render_lines(self, crop: Region) -> list[Strip]:
        """The lines of the input, with title and notes in place of its padding.

        The terminal's cursor is placed here. Textual places it when the focus comes, before the form scrolls.
        """
        if self.has_focus:
            self.app.cursor_position = self.cursor_screen_offset
        width = self.outer_size.width
        lines = super().render_lines(Region(0, crop.y, width, crop.height))
        drawn = [self._first(line, width) if y == 0 else self._second(width) for y, line in enumerate(lines, crop.y)]
        return [line.crop(crop.x, crop.right) for line in drawn]

    def _first(self, line: Strip, width: int) -> Strip:
        title = self._styles_of("title") + Style(bold=self.has_focus)
        arrow = self._styles_of("arrow")
        left, right = ("◂ ", " ▸") if self.choices else ("  ", "  ")
        note = "  ".join(filter(None, ("default" * bool(self._default and not self.value.strip()), self._note)))
        parts = [
            _cell(f"  {self.title}", TITLE, title),
            _cell(left, ARROW, arrow),
            line.crop(TITLE + ARROW, width - NOTE - ARROW),
            _cell(right, ARROW, arrow),
            _cell(f" {one_line(note)}", NOTE, self._styles_of("note")),
        ]
        return Strip.join(parts)

    def _second(self, width: int) -> Strip:
        """The error, below the value; further left if it would be cut there."""
        style, text = self._styles_of("error"), f"^ {one_line(self.error)}"
        return _cell(f"{' ' * max(min(TITLE + ARROW, width - len(text)), 0)}{text}", width, style)


def field_id(key: str) -> str:
    """The id of the widget of a setting."""
    return f"field-{key.replace('.', '-')}"


def _cell(text: str, width: int, style: Style) -> Strip:
    shown = text if len(text) <= width else f"{text[: width - 1]}…"
    return Strip([Segment(shown, style)]).adjust_cell_length(width, style)
