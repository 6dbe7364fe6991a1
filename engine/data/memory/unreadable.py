"""What NumPy and the zip library raise for damaged files of arrays, and why in a few words."""

import tokenize
import zipfile
import zlib

MAX_REASON = 100  # characters: zipfile quotes whole headers

UNREADABLE = (
    zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, MemoryError, NotImplementedError,
    ValueError, TypeError, SyntaxError, tokenize.TokenError, OverflowError,
)  # fmt: skip  # from ValueError on: of the header of an array, which is a Python literal


def short_reason(error: Exception) -> str:
    """The first line of an error, shortened; the kind of error if it has no text."""
    line = str(error).strip().partition("\n")[0]
    if not line.isprintable() or not line:
        return type(error).__name__
    return line if len(line) <= MAX_REASON else f"{line[: MAX_REASON - 1]}…"
