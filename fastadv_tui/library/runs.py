"""A list of runs as a Python object."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, overload

from fastadv_tui.extras import load_extra
from fastadv_tui.history.row_table import table_of
from fastadv_tui.library.run import Run

if TYPE_CHECKING:
    import pandas
    import polars


class Runs(Sequence[Run]):
    """Runs in a fixed order. A slice is a list of runs, too."""

    def __init__(self, runs: Iterable[Run]) -> None:
        self._runs = tuple(runs)

    def __len__(self) -> int:
        return len(self._runs)

    @overload
    def __getitem__(self, place: int) -> Run: ...
    @overload
    def __getitem__(self, place: slice) -> "Runs": ...
    def __getitem__(self, place: int | slice) -> "Run | Runs":
        return Runs(self._runs[place]) if isinstance(place, slice) else self._runs[place]

    def __repr__(self) -> str:
        return f"<{len(self)} runs>"

    def to_dict(self) -> dict[str, list[Any]]:
        """A list of values for each column: the columns of `fastadv runs`, changed settings, results of evaluations.

        Accuracies and sizes are in [0,1], durations in seconds, memory in bytes, times with a time zone.
        """
        return table_of([run.row for run in self])

    def to_pandas(self) -> "pandas.DataFrame":
        """A line for each run, with the columns of `to_dict`. Raises: MissingExtraError, without the package pandas."""
        frame: pandas.DataFrame = load_extra("pandas", "to_pandas").DataFrame(self.to_dict())
        return frame

    def to_polars(self) -> "polars.DataFrame":
        """A line for each run, with the columns of `to_dict`. Raises: MissingExtraError, without the package polars."""
        found = load_extra("polars", "to_polars").DataFrame(self.to_dict(), strict=False, infer_schema_length=None)
        frame: polars.DataFrame = found
        return frame
