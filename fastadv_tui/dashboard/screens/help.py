"""The help: a page in sections, made from the bindings of the screens, so that every key on it works."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from msgspec import Struct
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.screen import Screen as AnyScreen
from textual.widgets import Static

from fastadv_tui.dashboard.readonly import CHANGES
from fastadv_tui.dashboard.screens.compare import CompareScreen
from fastadv_tui.dashboard.screens.history import HistoryScreen
from fastadv_tui.dashboard.screens.launch import LaunchScreen
from fastadv_tui.dashboard.screens.log import LogScreen
from fastadv_tui.dashboard.screens.machine import MachineScreen
from fastadv_tui.dashboard.screens.runs import RunsScreen
from fastadv_tui.dashboard.widgets.key_bar import KeyBar
from fastadv_tui.text.quantities import GLYPHS

KEY_WIDTH = 14
CHART_ACTIONS = ("curves", "charts", "chart")  # actions of the runs screen that belong to the charts
FILTERS = (
    ("fgsm", "the word in name, id, data set, method, tags or note"),
    ("method=fgsm", "a column or a setting; also != < <= > >="),
    ("eps>=8", "sizes in 1/255, as on the command line"),
    ("robust>0.4", "accuracies as fractions; robust>40% is the same"),
    ("optim.lr=0.2", "any setting by its key"),
    ("tag:paper", "runs with this tag; status:done by status"),
    ("since:7d", "submitted in the last 7 days; before:2026-11-01"),
    ("-status:failed", "the runs that do not match"),
    ('"two words"', "quotes keep a space"),
)

SIGNS = (
    ("↻", "on a curve: training was resumed there"),
    ("⚑", "the pinned run, the baseline of Δ"),
    ("⚐", "another pinned run"),
    ("Δ", "robust accuracy against ⚑, in points; in words: what was measured unlike ⚑, such as eps 4"),
    *((glyph, state) for state, glyph in GLYPHS.items()),
)


class Section(Struct, frozen=True):
    """A section of the page. of: the screen whose keys it lists. belongs: which of its bindings."""

    title: str
    of: type[AnyScreen[Any]]
    belongs: Callable[[Binding], bool] = lambda binding: True


SECTIONS = (
    Section("Runs", RunsScreen, lambda binding: action_name(binding) not in CHART_ACTIONS),
    Section("Charts", RunsScreen, lambda binding: action_name(binding) in CHART_ACTIONS),
    Section("History", HistoryScreen),
    Section("Comparison", CompareScreen),
    Section("Log", LogScreen),
    Section("Form", LaunchScreen),
    Section("Machine", MachineScreen),
)


class HelpScreen(ModalScreen[None]):
    """Lists the keys of all screens, those of the screen below first."""

    BINDINGS = [
        Binding("escape,q", "dismiss(None)", "Close"),
        Binding("question_mark,f1", "dismiss(None)", "Close", id="help"),
        Binding("down,j", "scroll('down')", "Down", show=False),
        Binding("up,k", "scroll('up')", "Up", show=False),
        Binding("pagedown,space", "scroll('page_down')", "Next page", show=False),
        Binding("pageup,b", "scroll('page_up')", "Page before", show=False),
        Binding("home,g", "scroll('home')", "Begin", show=False),
        Binding("end,G", "scroll('end')", "End", show=False),
    ]

    def __init__(self, below: AnyScreen[Any], readonly: bool, keymap: dict[str, str]) -> None:
        super().__init__()
        self._below, self._readonly, self._keymap = below, readonly, keymap

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="help", can_focus=False):
            yield Static(id="keys", markup=False)
        yield KeyBar()

    def on_mount(self) -> None:
        page = self.query_one("#help")
        page.border_title = "Help"
        page.border_subtitle = "↑ ↓ page up, page down scroll   esc closes"
        self.query_one("#keys", Static).update(Text("\n").join(self._lines()))

    def action_scroll(self, way: str) -> None:
        getattr(self.query_one("#help", VerticalScroll), f"scroll_{way}")(animate=False)

    def _lines(self) -> Iterator[Text]:
        here = [section for section in SECTIONS if isinstance(self._below, section.of)]
        for section in [*here, *(section for section in SECTIONS if section not in here)]:
            bindings = [binding for binding in bindings_of(section.of) if section.belongs(binding)]
            yield from self._section(section.title, self._keys(bindings))
            if section.of is HistoryScreen:
                yield from self._section("Filter language", FILTERS)
        yield from self._section("Everywhere", self._keys(bindings_of(type(self.app))))
        yield from self._section("Signs", SIGNS)

    def _section(self, title: str, entries: Iterable[tuple[str, str]]) -> Iterator[Text]:
        yield Text(title, "bold underline")
        for left, right in entries:
            yield Text.assemble((f"  {left:<{KEY_WIDTH}} ", "bold"), right)
        yield Text()

    def _keys(self, bindings: Iterable[Binding]) -> list[tuple[str, str]]:
        """The keys of each action and what it does. Actions that are not to be had now are left out."""
        found: dict[tuple[str, str], list[str]] = {}
        for binding in bindings:
            if binding.description and self._available(binding):
                keys = found.setdefault((binding.action, binding.tooltip or binding.description), [])
                keys += [key for key in self._names_of_keys(binding) if key not in keys]
        return [(" ".join(keys), what) for (_, what), keys in found.items()]

    def _available(self, binding: Binding) -> bool:
        if self._readonly and action_name(binding) in CHANGES:
            return False
        screens = reversed(self.app.screen_stack)  # the runs, whose keys every screen lists, are the lowest of them
        owner: Any = next((screen for screen in screens if binding in bindings_of(type(screen))), self.app)
        return owner.check_action(action_name(binding), ()) is not False

    def _names_of_keys(self, binding: Binding) -> Iterator[str]:
        """The keys as the user's settings have them."""
        if other := self._keymap.get(binding.id or ""):
            binding = binding.with_key(other)
        for single in Binding.make_bindings([binding]):
            yield self.app.get_key_display(single)


def bindings_of(kind: type[Any]) -> list[Binding]:
    """The bindings that a screen or an app declares itself or inherits from ours."""
    declared = [binding for each in kind.__mro__ for binding in vars(each).get("BINDINGS", ()) if _ours(each)]
    return [binding for binding in declared if isinstance(binding, Binding)]


def _ours(kind: type[Any]) -> bool:
    return kind.__module__.startswith("fastadv_tui.")


def action_name(binding: Binding) -> str:
    """The name of a binding's action: `move` for `app.move(-1)`."""
    return binding.action.partition("(")[0].rpartition(".")[2]
