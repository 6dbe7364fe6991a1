"""Whether a run is of a variant of a method, such as FGSM with zero start or FGSM with early stopping."""

import math
from collections.abc import Mapping
from typing import Any

from fastadv_tui.history.row import Row
from fastadv_tui.history.run_settings import setting_of

EARLY_STOP = "early_stop.enabled"
ON_COLLAPSE = "on_collapse"  # `stop` means what EARLY_STOP meant in version 0.1


def has_settings(run: Row, settings: Mapping[str, Any]) -> bool:
    """Whether a run has these settings. settings: values by dotted key; sizes may differ by rounding."""
    return all(_equal(_value_of(run, key), value) for key, value in settings.items())


def _value_of(run: Row, key: str) -> Any:
    if key == EARLY_STOP:
        return bool(setting_of(run, key)) or setting_of(run, ON_COLLAPSE) == "stop"
    return setting_of(run, key)


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-6)
    return bool(one == other)
