"""What a read-only dashboard does not offer."""

from typing import Any

CHANGES = frozenset({"launch", "again", "stop", "resume", "pin", "tag", "note", "rename", "delete"})


class ReadonlyActions:
    """A screen or an app: in a read-only dashboard, actions that change something are in no footer, help or palette."""

    def check_action(self: Any, action: str, parameters: tuple[object, ...]) -> bool | None:
        return not (self.app.readonly and action in CHANGES)
