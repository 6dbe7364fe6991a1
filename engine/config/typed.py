"""Typed values from JSON and from plain values. A Ctrl-C that comes meanwhile waits until the value is there.

Use these functions and not msgspec's own. msgspec compares types in C when it meets one for the first time, and the
exception that a Ctrl-C raises is lost there.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, TypeVar, overload

import msgspec

T = TypeVar("T")


@overload
def decode(content: bytes | str, kind: type[T]) -> T: ...
@overload
def decode(content: bytes | str, kind: Any) -> Any: ...
def decode(content: bytes | str, kind: Any) -> Any:
    """Read JSON. Raises: msgspec.DecodeError, whose subclass ValidationError is for values that the type forbids."""
    return decoder(kind).decode(content)


@overload
def decoder(kind: type[T]) -> "msgspec.json.Decoder[T]": ...
@overload
def decoder(kind: Any) -> Any: ...
def decoder(kind: Any) -> Any:
    """What reads JSON of a type. A struct that was prepared here is prepared for msgspec.convert, too."""
    return _decoder(kind)


@cache
def _decoder(kind: Any) -> Any:
    with _interrupts_wait():
        return msgspec.json.Decoder(kind)


@overload
def convert(value: Any, kind: type[T], *, strict: bool = True) -> T: ...
@overload
def convert(value: Any, kind: Any, *, strict: bool = True) -> Any: ...
def convert(value: Any, kind: Any, *, strict: bool = True) -> Any:
    """Check a plain value against a type, and build the typed one. strict: "1" is no number.

    Raises: msgspec.ValidationError.
    """
    with _interrupts_wait():
        return msgspec.convert(value, kind, strict=strict)


@contextmanager
def _interrupts_wait() -> Iterator[None]:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
