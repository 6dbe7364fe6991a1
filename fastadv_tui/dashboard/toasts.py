"""Toasts that hide little of a small terminal: they go soon, and there are few at once."""

from textual.app import App
from textual.notifications import Notify, SeverityLevel

NARROW = 100  # columns; in fewer, toasts cover what the user looks at
SECONDS = 4.0  # that a toast stays there; an error stays as long as elsewhere
MOST = 2  # toasts at once there


class SmallToasts(App[str]):
    """An app that is sparing with toasts if its terminal is narrow."""

    @property
    def narrow(self) -> bool:
        return self.size.width < NARROW

    def notify(
        self,
        message: str,
        *,
        title: str = "",
        severity: SeverityLevel = "information",
        timeout: float | None = None,
        markup: bool = True,
    ) -> None:
        if self.narrow and severity != "error":
            timeout = min(timeout or SECONDS, SECONDS)
        super().notify(message, title=title, severity=severity, timeout=timeout, markup=markup)

    def on_notify(self, event: Notify) -> None:
        """Make room for a toast, just before Textual shows it: the oldest goes, and an error last."""
        present = sorted(self._notifications, key=lambda toast: (toast.severity == "error", toast.raised_at))
        for toast in present[: max(len(present) - MOST + 1, 0)] if self.narrow else ():
            self._unnotify(toast, refresh=False)
