"""What the readers of foreign files find: runs with points, and the limits that keep a hostile file small."""

from typing import Any

from msgspec import Struct, field

from fastadv_tui.errors import UserError

MAX_POINTS = 1_000_000  # of all runs of one import
MAX_NAMES = 2_000  # columns or tags of one run
MAX_RUNS = 1_000
MAX_TEXT = 10_000  # characters of a name, of a setting, or of a cell
MAX_STEP = 2**53


class ImportFileError(UserError):
    """A file cannot be imported. The message begins with the file."""


class Point(Struct):
    """Values by the name that the file has for them. epoch: None if the file does not say. t: Unix time, or 0."""

    step: int
    epoch: float | None
    t: float
    values: dict[str, float]


class FoundRun(Struct):
    """One run of a file. facts: of the table of results (`eps`, `method`, ...), as texts. settings: as in the file."""

    name: str
    points: list[Point] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)


class Budget:
    """Counts what an import has read. Raises: ImportFileError, beyond a limit."""

    def __init__(self) -> None:
        self._points, self._names = 0, set[str]()

    def point(self) -> None:
        self._points += 1
        if self._points > MAX_POINTS:
            raise ImportFileError(f"has more than {MAX_POINTS:,} points; import a part of it")

    def name(self, name: str) -> str:
        if name not in self._names:
            self._names.add(checked_text(name))
            if len(self._names) > MAX_NAMES:
                raise ImportFileError(f"has more than {MAX_NAMES:,} names of figures; import a part of it")
        return name


def checked_text(text: str) -> str:
    """Raises: ImportFileError, if a text is too long."""
    if len(text) > MAX_TEXT:
        raise ImportFileError(f"has a text of {len(text):,} characters, more than {MAX_TEXT:,}")
    return text


def checked_step(step: int) -> int:
    """Raises: ImportFileError, if a number of weight updates cannot be one."""
    if not 0 <= step <= MAX_STEP:
        raise ImportFileError(f"has the step {step}, which no training reaches")
    return step
