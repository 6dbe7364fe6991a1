"""The themes of the dashboard. Their colours are the Okabe-Ito palette, which colour-blind people can tell apart."""

from textual.app import App
from textual.theme import BUILTIN_THEMES, Theme

SKY, ORANGE, GREEN, YELLOW, VERMILION = "#56b4e9", "#e69f00", "#009e73", "#f0e442", "#d55e00"
DEEP_VERMILION = "#b03a00"  # legible on all surfaces of the light theme


def _track(colour: str) -> dict[str, str]:
    """The variables that draw the track of a scrollbar like the surface beside it."""
    names = "background", "background-hover", "background-active", "corner-color"
    return {f"scrollbar-{name}": colour for name in names}


DARK = Theme(
    name="fastadv-dark", primary=SKY, secondary=ORANGE, accent=ORANGE, success=GREEN, warning=YELLOW, error=VERMILION,
    background="#0b101d", surface="#0f1626", panel="#16203a", foreground="#d8dee9", dark=True,
    variables=_track("#0b101d"),
)  # fmt: skip
LIGHT = Theme(
    name="fastadv-light", primary="#00639c", secondary=DEEP_VERMILION, accent=DEEP_VERMILION, success="#00704f",
    warning="#7a5c00", error=DEEP_VERMILION, background="#ffffff", surface="#f6f7f9", panel="#e7ebf0",
    foreground="#1b2430", dark=False,
    variables=_track("#ffffff"),
)  # fmt: skip
THEMES = BUILTIN_THEMES | {theme.name: theme for theme in (DARK, LIGHT)}
ALIASES = {"ansi": "ansi-dark"}  # uses the sixteen colours of the terminal


class ThemedApp(App[str]):
    """An app that has these themes."""

    @property
    def available_themes(self) -> dict[str, Theme]:
        return THEMES

    def begin_with(self, name: str) -> None:
        """Have a theme from the start. Call this before `__init__`, which reads the first style sheet.

        A theme that is set later has Textual parse all style sheets again.
        """
        self.set_reactive(App.theme, full_name(name))


def full_name(name: str) -> str:
    """The name of a theme for a name or an alias; that of the dark theme for an unknown name."""
    name = ALIASES.get(name, name)
    return name if name in THEMES else DARK.name


def problem(name: str) -> str:
    """What is wrong with a name of a theme, and the way out; empty if nothing is."""
    if ALIASES.get(name, name) in THEMES:
        return ""
    return f"settings.toml: there is no theme {name!r}; choose one of {', '.join(sorted(THEMES))}"
