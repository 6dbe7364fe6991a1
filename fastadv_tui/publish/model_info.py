"""The JSON of RobustBench's `model_info`: one file for each model, whose figures are percentages as text."""

import re

import msgspec

from engine.config.units import units
from engine.protocol.rundir import RunDir
from fastadv_tui.history.row import Row
from fastadv_tui.publish.results import AUTOATTACK, autoattack_result, results_of, test_images_of

NORMS = {"linf": "Linf", "l2": "L2"}  # the names of RobustBench's folders
DATASETS = {"cifar10": "cifar10", "cifar100": "cifar100", "imagenet": "imagenet"}


def model_id(row: Row) -> str:
    """The name of the model, such as `cifar10-fgsm-eps8_ab12cd`, which any file system takes."""
    return f"{re.sub(r'[^A-Za-z0-9.-]+', '-', row.name).strip('-.') or 'model'}_{row.id}"


def model_info_path(row: Row) -> str:
    """The path of the JSON in RobustBench's repository, and in the exported folder."""
    return f"model_info/{DATASETS.get(row.dataset, 'other')}/{NORMS[row.norm]}/{model_id(row)}.json"


def model_info(row: Row, rundir: RunDir, which: str) -> bytes:
    """The content of the JSON. `autoattack_acc` is missing if the whole AutoAttack has not been run."""
    by_aa = autoattack_result(row, which)
    own = [found for found in results_of(row, which) if (found.norm, found.eps) == (row.norm, row.eps)]
    others = [found for found in own if found.attack != AUTOATTACK.upper()]
    config = rundir.submission().config
    info: dict[str, object] = {
        "link": "",
        "name": row.name,
        "authors": "",
        "additional_data": bool(config.extra_data),
        "number_forward_passes": 1,
        "dataset": DATASETS.get(row.dataset, row.dataset),
        "venue": "Unpublished",
        "architecture": architecture(config.model.name),
        "eps": f"{units(row.eps, row.norm)}/255" if row.norm == "linf" else f"{row.eps:g}",
        "clean_acc": _percent(by_aa.clean if by_aa else others[-1].clean if others else row.clean),
        "reported": _percent(min((found.robust for found in others), default=row.robust)),
    }
    if by_aa:
        info |= {"autoattack_acc": _percent(by_aa.robust), "evaluated_images": by_aa.images}
    return msgspec.json.format(msgspec.json.encode(info), indent=2) + b"\n"


def what_is_missing(row: Row, rundir: RunDir, which: str) -> list[str]:
    """What RobustBench would ask for, one line each."""
    found = []
    by_aa, all_images = autoattack_result(row, which), test_images_of(rundir)
    if by_aa is None:
        best = "" if which == "last" else " --which best"
        found.append(f"no AutoAttack result yet: `fastadv eval {row.id}{best} --attack aa`, and export again")
    elif all_images and by_aa.images < all_images:
        found.append(f"AutoAttack was run on {by_aa.images:,} images; RobustBench wants all {all_images:,}")
    if row.dataset not in DATASETS:
        found.append(f"RobustBench has no leaderboard for {row.dataset}; it has {', '.join(DATASETS)}")
    return [*found, "fill in link, name, authors and venue in the JSON"]


def architecture(name: str) -> str:
    """A network as the literature calls it."""
    known = {"preact-resnet18": "PreActResNet-18", "resnet18-cifar": "ResNet-18"}
    return known.get(name, name.replace("wideresnet", "WideResNet"))


def _percent(fraction: float | None) -> str:
    return "" if fraction is None else f"{100 * fraction:.2f}"
