"""Prints notices of the history to standard error."""

import sys
from collections.abc import Iterable

from fastadv_tui.text.sanitize import one_line


def print_notices(notices: Iterable[str]) -> None:
    """Print notices, one line each."""
    for notice in notices:
        print(f"fastadv: {one_line(notice)}", file=sys.stderr)
