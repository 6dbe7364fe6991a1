"""Models of RobustBench's zoo that a network of ours can hold (github.com/RobustBench/robustbench, model_zoo).

The zoo keeps its files on Google Drive and publishes no checksums. The SHA-256 of a first download is kept beside the
file, so that a later change is noticed.
"""

import hashlib
import os
from pathlib import Path
from urllib.parse import quote

from msgspec import Struct

from engine.config.networks import NETWORKS
from engine.config.norms import LINF, Norm
from engine.config.suggest import did_you_mean
from fastadv_tui.errors import UserError
from fastadv_tui.fetch.download import Progress, Wanted, download
from fastadv_tui.paths import home

DRIVE = "https://drive.usercontent.google.com/download?export=download&confirm=t&id={}"
MIRROR = "FASTADV_ZOO_URL"  # environment variable: address of a mirror, with {} for the id of a file
WONG = {"model.name": "preact-resnet18", "model.shortcut": "input", "model.final_norm": "false"}
PREACT = {"model.name": "preact-resnet18"}
CIFAR10 = "0.4914,0.4822,0.4465/0.2471,0.2435,0.2616"
CIFAR100 = (
    "0.5070751592371323,0.48654887331495095,0.4409178433670343/"
    "0.2673342858792401,0.2564384629170883,0.27615047132568404"
)


class ZooModel(Struct, frozen=True, kw_only=True):
    """A model of the zoo. drive: id of its file. settings: of the network. normalize: as for `fastadv eval`.

    key: the set of weights in the file; empty: the only one. eps: as a user types it. clean, autoattack: percent, as
    RobustBench publishes them.
    """

    drive: str
    dataset: str
    eps: str
    settings: dict[str, str]
    normalize: str = "none"
    norm: Norm = LINF
    key: str = ""
    clean: float
    autoattack: float


_ALL = {
    "Wong2020Fast": ZooModel(
        drive="1Re--_lf3jCEw9bnQqGkjw3J7v2tSZKrv", dataset="cifar10", eps="8/255", settings=WONG, normalize=CIFAR10,
        clean=83.34, autoattack=43.21,
    ),
    "Andriushchenko2020Understanding": ZooModel(
        drive="1Uyvprd98bIyxfMjLdCZwm-NEJ-6GMVis", dataset="cifar10", eps="8/255", settings=WONG, key="last",
        clean=79.84, autoattack=43.93,
    ),
    "Rice2020Overfitting-L2": ZooModel(
        drive="1jo-31utiYNBVzLM0NxUEWz0teo3Z0xa7", dataset="cifar10", norm="l2", eps="0.5", settings=PREACT,
        normalize=CIFAR10, clean=88.67, autoattack=67.68,
    ),
    "Rice2020Overfitting-CIFAR100": ZooModel(
        drive="1XXNZn3fZBOkD1aqNL1cvcD8zZDccyAZ6", dataset="cifar100", eps="8/255", settings=PREACT,
        normalize=CIFAR100, clean=53.83, autoattack=18.95,
    ),
    "Addepalli2021Towards_PARN18-CIFAR100": ZooModel(
        drive="1-FwVya1sDvdFXr0_ZBoXEJW9ukGC7hPK", dataset="cifar100", eps="8/255", settings=PREACT,
        clean=62.02, autoattack=27.14,
    ),
    "Sehwag2021Proxy_R18": ZooModel(
        drive="1-ZgoSlD_AMhtXdnUElilxVXnzK2DcHuu", dataset="cifar10", eps="8/255",
        settings={"model.name": "resnet18-cifar"}, clean=84.38, autoattack=54.43,
    ),
    "Addepalli2021Towards_RN18": ZooModel(
        drive="1-1DxecXz5U_xZ54DVdE-GVm71Tiox-Ri", dataset="cifar10", eps="8/255",
        settings={"model.name": "resnet18-cifar"}, clean=80.24, autoattack=51.06,
    ),
    "Addepalli2022Efficient_RN18": ZooModel(
        drive="1m5vhdzIUUKhDbsZdOG9z76Eyp6f4xe_f", dataset="cifar10", eps="8/255",
        settings={"model.name": "resnet18-cifar"}, clean=85.71, autoattack=52.48,
    ),
    "Carmon2019Unlabeled": ZooModel(
        drive="15tUx-gkZMYx7BfEOw1GY5OKC-jECIsPQ", dataset="cifar10", eps="8/255",
        settings={"model.name": "wideresnet-28-10"}, clean=89.69, autoattack=59.53,
    ),
    "Zhang2019Theoretically": ZooModel(
        drive="1hPz9QQwyM7QSuWu-ANG_uXR-29xtL8t_", dataset="cifar10", eps="0.031",
        settings={"model.name": "wideresnet-34-10"}, clean=84.92, autoattack=53.08,
    ),
}  # fmt: skip
ZOO = {name: model for name, model in _ALL.items() if model.settings["model.name"] in NETWORKS}


def zoo_model(name: str) -> ZooModel:
    """Raises: UserError, if the zoo has no such model that we can build."""
    if name not in ZOO:
        hint = did_you_mean(name, ZOO) or f"use {', '.join(ZOO)}"
        raise UserError(f"zoo:{name}: there is no such model that a network of fastadv can hold; {hint}")
    return ZOO[name]


def published(name: str) -> str:
    """What RobustBench publishes about a model, in one line. Raises: as `zoo_model`."""
    model = zoo_model(name)
    threat = f"{'l-infinity' if model.norm == LINF else 'l2'} eps {model.eps}, all test images"
    return f"RobustBench's figures: clean {model.clean:.2f}%, AutoAttack {model.autoattack:.2f}% ({threat})"


def fetch_from_zoo(name: str, progress: Progress) -> Path:
    """The path of a model's file on this machine, downloaded unless it is here. Raises: UserError."""
    model = zoo_model(name)
    path = home() / "weights" / "zoo" / f"{name}.pt"
    note = path.with_name(f"{path.name}.sha256")
    if path.is_file():
        _compare(path, note)
        return path
    url = os.environ.get(MIRROR, DRIVE).replace("{}", quote(model.drive))
    by_hand = f"open it in a browser, save the file as {path}, and type the same command again"
    download(Wanted(url=url, by_hand=by_hand), path, progress)
    note.write_text(f"{_sha256(path)}  {path.name}\n")
    return path


def _compare(path: Path, note: Path) -> None:
    """Raises: UserError, if the file is not the one that was downloaded. A file that a user has put there is taken."""
    if not note.exists():
        note.write_text(f"{_sha256(path)}  {path.name}\n")
    elif note.read_text().split(" ")[0] != _sha256(path):
        raise UserError(f"{path} has changed since its download; remove it, and type the same command again")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
