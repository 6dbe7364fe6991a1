"""The names of the runs of the history, read without the rest of the rows, for a shell that completes a word."""

import re
from collections import Counter
from pathlib import Path

import msgspec
from msgspec import Struct

from engine.config.typed import decode

ONE_WORD = re.compile(r"[\w.,:+=@/-]+")  # a name that a shell takes as it stands


class _Row(Struct):
    name: str = ""


class _File(Struct):
    runs: dict[str, _Row]


def unique_names(path: Path) -> list[str]:
    """The names that only one run has and that need no quotes; none if the file is missing or cannot be read."""
    try:
        rows = decode(path.read_bytes(), _File).runs
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return []
    counts = Counter(row.name for row in rows.values())
    return sorted(name for name, count in counts.items() if count == 1 and ONE_WORD.fullmatch(name))
