"""An event of a run as data for other programs."""

from typing import Any

import msgspec

from engine.protocol.events import Event
from fastadv_tui.text.quantities import known_iso_time


def event_as_data(event: Event) -> dict[str, Any]:
    """The fields of an event. Its time `t` is a text in ISO 8601 with its offset."""
    found: dict[str, Any] = msgspec.to_builtins(event)
    return {**found, "t": known_iso_time(event.t)}
