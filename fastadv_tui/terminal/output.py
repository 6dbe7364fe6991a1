"""What commands print beside their answer."""

import sys
from collections.abc import Iterable

from fastadv_tui.text.sanitize import line


def tell(notices: Iterable[str]) -> None:
    """What the history had to say."""
    for notice in notices:
        print(f"fastadv: {line(notice)}", file=sys.stderr)
