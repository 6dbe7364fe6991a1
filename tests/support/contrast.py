"""The contrast of what is drawn on a screen, by WCAG 2: cells with text against their background."""

from collections.abc import Iterator

from rich.color_triplet import ColorTriplet
from rich.style import Style
from textual.app import App

LINES = frozenset(map(chr, [*range(0x2500, 0x25A0), *range(0x2800, 0x2900)]))  # borders, grids, bars and curves


def luminance(colour: ColorTriplet) -> float:
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour.normalized]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: ColorTriplet, other: ColorTriplet) -> float:
    """The ratio of two colours, from 1 to 21."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def texts(app: App[str]) -> Iterator[tuple[str, ColorTriplet, ColorTriplet]]:
    """Every piece of text on the screen with its colour and that of its background."""
    for text, style in pieces(app):
        assert style.color is not None, f"{text!r} has no colour"
        assert style.bgcolor is not None, f"{text!r} has no background"
        pair = style.color.get_truecolor(), style.bgcolor.get_truecolor()
        yield text, *(reversed(pair) if style.reverse else pair)  # type: ignore[misc]


def grounds(app: App[str]) -> dict[str, str]:
    """Every piece of text on the screen with the name of its background."""
    return {text: style.bgcolor.name if style.bgcolor else "default" for text, style in pieces(app)}


def pieces(app: App[str]) -> Iterator[tuple[str, Style]]:
    """Every piece of text on the screen with its style. Pure lines, such as borders and curves, are left out.

    Of a dialog only its box: the screen under its veil is not to be read.
    """
    box = app.screen.region
    if app.screen.is_modal:
        box = app.screen.query("#dialog, #help, #--container").first().region
    for strip in app.screen._compositor.render_strips()[box.y : box.bottom]:
        for segment in strip.crop(box.x, box.right):
            text, style = segment.text.strip(), segment.style
            if style is not None and text and not LINES.issuperset(text.replace(" ", "")):
                yield text, style


def illegible(app: App[str], least: float = 4.5) -> dict[str, float]:
    """The pieces of text whose contrast is below `least`, with their contrasts."""
    found = {text: contrast(front, back) for text, front, back in texts(app)}
    return {text: round(value, 2) for text, value in found.items() if value < least}
