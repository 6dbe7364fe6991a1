"""One mutated file or folder: how it was made, how the product reads it, and what is wrong with the answer."""

import contextlib
import os
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from engine.config.errors import UserError

MOST_LINES = 2
MEMORY = "MemoryError"  # in a message: the file made the product ask for more memory than the process may have


class WrongError(AssertionError):
    """What the product read is not what the file holds."""


@dataclass(frozen=True)
class Trial:
    """what: the mutation in words. read: reads with the product's functions, and compares with what the file holds.

    `read` raises WrongError, if the answer is wrong, and any error of the product. refusals: the exceptions besides
    UserError that name one broken image, or that a command answers in one line. command: the words of a whole command.
    """

    what: str
    read: Callable[[], None]
    command: tuple[str, ...]
    refusals: tuple[type[Exception], ...] = ()


def finding(trial: Trial) -> tuple[str, str]:
    """Whether the file was "read" or "refused", and what is wrong about that, or ""."""
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            trial.read()
            outcome, wrong = "read", ""
        except WrongError as error:
            outcome, wrong = "read", str(error)
        except (UserError, *trial.refusals) as error:
            outcome, wrong = "refused", wrong_message(str(error))
        except Exception as error:  # that is what is searched for
            outcome, wrong = "refused", f"{type(error).__name__} instead of one line: {error}"
    if warned and not wrong:
        wrong = f"a warning reaches the user: {warned[0].category.__name__}: {warned[0].message}"
    return outcome, wrong


def wrong_message(message: str) -> str:
    """What is wrong with a message to the user, or ""."""
    if not message.strip():
        return "an empty message"
    if message.count("\n") > MOST_LINES:  # a name may hold a line break, which is escaped where the message is printed
        return f"a message of several lines, as libraries write: {message!r}"
    if MEMORY in message:
        return f"it asks for more memory than there is: {message}"
    return ""


@contextlib.contextmanager
def inside(folder: Path) -> Iterator[None]:
    """Work in a folder, because the path of a socket must be short."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
