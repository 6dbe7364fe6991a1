"""The names of networks: those that this project defines itself, torchvision's, timm's, and those of a user's own."""

import re

from engine.config.errors import ConfigError
from engine.config.user_code import parse

TIMM = "timm:"  # how the name of a network of the package timm begins
WIDERESNET = "wideresnet"  # the family of wideresnet-DEPTH-FACTOR, as the literature writes it: WideResNet-28-10
# The names that are offered. Every wideresnet-DEPTH-FACTOR can be typed.
NETWORKS = (
    "preact-resnet18", "resnet18-cifar", "wideresnet-28-10", "wideresnet-34-10", "pooled-cnn", "mnist-cnn",
    "digits-cnn",
)  # fmt: skip
# By family: `wideresnet` stands for all of its depths and factors.
NETWORKS_WITH_ACTIVATION = ("preact-resnet18", "resnet18-cifar", WIDERESNET, "pooled-cnn")
NETWORKS_WITH_WIDTH = ("preact-resnet18", "resnet18-cifar", "pooled-cnn", "digits-cnn")
NETWORKS_WITH_BLOCKS = ("preact-resnet18",)  # their shortcut and their last BatchNorm are settings
NETWORKS_WITH_DEPTH = ("preact-resnet18", "resnet18-cifar", "pooled-cnn")
FORMS = f"a torchvision classifier such as resnet50; {TIMM}NAME; or your own, FILE.py:NAME or package.module:NAME"

_WIDE = re.compile(WIDERESNET + r"-(\d{1,4})-(\d{1,3})")


def family(name: str) -> str:
    """The name without what its numbers tell: `wideresnet` for `wideresnet-28-10`, any other name as it is."""
    return WIDERESNET if _WIDE.fullmatch(name) else name


def is_own(name: str) -> bool:
    """Whether this project defines the network."""
    return family(name) in (WIDERESNET, *NETWORKS)


def wide_shape(name: str) -> tuple[int, int]:
    """Blocks in each of the three stages, and width factor, of a `wideresnet-DEPTH-FACTOR`.

    The depth counts convolutions: two in each block, the first one, and the three of shortcuts (Zagoruyko and
    Komodakis, 2016). Raises: ConfigError, if there is no such depth or factor.
    """
    found = _WIDE.fullmatch(name)
    depth, factor = (int(found[1]), int(found[2])) if found else (0, 0)
    if not factor or depth < 10 or (depth - 4) % 6:
        raise ConfigError(
            f"name = {name}: write {WIDERESNET}-DEPTH-FACTOR with a depth of 6n + 4, such as {WIDERESNET}-28-10"
        )
    return (depth - 4) // 6, factor


def check_network(name: str) -> None:
    """Raises: ConfigError, if no network can have this name. Whether torchvision or timm has it is not known here."""
    if name.startswith(WIDERESNET):
        wide_shape(name)
    elif name.endswith(".py"):
        raise ConfigError(f"name = {name}: add the name of the function or class in the file, as in {name}:NAME")
    elif name.startswith(TIMM):
        if not re.fullmatch(r"[\w./-]+", name.removeprefix(TIMM)):
            raise ConfigError(f"name = {name!r}: write {TIMM} and the name of a network, such as {TIMM}resnet18")
    elif name not in NETWORKS and not re.fullmatch(r"[a-z]\w*", name) and parse(name) is None:
        # torchvision's names have no hyphen
        raise ConfigError(f"unknown network {name!r}; use {', '.join(NETWORKS)}, {FORMS}")
