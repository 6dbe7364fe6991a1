"""Makes foreign text safe to print: names, notes and logs never act as control sequences or markup."""

import unicodedata

MAX_LINE_LENGTH = 2000  # characters
_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}  # control, format (bidi overrides), surrogates, line separators
_VARIATION = "\ufe0f"  # variation selector: part of an emoji
_JOINER = "\u200d"  # zero-width joiner: part of an emoji. Elsewhere it swallows the next character on a terminal


def one_line(text: str, limit: int = MAX_LINE_LENGTH) -> str:
    """The text as one printable line: cut to `limit` characters, with control characters escaped (`\\x1b`, `\\n`)."""
    shown = text if len(text) <= limit else text[: limit - 1] + "…"
    if shown.isascii() and shown.isprintable():
        return shown
    return "".join(map(_shown, ["", *shown], shown, [*shown[1:], ""]))


def _shown(before: str, character: str, after: str) -> str:
    if character.isascii():
        printable = character.isprintable()
    elif character == _JOINER:
        printable = _joins(before) and _joins(after)
    else:
        printable = character == _VARIATION or unicodedata.category(character) not in _HIDDEN
    return character if printable else character.encode("unicode_escape").decode()


def _joins(character: str) -> bool:
    """Whether a zero-width joiner beside this character makes an emoji."""
    return character == _VARIATION or unicodedata.category(character or " ") in {"So", "Sk"}


def run_label(name: str, run_id: str) -> str:
    """A run's name and id, for questions and titles. The runs of a sweep share their name, so the id is needed."""
    return f"{one_line(name, 30)} ({run_id})"
