"""Showing text of strangers: names, notes and logs are data, never control sequences and never markup."""

import unicodedata
from collections import Counter
from collections.abc import Sequence

WIDEST = 2000  # characters of one line that anybody wants to see
_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}  # control, format (bidi overrides), surrogates, line separators
_JOINERS = {"\u200d", "\ufe0f"}  # what emoji are made with


def one_line(text: str, limit: int = WIDEST) -> str:
    """One printable line: what a terminal might obey is spelled out (`\\x1b`, `\\n`), and a long tail is cut."""
    shown = text if len(text) <= limit else text[: limit - 1] + "…"
    return "".join(_shown(character) for character in shown)


def _shown(character: str) -> str:
    if character.isascii():
        return character if character.isprintable() else character.encode("unicode_escape").decode()
    if character in _JOINERS or unicodedata.category(character) not in _HIDDEN:
        return character
    return character.encode("unicode_escape").decode()


def run_label(name: str, run_id: str) -> str:
    """A run in a question or a title: with its id, as the runs of a sweep share their name."""
    return f"{one_line(name, 30)} ({run_id})"


def distinct_labels(runs: Sequence[tuple[str, str]], limit: int) -> list[str]:
    """Names to tell runs apart by, from (name, id): the id stands in where several share a name, as in a sweep."""
    shared = Counter(name for name, _ in runs)
    return [run_id if shared[name] > 1 else one_line(name, limit) for name, run_id in runs]
