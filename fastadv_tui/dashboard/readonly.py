"""The actions that a read-only dashboard hides."""

from typing import Any

CHANGES = frozenset({"launch", "again", "stop", "resume", "pin", "tag", "note", "rename", "delete", "demo", "evaluate"})

READONLY = "this dashboard is read-only"


class ReadonlyActions:
    """Base of the app and the screens. Read-only, actions that change runs are not in the footer, help or palette."""

    def check_action(self: Any, action: str, parameters: tuple[object, ...]) -> bool | None:
        return not (self.app.readonly and action in CHANGES)
