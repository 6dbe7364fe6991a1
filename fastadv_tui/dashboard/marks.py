"""The runs that the user marked. Each keeps one colour and one glyph on every screen, until it is unmarked."""

import itertools
from collections.abc import Iterable, Iterator, Mapping

GLYPHS = "▣◆▲◈◉◧✚"  # one for each colour of a run
BEYOND = "▪"  # the glyph of the runs for which no colour is left


class Marks:
    """Run ids in the order in which they were marked, each with its place: the number of its colour and glyph.

    Another thread may read the marks while this one changes them.
    """

    def __init__(self) -> None:
        self._places: Mapping[str, int] = {}  # replaced, never changed, since the thread that follows runs reads it

    def __contains__(self, run_id: object) -> bool:
        return run_id in self._places

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    @property
    def free_place(self) -> int:
        """The place that the next marked run gets: the lowest that no run has."""
        taken = set(self._places.values())
        return next(place for place in range(len(taken) + 1) if place not in taken)

    def toggle(self, run_id: str) -> None:
        """Mark a run, or unmark it if it is marked."""
        if run_id in self._places:
            self._places = {known: place for known, place in self._places.items() if known != run_id}
        else:
            self._places = {**self._places, run_id: self.free_place}

    def clear(self) -> None:
        self._places = {}

    def place(self, run_id: str) -> int | None:
        """The place of a marked run; None for any other run."""
        return self._places.get(run_id)

    def places_of(self, run_ids: Iterable[str]) -> list[int]:
        """The places of runs that are shown together. A run that is not marked gets a free place, for this time."""
        taken = set(self._places.values())
        free = (place for place in itertools.count() if place not in taken)
        return [next(free) if (place := self.place(run_id)) is None else place for run_id in run_ids]

    def glyph(self, run_id: str) -> str:
        """The glyph of a marked run; a blank for any other run."""
        place = self.place(run_id)
        return " " if place is None else glyph_at(place)


def glyph_at(place: int) -> str:
    """The glyph of a place."""
    return GLYPHS[place] if place < len(GLYPHS) else BEYOND
