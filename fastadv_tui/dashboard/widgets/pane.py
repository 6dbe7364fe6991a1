"""A part of a screen whose size the user can change: with a key, or by dragging its edge with the mouse."""

from typing import Any, Literal

from textual.containers import Vertical
from textual.events import MouseDown, MouseMove, MouseUp
from textual.message import Message

LEAST, MOST = 20, 120  # cells of a pane's width
LEAST_HEIGHT, MOST_HEIGHT = 4, 40
STEP = 2  # cells by which a key changes the size

Edge = Literal["left", "right", "top"]


class Pane(Vertical):
    """A container with a movable edge. Its size is kept until the user changes it again."""

    class Resized(Message):
        """The user gave the pane another size, in cells."""

        def __init__(self, pane: "Pane", cells: int) -> None:
            super().__init__()
            self.pane, self.cells = pane, cells

        @property
        def control(self) -> "Pane":
            return self.pane

    def __init__(self, edge: Edge, **options: Any) -> None:
        super().__init__(**options)
        self._edge = edge
        self._dragged = False
        self._cells: int | None = None  # the size that the user chose

    @property
    def cells(self) -> int:
        """The present size: the height if the top edge moves, else the width."""
        return self.size.height if self._edge == "top" else self.size.width

    def resize(self, cells: int) -> None:
        """Take another size, within sensible limits."""
        least, most = (LEAST_HEIGHT, MOST_HEIGHT) if self._edge == "top" else (LEAST, MOST)
        self._cells = min(max(cells, least), most)
        self._apply(self._cells)

    def let_go(self) -> None:
        """Have the size of the style sheet, until `resume`."""
        self._apply(None)

    def resume(self) -> None:
        """Have the size that the user chose, if there is one."""
        self._apply(self._cells)

    def _apply(self, cells: int | None) -> None:
        if self._edge == "top":
            self.styles.height = cells
        else:
            self.styles.width = cells

    def change(self, steps: int) -> None:
        """Grow by some steps; shrink if `steps` is negative."""
        self._resize_and_tell(self.cells + STEP * steps)

    def _resize_and_tell(self, cells: int) -> None:
        self.resize(cells)
        assert self._cells is not None
        self.post_message(self.Resized(self, self._cells))

    def on_mouse_down(self, event: MouseDown) -> None:
        region = self.region
        at_edge = {
            "left": event.screen_x == region.x,
            "right": event.screen_x == region.right - 1,
            "top": event.screen_y == region.y,
        }
        if at_edge[self._edge]:
            event.stop()
            self._dragged = True
            self.capture_mouse()

    def on_mouse_move(self, event: MouseMove) -> None:
        if self._dragged:
            region = self.region
            self.resize(
                round(
                    {
                        "left": region.right - event.screen_x,
                        "right": event.screen_x + 1 - region.x,
                        "top": region.bottom - event.screen_y,
                    }[self._edge]
                )
            )

    def on_mouse_up(self, event: MouseUp) -> None:
        if self._dragged:
            self._dragged = False
            self.release_mouse()
            self._resize_and_tell(self.cells)
