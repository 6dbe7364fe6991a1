"""The fields of the launch form, in groups that are built when they are opened."""

from collections.abc import Callable, Iterator, Mapping

from rich.style import Style
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.message import Message
from textual.widgets import Input

from engine.config.groups import Group
from engine.config.norms import LINF
from engine.config.settings import settings
from fastadv_tui.dashboard.after_refresh import after_refresh
from fastadv_tui.dashboard.widgets.form_field import FormField
from fastadv_tui.dashboard.widgets.form_group import GroupHeading
from fastadv_tui.launch.form import FormReading
from fastadv_tui.launch.form_fields import (
    AT_FIRST,
    TAGS,
    choices_of,
    fields_by_group,
    group_of,
    is_closed,
    reading_of_field,
    title_of,
    unit_of,
)

LAYOUT = fields_by_group()


class LaunchForm(VerticalScroll, can_focus=False):
    """texts: what stands in the fields at first, by key. devices: in words, by the value to type."""

    COMPONENT_CLASSES = {"form--title", "form--note", "form--arrow", "form--error"}
    DEFAULT_CSS = """
    LaunchForm {
        &>.form--title { color: $foreground 80%; background: $background; }
        &>.form--note { color: $foreground 70%; background: $background; }
        &>.form--arrow { color: $primary; background: $background; }
        &>.form--error { color: $text-error; background: $background; }
    }
    """

    class Edited(Message):
        """The user has changed a field."""

    def __init__(self, texts: Mapping[str, str], devices: Mapping[str, str]) -> None:
        super().__init__(id="form")
        self._seen = _known(texts)  # the texts that the form knows of; a field may have taken a key since
        self.devices = devices
        self._reading: FormReading | None = None
        self._open = set(AT_FIRST)
        self._headings: dict[Group, GroupHeading] = {}
        self._fields: dict[str, FormField] = {}

    def compose(self) -> ComposeResult:
        for group in LAYOUT:
            self._headings[group] = GroupHeading(group.value, group in self._open)
            yield self._headings[group]
            if group in self._open:
                yield from self._new_fields(group)

    @property
    def texts(self) -> dict[str, str]:
        """By key, the texts that stand in the fields now, also those of groups that were never opened."""
        texts = self._seen | {key: field.value for key, field in self._fields.items()}
        return {key: text for key, text in texts.items() if text}

    def fill(self, texts: Mapping[str, str]) -> None:
        """Replace all texts."""
        self._seen = _known(texts)
        for key, field in self._fields.items():
            field.value = self._seen.get(key, "")

    def when_settled(self, then: Callable[[dict[str, str]], object]) -> None:
        """Call `then` with the texts, as soon as every field has taken the keys that were typed before this call.

        A key waits in the queue of its field, and a key with priority overtakes it there.
        """
        texts, waiting = self.texts, {*self._fields}

        def settled(key: str) -> None:
            texts[key] = self._fields[key].value
            waiting.discard(key)
            if not waiting:
                self.call_later(then, texts)

        for key, field in self._fields.items():
            field.call_later(settled, key)

    def show(self, reading: FormReading, devices: Mapping[str, str]) -> None:
        """Draw what the form says: fields that have an effect, defaults, notes and errors. devices: by value."""
        self._reading, self.devices = reading, devices
        for key, field in self._fields.items():
            field.display = group_of(key) in self._open and key in {*reading.shown, TAGS}
            field.choices = choices_of(key, devices)
            field.show(reading.defaults.get(key, ""), self._note(key, reading), reading.errors.get(key, ""))
        for group, heading in self._headings.items():
            errors = sum(key in reading.errors for key in LAYOUT[group])
            heading.show(group in self._open, self._summary(group, reading), errors)
        after_refresh(self, self.keep_focus_in_sight)  # fields that appear above may push it away

    async def focus_first_error(self) -> str | None:
        """Put the cursor into the first field with an error, and return its key. Opens its group."""
        reading = self._reading
        key = next((key for keys in LAYOUT.values() for key in keys if reading and key in reading.errors), None)
        if key is not None:
            if group_of(key) not in self._open:
                await self._toggle(group_of(key))
            self.screen.set_focus(self._fields[key])
            after_refresh(self, self.keep_focus_in_sight)  # it may have the focus already, out of sight
        return key

    def on_descendant_focus(self) -> None:
        self.keep_focus_in_sight()
        after_refresh(self, self.keep_focus_in_sight)

    def on_resize(self) -> None:
        self.keep_focus_in_sight()  # a longer help below the form takes lines from it

    def keep_focus_in_sight(self) -> None:
        """Scroll at once to the field or heading that has the focus now, not the one of a moment ago."""
        focused = self.screen.focused
        if focused is self.query(FormField).first():
            self.scroll_home(animate=False, immediate=True)  # its heading is in sight, too
        elif focused is not None and self in focused.ancestors:
            self.scroll_to_widget(focused, animate=False, immediate=True)

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        assert isinstance(event.input, FormField)
        key, text = event.input.key, event.input.value  # the event may be older than what the field shows
        if self._seen.get(key, "") != text:
            self._seen[key] = text
            self.post_message(self.Edited())

    async def on_group_heading_toggled(self, message: GroupHeading.Toggled) -> None:
        message.stop()
        await self._toggle(Group(message.heading.title))

    async def _toggle(self, group: Group) -> None:
        self._open ^= {group}
        if group in self._open and not any(key in self._fields for key in LAYOUT[group]):
            await self.mount(*self._new_fields(group), after=self._headings[group])
        if self._reading is not None:
            self.show(self._reading, self.devices)
        if group in self._open:
            after_refresh(self, lambda: self._bring_in_sight(group))

    def _bring_in_sight(self, group: Group) -> None:
        """Scroll to the fields of a group that was opened; if they are too many, to the first of them."""
        for key in LAYOUT[group]:
            if (field := self._fields.get(key)) and field.display:
                self.scroll_to_widget(field, animate=False, immediate=True)
        self.keep_focus_in_sight()

    def _new_fields(self, group: Group) -> Iterator[FormField]:
        for key in LAYOUT[group]:
            choices = choices_of(key, self.devices)
            text, closed = self._seen.get(key, ""), is_closed(key)
            field = FormField(key, title_of(key), text, self._style_of, choices, closed)
            field.display = self._reading is None or key in {*self._reading.shown, TAGS}
            self._fields[key] = field
            yield field

    def _style_of(self, part: str) -> Style:
        return self.get_component_rich_style(f"form--{part}")

    def _note(self, key: str, reading: FormReading) -> str:
        if key == "device":
            return self.devices.get(self._text(key) or "auto", "")
        if key == "seed" and reading.plan and len(reading.plan.seeds) > 1:
            return f"{len(reading.plan.seeds):,} seeds"
        norm = self._text("norm") or LINF
        return reading_of_field(key, self._text(key), norm) or unit_of(key, norm)

    def _text(self, key: str) -> str:
        """The text of one field, without the blanks around it."""
        return (self._fields[key].value if key in self._fields else self._seen.get(key, "")).strip()

    def _summary(self, group: Group, reading: FormReading) -> str:
        """What a closed group changes."""
        changed = [key for key in LAYOUT[group] if self._text(key) and key in {*reading.shown, TAGS}]
        return ", ".join(f"{title_of(key)} {self._text(key)}" for key in changed)


def _known(texts: Mapping[str, str]) -> dict[str, str]:
    """The texts of the fields that exist: a draft may be of another version."""
    return {key: text for key, text in texts.items() if key in settings() or key == TAGS}
