"""Perturbation sizes: eps and step sizes. Every place that reads or writes one for people calls this file.

With the norm linf, files store fractions in [0,1], and people type and read units of 1/255. With the norm l2, files
store plain numbers for images in [0,1], and people type and read the same numbers: 0.5, 1.5 or 128/255.
"""

import math
import re

from engine.config.errors import ConfigError
from engine.config.norms import L2, LINF

_EXAMPLES = {LINF: "type 8 (meaning 8/255), 8/255 or 0.03", L2: "type a plain number for norm l2, as 0.5 or 128/255"}


def units(size: float, norm: str = LINF) -> str:
    """Write a stored size as people type it: for linf in units of 1/255 (`8`, `76.5`), for l2 as it is (`0.5`)."""
    return f"{size * 255 if norm == LINF else size:.4g}"


def with_unit(size: float, norm: str = LINF) -> str:
    """Write a stored size with its unit, if it has one: `8/255` for linf, `0.5` for l2."""
    return f"{units(size, norm)}/255" if norm == LINF else units(size, norm)


def reading_of(text: str, norm: str = LINF) -> str:
    """How a typed size was read if the other unit might be meant: `0.5 of 1 = 127.5/255`. Else an empty text.

    Only a decimal between 0 and 1 without a `/` is in doubt, because other numbers are in units of 1/255. With norm l2,
    no number is in doubt.
    """
    try:
        size = parse_size(text, norm)
    except ConfigError:
        return ""
    doubtful = norm == LINF and size > 0 and size == _number(text)
    return f"{text.strip()} of 1 = {units(size)}/255" if doubtful else ""


def _number(text: str) -> float | None:
    """The number that a text is as a whole; None for a fraction and for other texts."""
    try:
        return float(text)
    except ValueError:
        return None


def threat_text(norm: str, *sizes: float) -> str:
    """Write threat models of one norm: `eps 8/255` or `eps 2, 4/255` for linf, `l2 eps 0.5` for l2.

    sizes: of eps, as stored.
    """
    numbers = ", ".join(units(size, norm) for size in sizes)
    return f"eps {numbers}/255" if norm == LINF else f"{norm} eps {numbers}"


def eps_text(eps: float, norm: str = LINF) -> str:
    """Write eps for a place with the heading `eps`, without the unit of linf: `8` for linf, `l2 0.5` for l2."""
    return units(eps, norm) if norm == LINF else f"{norm} {units(eps, norm)}"


def both_units(size: float, norm: str = LINF) -> str:
    """Write a stored size so that the unit is never in doubt: `8/255 = 0.0314` for linf, `0.5 (l2)` for l2."""
    return f"{units(size)}/255 = {size:.4g}" if norm == LINF else f"{units(size, norm)} ({norm})"


def typed_size(size: float, norm: str = LINF) -> str:
    """Write a stored size as a text that `parse_size` reads as exactly this size."""
    if norm == LINF:
        text = units(size) if size * 255 >= 1 else f"{units(size)}/255"
        return text if parse_size(text) == size else f"{size!r}/1"  # in 1/255, four digits say too little
    texts = (units(size, norm), f"{units(size)}/255")
    return next((text for text in texts if parse_size(text, norm) == size), repr(size))


def parse_size(text: str, norm: str = LINF) -> float:
    """Read a perturbation size that a user typed. Returns the size as it is stored.

    For linf, `8` is in units of 1/255, `8/255` is a fraction, and a decimal below 1 (`0.3`) is already in [0,1]. For
    l2, `0.5`, `8` and `128/255` are the numbers that they say.

    Raises: ConfigError, if the text is not a number, if the size is negative, or if it is above 1 for linf.
    """
    match = re.fullmatch(r"\s*([-+.\deE]+)\s*(?:/\s*([.\deE]+))?\s*", text)
    examples = _EXAMPLES[L2 if norm == L2 else LINF]
    try:
        if not match:
            raise ValueError
        value = float(match[1])
        in_units = norm == LINF and not match[2] and abs(value) >= 1
        size = value / float(match[2]) if match[2] else value / 255 if in_units else value
    except (ValueError, ZeroDivisionError):
        raise ConfigError(f"{text!r} is not a size: {examples}") from None
    if norm == LINF and not 0 <= size <= 1:
        raise ConfigError(f"{text!r} is {units(size)} in 1/255, allowed are 0 to 255: {examples}")
    if not (size >= 0 and math.isfinite(size)):
        raise ConfigError(f"{text!r} is {size:.4g}, which is no radius: {examples}")
    return size
