"""Writes the events of runs as a parquet file, with the package pyarrow."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from engine.protocol.event_log import read
from engine.protocol.events import Evaluated, Step
from engine.protocol.files import FOR_ALL, replacing
from engine.protocol.rundir import RunDir
from fastadv_tui.extras import load_extra
from fastadv_tui.terminal.event_export import COLUMNS

TEXTS = ("run", "type", "stage", "split", "attack")
INTEGERS = ("step", "images")  # the other columns but the time `t` are numbers of 64 bits
ROWS = 50_000  # in a group of rows: a file of many runs need not fit into memory


def as_parquet(runs: Sequence[RunDir], path: Path) -> None:
    """Write the step and evaluated events of all runs as one table with the columns of the CSV format.

    `t` is a moment in UTC; a field that an event does not have is null. Raises: MissingExtraError; OSError.
    """
    pyarrow, parquet = load_extra("pyarrow", "--format parquet"), load_extra("pyarrow.parquet", "--format parquet")
    schema = pyarrow.schema([(name, _type(pyarrow, name)) for name in COLUMNS])
    with replacing(path, FOR_ALL) as file, parquet.ParquetWriter(file, schema) as writer:
        for rows in _slices(runs):
            writer.write_table(pyarrow.Table.from_pylist(rows, schema=schema))


def _slices(runs: Sequence[RunDir]) -> Iterator[list[dict[str, Any]]]:
    rows: list[dict[str, Any]] = []
    for run in runs:
        for event in read(run.events):
            if isinstance(event, Step | Evaluated):
                moment = datetime.fromtimestamp(event.t, UTC) if event.t else None
                rows.append({"run": run.id, **msgspec.to_builtins(event), "t": moment})
            if len(rows) == ROWS:
                yield rows
                rows = []
    yield rows


def _type(pyarrow: Any, name: str) -> Any:
    if name == "t":
        return pyarrow.timestamp("us", tz="UTC")
    if name in TEXTS:
        return pyarrow.string()
    return pyarrow.int64() if name in INTEGERS else pyarrow.float64()
