"""Reads CSV: the curve of a run (with a column `step` or `epoch`), or a table of results (a line for each run)."""

import csv
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TextIO

from fastadv_tui.foreign.found import (
    MAX_NAMES,
    MAX_RUNS,
    MAX_TEXT,
    Budget,
    FoundRun,
    ImportFileError,
    Point,
    checked_step,
    checked_text,
)

STEPS = ("step", "global_step", "iteration", "iter", "_step")
EPOCHS = ("epoch",)
TIMES = ("wall_time", "_timestamp", "timestamp")
RUNS = ("run", "run_id")
STAGES = {"watch": "watch/", "final": "final/", "guard": "guard/"}  # of `fastadv export`
FACTS = ("name", "dataset", "method", "norm", "eps", "seed", "attack", "images")

MAX_LINE = 1_000_000  # characters

Line = dict[str, str]  # the cells by the name of their column, in lower case


def read_csv(path: Path) -> list[FoundRun]:
    """The runs of a file. Raises: ImportFileError; OSError."""
    if path.exists() and not path.is_file():
        raise ImportFileError("is no file; type the path of a CSV file")
    try:
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            return _read(file, path.stem)
    except csv.Error as error:
        raise ImportFileError(f"is no CSV that can be read ({error})") from None


def _read(file: TextIO, stem: str) -> list[FoundRun]:
    csv.field_size_limit(MAX_TEXT)
    names, lines = _lines(file)
    if _first(names, STEPS + EPOCHS) is None:
        return [_result(number, line) for number, line in lines]
    found: dict[str, FoundRun] = {}
    budget = Budget()
    for number, line in lines:
        key = next((line[name] for name in RUNS if line.get(name)), "")
        run = found.setdefault(key, FoundRun(name=key or stem))
        if len(found) > MAX_RUNS:
            raise ImportFileError(f"has more than {MAX_RUNS:,} runs; import a part of it")
        budget.point()
        run.points.append(_point(number, line, len(run.points) + 1))
    return [*found.values()]


def _lines(file: TextIO) -> tuple[list[str], Iterator[tuple[int, Line]]]:
    """The names of the columns, and each line with its number. A line of other length is refused later, by number."""
    reader = csv.reader(_short_lines(file))
    names = [checked_text(name).strip() for name in next(reader, [])]
    if not names:
        raise ImportFileError("is empty; the first line must have the names of the columns")
    if len(names) > MAX_NAMES:
        raise ImportFileError(f"has more than {MAX_NAMES:,} columns")
    lowered = [name.casefold() for name in names]

    def lines() -> Iterator[tuple[int, Line]]:
        for cells in reader:
            if len(cells) > len(names):
                raise ImportFileError(f"has {len(cells)} cells in line {reader.line_num}, but {len(names)} columns")
            yield reader.line_num, dict(zip(lowered, (cell.strip() for cell in cells), strict=False))

    return lowered, lines()


def _short_lines(file: TextIO) -> Iterator[str]:
    """The lines of a file. Raises: ImportFileError, for a line that does not end: memory must hold it."""
    while line := file.readline(MAX_LINE):
        if len(line) == MAX_LINE:
            raise ImportFileError(f"has a line of more than {MAX_LINE:,} characters")
        yield line


def _point(number: int, line: Line, place: int) -> Point:
    step, epoch = _first_number(number, line, STEPS), _first_number(number, line, EPOCHS)
    stage = STAGES.get(line.get("stage", ""), "")
    taken = {*STEPS, *EPOCHS, *TIMES, *RUNS, *FACTS, "type", "stage", "split", "t", "elapsed", "trained"}
    values = {}
    for name, cell in line.items():
        if name not in taken and cell and (value := _number_or_none(cell)) is not None:
            values[stage + name if name in ("clean", "robust") else name] = value
    return Point(
        step=checked_step(place if step is None else round(step)),
        epoch=epoch,
        t=_first_number(number, line, TIMES) or 0.0,
        values=values,
    )


def _result(number: int, line: Line) -> FoundRun:
    """A line of a table of results. Its figures are those after training."""
    if number > MAX_RUNS + 1:
        raise ImportFileError(f"has more than {MAX_RUNS:,} runs; import a part of it")
    facts = {name: line[name] for name in FACTS if line.get(name)}
    values = {name: value for name, cell in line.items()
              if name not in FACTS and (value := _number_or_none(cell)) is not None}  # fmt: skip
    name = facts.pop("name", "") or line.get("id", "") or f"line {number}"
    point = Point(step=0, epoch=None, t=0.0, values={_as_final(name): value for name, value in values.items()})
    return FoundRun(name=name, points=[point], facts=facts)


def _as_final(name: str) -> str:
    return f"final/{name}" if name in ("clean", "robust") else name


def _first(names: Mapping[str, object] | list[str], wanted: tuple[str, ...]) -> str | None:
    return next((name for name in wanted if name in names), None)


def _first_number(number: int, line: Line, wanted: tuple[str, ...]) -> float | None:
    """The number in the first of several columns that the line has. Raises: ImportFileError, if it is none."""
    name = next((name for name in wanted if line.get(name)), None)
    if name is None:
        return None
    value = _number_or_none(line[name])
    if value is None:
        raise ImportFileError(f"has {line[name]!r} as {name} in line {number}, which is not a number")
    return value


def _number_or_none(cell: str) -> float | None:
    """The finite number in a cell; `45%` is 0.45."""
    try:
        value = float(cell.removesuffix("%"))
    except ValueError:
        return None
    return value / (100 if cell.endswith("%") else 1) if math.isfinite(value) else None
