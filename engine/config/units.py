"""Perturbation sizes: stored as fractions in [0,1], typed and shown in units of 1/255."""

import re

from engine.config.errors import ConfigError


def units(size: float) -> str:
    """Write a fraction in [0,1] in units of 1/255: `8`, `76.5`."""
    return f"{size * 255:.4g}"


def both_units(size: float) -> str:
    """Write a fraction in [0,1] in both units, `8/255 = 0.0314`, so that the unit is never in doubt."""
    return f"{units(size)}/255 = {size:.4g}"


def reading_of(text: str) -> str:
    """How a typed size was read if the other unit might be meant: `0.5 of 1 = 127.5/255`. Else an empty text.

    Only a decimal between 0 and 1 without a `/` is in doubt, because other numbers are in units of 1/255.
    """
    try:
        size = parse_size(text)
    except ConfigError:
        return ""
    return f"{text.strip()} of 1 = {units(size)}/255" if size > 0 and size == _number(text) else ""


def _number(text: str) -> float | None:
    """The number that a text is as a whole; None for a fraction and for other texts."""
    try:
        return float(text)
    except ValueError:
        return None


def parse_size(text: str) -> float:
    """Read a perturbation size that a user typed. Returns a fraction in [0,1].

    `8` is in units of 1/255, `8/255` is a fraction, and a decimal below 1 (`0.3`) is already in [0,1].

    Raises: ConfigError, if the text is not a number, or if the size is negative or above 1.
    """
    match = re.fullmatch(r"\s*([-+.\deE]+)\s*(?:/\s*([.\deE]+))?\s*", text)
    try:
        if not match:
            raise ValueError
        value = float(match[1])
        size = value / float(match[2]) if match[2] else value if abs(value) < 1 else value / 255
    except (ValueError, ZeroDivisionError):
        raise ConfigError(f"{text!r} is not a size: type 8 (meaning 8/255), 8/255 or 0.03") from None
    if not 0 <= size <= 1:
        raise ConfigError(f"{text!r} is {size:.4g}, outside [0,1]: type 8 (meaning 8/255), 8/255 or 0.03")
    return size
