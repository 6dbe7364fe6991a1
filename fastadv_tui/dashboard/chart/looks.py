"""The styles of what a chart draws: the colours of the runs, and those of the theme for axes and words.

Styles and not component classes of a style sheet, because Textual computes all classes of each chart, used or not.
"""

from rich.style import Style as RichStyle
from textual.style import Style

from fastadv_tui.dashboard.chart.series import AXIS, CURSOR, FAINT, GRID, MARK, REST, TEXT, THRESHOLD
from fastadv_tui.dashboard.colours import ANSI, RUNS

THEMED = {  # by look: the style in a theme with true colours, and in one with the terminal's sixteen
    REST: ("$foreground 70%", "ansi_default"),
    GRID: ("$foreground 15%", "ansi_bright_black"),
    AXIS: ("$foreground 35%", "ansi_default"),
    THRESHOLD: ("$error", "ansi_red"),
    MARK: ("$warning", "ansi_yellow"),
    TEXT: ("$foreground 70%", "ansi_default"),
}
UNDER_CURSOR = ("on $foreground 25%", "on ansi_bright_black")


def style_of(look: int, scheme: int, base: Style) -> RichStyle:
    """The style of a look, with its flags. scheme: of the active theme, see `colours`. base: style of the chart."""
    style = (base + Style.parse(_colour(look % FAINT, scheme))).rich_style
    if look & FAINT:
        style += RichStyle(dim=True)
    if look & CURSOR:  # the ground alone, so that the colour of a half-transparent line stays
        style += RichStyle(bgcolor=(base + Style.parse(UNDER_CURSOR[scheme == ANSI])).rich_style.bgcolor)
    return style


def _colour(look: int, scheme: int) -> str:
    if look in THEMED:
        return THEMED[look][scheme == ANSI]
    return f"ansi_{RUNS[look][ANSI]}" if scheme == ANSI else RUNS[look][scheme]
