"""Labels that say only what tells runs apart."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from engine.config.norms import Norm
from fastadv_tui.history.row import Row
from fastadv_tui.history.run_settings import differing_settings, setting_text
from fastadv_tui.text.sanitize import one_line

METHODS = {"fgsm": "FGSM", "nfgsm": "N-FGSM", "pgd": "PGD", "free": "Free", "standard": "Standard"}
MAX_LABEL = 40  # characters


def labels_of(rows: Sequence[Row], without_seed: bool = False) -> list[str]:
    """A label for each run: its values of the settings in which the runs differ; empty for a single run.

    without_seed: the runs stand for groups that differ in more than the seed. Runs that share all settings get their
    ids.
    """
    if len(rows) < 2:
        return [""] * len(rows)
    differing = [(key, values) for key, values in differing_settings(rows) if not (without_seed and key == "seed")]
    labels = [
        one_line(", ".join(_part(key, values[number], rows[number].norm) for key, values in differing), MAX_LABEL)
        for number in range(len(rows))
    ]
    shared = Counter(labels)
    return [
        ", ".join(filter(None, (label, row.id))) if shared[label] > 1 or not label else label
        for label, row in zip(labels, rows, strict=True)
    ]


def _part(key: str, value: Any, norm: Norm) -> str:
    if key == "method.name":
        return METHODS.get(str(value), str(value))
    if key in ("dataset", "model.name", "preset"):
        return str(value)
    name = "ε" if key == "eps" else "α" if key == "method.alpha" else key.rpartition(".")[2].replace("_", " ")
    return f"{name} {setting_text(key, value, norm)}"
