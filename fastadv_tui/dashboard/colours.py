"""The colours that have a meaning: those of the states of runs, and those of marked runs.

They are of the Okabe-Ito family, which colour-blind people can tell apart. A glyph says the same wherever a colour
does. Each has a contrast of at least 4.5 against all surfaces of its theme.
"""

from textual.app import App

DARK, LIGHT, ANSI = range(3)  # schemes: the place of a colour in the tuples below

GREEN = ("#2bb58a", "#00704f", "green")
AMBER = ("#e69f00", "#855600", "yellow")
VERMILION = ("#f2804a", "#b03a00", "red")
MAGENTA = ("#dd94bd", "#96356f", "magenta")
PLAIN = ("", "", "")
STATES = {
    "running": AMBER,
    "queued": AMBER,
    "done": GREEN,
    "collapsed": MAGENTA,
    "failed": VERMILION,
    "lost": VERMILION,
}
RUNS = (
    ("#56b4e9", "#00639c", "cyan"),
    ("#e69f00", "#855600", "yellow"),
    ("#2bb58a", "#00704f", "green"),
    ("#dd94bd", "#96356f", "magenta"),
    ("#f0e442", "#6b6100", "bright_yellow"),
    ("#f2804a", "#b03a00", "red"),
    ("#8fa8ee", "#4254b5", "blue"),
)


def scheme_of(app: App[str]) -> int:
    """The scheme of the present theme. An ansi theme has the sixteen colours of the terminal."""
    theme = app.current_theme
    return ANSI if theme.ansi else DARK if theme.dark else LIGHT


def state_colour(state: str, scheme: int) -> str:
    """The colour of a state of a run; empty for states without a colour of their own."""
    return STATES.get(state, PLAIN)[scheme]


def run_colour(place: int | None, scheme: int) -> str:
    """The colour of a marked run by its place; empty for runs beyond the last colour and for unmarked runs."""
    return RUNS[place][scheme] if place is not None and place < len(RUNS) else ""
