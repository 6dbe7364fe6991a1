"""The fields of the launch form: their groups, labels, choices and help texts, from the settings themselves."""

from collections.abc import Mapping

from engine.config.datasets import datasets
from engine.config.groups import Group
from engine.config.networks import NETWORKS
from engine.config.norms import L2
from engine.config.presets import PRESETS
from engine.config.settings import Kind, settings
from engine.config.units import reading_of
from fastadv_tui.launch.axes import ONE_VALUE

TAGS = "tags"  # a field of the form that is no setting
TAGS_TITLE, TAGS_HELP = "tags", "Labels in the history, separated by spaces. A sweep without a tag gets a random one."
ATTACKS = ("auto", "pgd-50-10", "pgd-10", "aa-quick", "aa", "none")  # that a picker offers; others can be typed
TORCHVISION = ("resnet18", "resnet50")  # examples; any classifier of torchvision can be typed
OPEN = ("dataset", "model.name", "device", "eval.attack")  # pickers whose fields take other values, too
AT_FIRST = (Group.DATA, Group.ATTACK, Group.TRAINING)  # groups that a new form opens


def fields_by_group() -> Mapping[Group, tuple[str, ...]]:
    """The keys of the fields of each group. The field that decides which others apply comes first."""
    found: dict[Group, list[str]] = {group: [] for group in Group}
    for key, setting in settings().items():
        found[setting.group].append(key)
    for keys in found.values():
        keys.sort(key=lambda key: not key.endswith(".name"))
    name = found[Group.SAVING].index("name")
    found[Group.SAVING].insert(name + 1, TAGS)
    return {group: tuple(keys) for group, keys in found.items()}


def group_of(key: str) -> Group:
    return Group.SAVING if key == TAGS else settings()[key].group


def title_of(key: str) -> str:
    return TAGS_TITLE if key == TAGS else settings()[key].title


def unit_of(key: str, norm: str) -> str:
    """The unit of a field. norm: of the run that the form describes; with l2, sizes have no unit."""
    return "" if key == TAGS or (settings()[key].is_size and norm == L2) else settings()[key].unit


def reading_of_field(key: str, text: str, norm: str) -> str:
    """How a size in a field was read if its unit is in doubt: `0.5 of 1 = 127.5/255`. Else an empty text.

    norm: of the run that the form describes.
    """
    if key == TAGS or not settings()[key].is_size:
        return ""
    readings = (reading_of(part, norm) for part in text.split(","))
    return next(filter(None, readings), "")


def is_closed(key: str) -> bool:
    """Whether a picker offers all values that its field takes."""
    return key == "preset" or (key not in OPEN and key != TAGS and bool(choices_of(key, {})))


def choices_of(key: str, devices: Mapping[str, str]) -> tuple[str, ...]:
    """The values that a picker offers; empty for a field without choices. devices: in words, by the value to type."""
    offered: dict[str, tuple[str, ...]] = {
        "dataset": tuple(datasets()),
        "preset": tuple(PRESETS),
        "model.name": (*NETWORKS, *TORCHVISION),
        "device": tuple(devices),
        "eval.attack": ATTACKS,
    }
    if key in offered or key == TAGS:
        return offered.get(key, ())
    return ("true", "false") if settings()[key].kind is Kind.BOOLEAN else settings()[key].choices


def help_of(key: str) -> str:
    """What a field means, with its unit, all allowed values, and how to start several runs."""
    if key == TAGS:
        return TAGS_HELP
    setting = settings()[key]
    parts = [f"{setting.description.rstrip('.')}."]
    if key == "preset":
        parts.append(f"Presets: {', '.join(PRESETS)}.")
    elif setting.allowed and key != "seed":
        l2 = "; with norm l2 a plain number" if setting.is_size else ""
        parts.append(f"Allowed: {setting.allowed}{f', in {setting.unit}' if setting.unit else ''}{l2}.")
    if key == "seed":
        parts.append("0-4 starts five runs.")
    elif setting.kind in (Kind.INTEGER, Kind.NUMBER, Kind.CHOICE) and key not in ONE_VALUE:
        parts.append("Several values, with commas, start several runs.")
    return " ".join(parts)
