"""Colours of headless commands: only on a terminal, and from the sixteen that the user's terminal theme sets."""

import os
import sys

import typer

STATE_COLOURS = {  # those of the dashboard; the glyph and the word say the same without colour
    "running": typer.colors.YELLOW,
    "queued": typer.colors.YELLOW,
    "done": typer.colors.GREEN,
    "collapsed": typer.colors.MAGENTA,
    "failed": typer.colors.RED,
    "lost": typer.colors.RED,
}


def wanted() -> bool:
    """Whether standard output takes colours. `NO_COLOR` and a terminal that is `dumb` turn them off."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def of_state(state: str, text: str) -> str:
    """A text in the colour of a state (see `Row.state`)."""
    return typer.style(text, fg=STATE_COLOURS[state]) if state in STATE_COLOURS else text
