"""Labels that say only what tells runs apart."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from engine.config.methods import methods
from engine.config.norms import Norm
from fastadv_tui.history.row import Row
from fastadv_tui.history.run_settings import differing_settings, setting_text
from fastadv_tui.text.sanitize import one_line

MAX_LABEL = 40  # characters


def labels_of(rows: Sequence[Row], without_seed: bool = False) -> list[str]:
    """A label for each run: its values of the settings in which the runs differ; its name for a single run.

    Left out are epochs and options of the method, unless they tell runs apart that would share a label: the axis
    mostly shows the one, and the others mostly follow from the method. Of settings that differ together, a label that
    would be too long has the first ones.
    without_seed: the runs stand for groups that differ in more than the seed. Runs that share all settings get their
    ids.
    """
    if len(rows) < 2:
        return [one_line(row.name or row.id, MAX_LABEL) for row in rows]
    differing = [(key, values) for key, values in differing_settings(rows) if not (without_seed and key == "seed")]
    parts = {
        key: [_part(key, value, row.norm) for value, row in zip(values, rows, strict=True)] for key, values in differing
    }
    minor = [part for key, part in parts.items() if _is_minor(key)]
    kept = _with_room(_without_needless([*parts.values()], minor))
    labels = [one_line(label, MAX_LABEL) for label in _joined(kept, len(rows))]
    shared = Counter(labels)
    return [
        ", ".join(filter(None, (label, row.id))) if shared[label] > 1 or not label else label
        for label, row in zip(labels, rows, strict=True)
    ]


def _is_minor(key: str) -> bool:
    return key == "epochs" or (key.startswith("method.") and key != "method.name")


def _without_needless(parts: list[list[str]], minor: list[list[str]]) -> list[list[str]]:
    """The settings of the labels, without those of `minor` that tell no runs apart beside the others.

    parts: for each setting, its text of each run.
    """
    kept = parts
    for setting in reversed(minor):
        others = [other for other in kept if other is not setting]
        if _distinct(others, setting) == _distinct(kept, setting):
            kept = others
    return kept


def _with_room(parts: list[list[str]]) -> list[list[str]]:
    """The settings of the labels; if a label is too long, without those that tell no runs apart beside the others."""
    kept = parts
    for setting in reversed(parts):
        if max(map(len, _joined(kept, len(setting)))) <= MAX_LABEL:
            break
        kept = _without_needless(kept, [setting])
    return kept


def _distinct(parts: list[list[str]], one: list[str]) -> int:
    """The number of distinct labels of these settings. one: any setting, as long as the list of runs."""
    return len({*_joined(parts, len(one))})


def _joined(parts: list[list[str]], count: int) -> list[str]:
    return [", ".join(setting[number] for setting in parts) for number in range(count)]


def _part(key: str, value: Any, norm: Norm) -> str:
    if key == "method.name":
        spec = methods().get(str(value))
        return spec.title or spec.name if spec else str(value)
    if key in ("dataset", "model.name", "preset"):
        return str(value)
    name = "ε" if key == "eps" else "α" if key == "method.alpha" else key.rpartition(".")[2].replace("_", " ")
    return f"{name} {setting_text(key, value, norm)}"
