"""The keys that arrange a screen with charts: zoom, sizes of panes, metrics, axes and the cursor."""

from textual.binding import Binding
from textual.widget import Widget

from fastadv_tui.dashboard.screens.base import Screen
from fastadv_tui.dashboard.widgets.metrics import METRICS, known
from fastadv_tui.dashboard.widgets.pane import Pane
from fastadv_tui.dashboard.widgets.training_curves import TrainingCurves
from fastadv_tui.dashboard.widgets.zoom import Zoom

PANES = ("left", "side", "log-pane")  # whose sizes the settings keep


class PanelKeys(Screen[None]):
    """A screen with training curves, and with the panels log, machine and facts, in panes."""

    BINDINGS = [
        *(
            Binding(key, f"curves({arguments})", words, id=name, show=False, tooltip=words[0].lower() + words[1:])
            for key, arguments, name, words in (
                ("t", "'toggle_x'", "x-axis", "X axis: epochs or time"),
                ("y", "'toggle_log'", "y-axis", "Y axis of the loss: linear or logarithmic"),
                ("s", "'toggle_smooth'", "smooth", "Smooth the noisy metrics"),
                ("left_square_bracket", "'move', -1", "cursor-left", "Cursor of the charts to the left"),
                ("right_square_bracket", "'move', 1", "cursor-right", "Cursor of the charts to the right"),
            )
        ),
        Binding("m", "metrics", "Metrics", id="metrics", show=False, tooltip="choose the metrics of the small charts"),
        Binding("z", "zoom", "Zoom", id="zoom", tooltip="show one panel alone; tab goes to the next one"),
        Binding("tab", "zoom_other(1)", "Next panel", show=False, tooltip="zoom the next panel instead"),
        Binding("shift+tab", "zoom_other(-1)", "Previous panel", show=False, tooltip="zoom the previous panel instead"),
        *(
            Binding(
                key,
                f"resize('{pane}', {steps})",
                words,
                id=words.lower().replace(" ", "-"),
                show=False,
                tooltip=f"{words.lower()}; the size is kept",
            )
            for key, pane, steps, words in (
                ("less_than_sign", "left", -1, "Narrow the list"),
                ("greater_than_sign", "left", 1, "Widen the list"),
                ("left_curly_bracket", "side", 1, "Widen the side"),
                ("right_curly_bracket", "side", -1, "Narrow the side"),
                ("plus", "log-pane", 1, "More log"),
                ("minus", "log-pane", -1, "Less log"),
            )
        ),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._zoom = Zoom(self)

    def action_metrics(self) -> None:
        """Choose the metrics of the small charts."""
        from fastadv_tui.dashboard.screens.columns_dialog import ColumnsDialog  # the first paint does not wait for it

        settings = self.fastadv.settings
        shown = [metric.key for metric in known(settings.metrics)]

        def chosen(keys: tuple[str, ...] | None) -> None:
            if keys is not None:
                self.fastadv.remember("metrics", keys)
                self.call_later(self.query_one(TrainingCurves).set_metrics, known(keys))

        others = [key for key in METRICS if key not in shown]
        self.app.push_screen(
            ColumnsDialog(shown, others, "Metrics", {key: metric.title for key, metric in METRICS.items()}), chosen
        )

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Tab goes to the next panel while one is zoomed, else to the next focus."""
        if action == "zoom_other" and self._zoom.panel is None:
            return False
        return super().check_action(action, parameters)

    def action_zoom(self) -> None:
        """Zoom the panel that has the focus, or the accuracy; or leave the zoom."""
        if self._zoom.panel is not None:
            self.leave_zoom()
            return
        panels = self._panels()
        focused = [panel for panel in panels if panel.has_focus]
        self._zoom.show(focused[0] if focused else panels[0])
        self.query_one(TrainingCurves).fit_charts()

    def action_zoom_other(self, by: int) -> None:
        """Zoom the next or the previous panel."""
        panels = self._panels()
        here = panels.index(self._zoom.panel) if self._zoom.panel in panels else 0
        self._zoom.show(panels[(here + by) % len(panels)])

    def _panels(self) -> list[Widget]:
        """The panels that can be zoomed, in their order."""
        others = [self.query_one(f"#{name}") for name in ("log", "machine", "facts")]
        return [*self.query_one(TrainingCurves).charts, *others]

    def leave_zoom(self) -> bool:
        """Show all panels again. Returns whether one was zoomed."""
        if self._zoom.panel is None:
            return False
        self._zoom.leave()
        self.query_one(TrainingCurves).fit_charts()
        return True

    # -- the panes --------------------------------------------------------------------------------------------

    def restore_panes(self) -> None:
        """Give the panes the sizes that the user chose."""
        for name, cells in self.fastadv.settings.panes.items():
            for pane in self.query(Pane).filter(f"#{name}") if name in PANES else ():
                pane.resize(cells)

    def action_resize(self, name: str, steps: int) -> None:
        pane = self.query_one(f"#{name}", Pane)
        if pane.size:
            pane.change(steps)
        else:
            self.notify("This panel has no room here. z and tab show it alone", severity="warning")

    def on_pane_resized(self, message: Pane.Resized) -> None:
        settings = self.fastadv.settings
        self.fastadv.remember("panes", {**settings.panes, str(message.pane.id): message.cells})

    def action_curves(self, what: str, *arguments: int) -> None:
        curves = self.query_one(TrainingCurves)
        getattr(curves, what)(*arguments)
        if curves.switches != self.fastadv.settings.curves:
            self.fastadv.remember("curves", curves.switches)
