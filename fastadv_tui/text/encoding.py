"""Output on terminals and in files whose encoding has only some of our characters, such as Latin-1 or ASCII."""

import codecs
import io
import sys

HANDLER = "fastadv-plain"  # name of the error handler
PLAIN = {
    "·": "-", "…": "...", "±": "+-", "°": "", "✓": "+", "●": "*", "○": "o", "◌": "o", "■": "#", "✗": "x", "↑": "^",
    "↓": "v", "→": "->", "━": "=", "╌": "-", "─": "-", "│": "|", "█": "#",
}  # fmt: skip


def print_everywhere() -> None:
    """Make standard output and error print plain marks for characters that their encoding lacks, and `?` for others."""
    codecs.register_error(HANDLER, _plain)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and not is_utf8(stream):
            stream.reconfigure(errors=HANDLER)


def is_utf8(stream: object) -> bool:
    """Whether a stream can write all characters."""
    return codecs.lookup(getattr(stream, "encoding", None) or "ascii").name == "utf-8"


def _plain(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    return "".join(PLAIN.get(character, "?") for character in error.object[error.start : error.end]), error.end
