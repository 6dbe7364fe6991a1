"""Colours of headless commands: only on a terminal, and from the sixteen that the user's terminal theme sets."""

import os
import sys

import typer

STATUS_COLOURS = {  # the glyph and the word say the same without colour
    "running": typer.colors.GREEN,
    "queued": typer.colors.YELLOW,
    "done": typer.colors.BLUE,
    "failed": typer.colors.RED,
    "lost": typer.colors.RED,
}


def wanted() -> bool:
    """Whether standard output takes colours. `NO_COLOR` and a terminal that is `dumb` turn them off."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def of_status(status: str, text: str) -> str:
    """A text in the colour of a status."""
    colour = STATUS_COLOURS.get(status)
    return typer.style(text, fg=colour) if colour else typer.style(text, dim=status in ("stopped", "cancelled"))
