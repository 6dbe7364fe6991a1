"""The views of the history: its filter, order, groups and columns, saved under a name."""

from textual.widgets import Input

from fastadv_tui.dashboard.screens.choice_dialog import ChoiceDialog
from fastadv_tui.dashboard.screens.history_actions import HistoryActions
from fastadv_tui.dashboard.settings import View
from fastadv_tui.history.columns import column_of
from fastadv_tui.text.sanitize import one_line

SAVE, REMOVE = "save changes to ", "remove "  # entries of the dialog of views
MAX_NAME = 24  # characters of the name of a view


class HistoryViews(HistoryActions):
    """A screen of runs with views. A subclass has the methods of `ShownRuns` and the input `#query`."""

    def __init__(self, begin: View, view: str) -> None:
        """begin: order and groups at the start. view: the name of a view, or empty."""
        super().__init__(id="history")
        self._sort, self._group, self._view = begin.sort, begin.group, view

    @property
    def columns(self) -> tuple[str, ...]:
        """The keys of the columns that the user chose."""
        return tuple(key for key in self.fastadv.settings.columns if column_of(key))

    @property
    def _query(self) -> Input:
        return self.query_one("#query", Input)

    def _present_view(self) -> View:
        return View(filter=self._query.value, sort=self._sort, group=self._group, columns=self.columns)

    def view_text(self) -> str:
        """The name of the view, and whether the screen shows anything else by now. Empty without a view."""
        if not self._view:
            return ""
        saved, present = self.fastadv.settings.views.get(self._view), self._present_view()
        shown = (present.filter, present.sort, present.group)
        same = saved is not None and (saved.filter, saved.sort, saved.group) == shown
        same = same and (saved is None or not saved.columns or saved.columns == present.columns)
        return f"view: {one_line(self._view, MAX_NAME)}{'' if same else ', changed'}"

    def action_views(self) -> None:
        views = self.fastadv.settings.views
        present = [f"{SAVE}{self._view}", f"{REMOVE}{self._view}"] if self._view in views else []
        title = "Open a view, or type a new name to save the filter, order, groups and columns"
        self.app.push_screen(ChoiceDialog(title, [*views, *present], self._view, new=True), self._choose_view)

    def _choose_view(self, chosen: str | None) -> None:
        views = self.fastadv.settings.views
        if chosen is None:
            return
        if chosen in views:
            self._open_view(chosen, views[chosen])
            return
        if chosen == f"{REMOVE}{self._view}":
            said, remembered = "removed", {name: view for name, view in views.items() if name != self._view}
            name, self._view = self._view, ""
        else:
            name = self._view = chosen.removeprefix(SAVE) if chosen == f"{SAVE}{self._view}" else chosen
            said, remembered = "saved", {**views, name: self._present_view()}
        self.fastadv.remember("views", remembered)
        self.notify(f"view {said}: {one_line(name, MAX_NAME)}", markup=False)
        self._shown.draw_lines()

    def _open_view(self, name: str, view: View) -> None:
        self._view, self._sort, self._group, self._query.value = name, view.sort, view.group, view.filter
        if view.columns:
            self.fastadv.remember("columns", view.columns)
        self._shown.draw_lines()
