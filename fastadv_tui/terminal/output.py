"""What commands print beside their answer."""

import sys
from collections.abc import Iterable

from fastadv_tui.text.sanitize import one_line


def tell(notices: Iterable[str]) -> None:
    """What the history had to say."""
    for notice in notices:
        print(f"fastadv: {one_line(notice)}", file=sys.stderr)
