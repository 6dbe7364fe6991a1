"""ModelConfig: the network of a run."""

from functools import cache
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import Meta, structs

from engine.config.errors import ConfigError
from engine.config.groups import Group
from engine.config.networks import (
    FORMS,
    NETWORKS,
    NETWORKS_WITH_ACTIVATION,
    NETWORKS_WITH_BLOCKS,
    NETWORKS_WITH_WIDTH,
    TIMM,
    check_network,
    family,
)
from engine.config.section import Section
from engine.config.typed import decode
from engine.config.user_code import UserCode, parse


class ModelConfig(Section, frozen=True):
    group: ClassVar[Group] = Group.NETWORK

    name: Annotated[
        str,
        Meta(
            title="network",
            description=f"Network. {', '.join(NETWORKS)}; {FORMS}",
        ),
    ]
    args: Annotated[
        str,
        Meta(
            max_length=10_000,
            title="arguments",
            description="Keyword arguments of your own network or of timm's, as a JSON object such as"
            ' {"depth": 28}. Empty: none',
        ),
    ] = ""
    code: Annotated[
        str,
        Meta(
            max_length=64,
            title="code",
            description="Fingerprint of the file of your own network. It is filled in; another file is refused",
        ),
    ] = ""
    width: Annotated[
        int,
        Meta(
            ge=1,
            le=1024,
            title="width",
            extra={"unit": "channels"},
            description=f"Channels of the first stage of {', '.join(NETWORKS_WITH_WIDTH)}; fewer are faster. Ignored "
            "by others",
        ),
    ] = 64
    depth: Annotated[
        int,
        Meta(
            ge=1,
            le=16,
            title="depth",
            description="Blocks (preact-resnet18, resnet18-cifar) or convolutions (pooled-cnn) per stage. Ignored by "
            "others",
        ),
    ] = 2
    activation: Annotated[
        Literal["relu", "silu", "gelu"],
        Meta(
            title="activation",
            description=f"Activation function of {', '.join(NETWORKS_WITH_ACTIVATION)}. Fixed in others",
        ),
    ] = "relu"
    shortcut: Annotated[
        Literal["activation", "input"],
        Meta(
            title="shortcut of",
            description=f"What the 1x1 shortcut of a block of {' and '.join(NETWORKS_WITH_BLOCKS)} takes: the first "
            "activation, or the input of the block as in the code of Wong, Rice and Kolter",
        ),
    ] = "activation"
    final_norm: Annotated[
        bool,
        Meta(
            title="last BatchNorm",
            description=f"End {' and '.join(NETWORKS_WITH_BLOCKS)} with BatchNorm and activation before the pooling",
        ),
    ] = True
    init: Annotated[
        Literal["default", "fan-out"],
        Meta(
            title="initial weights",
            description="Initial weights. default: those of the network. fan-out: convolutions normal with variance "
            "2 / (kernel size x output channels), biases 0",
        ),
    ] = "default"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_network(self.name)
        if self.activation != "relu" and family(self.name) not in NETWORKS_WITH_ACTIVATION:
            having = ", ".join(NETWORKS_WITH_ACTIVATION)
            raise ConfigError(
                f"model.activation = {self.activation}: only {having} have this setting; leave it out for {self.name}"
            )
        self._check_own()

    def _check_own(self) -> None:
        """Check what only a network of the user's own, or one of timm, has. Equal arguments become equal texts."""
        if self.args:
            if self.user_code is None and not self.name.startswith(TIMM):
                raise ConfigError(f"args = {self.args}: {self.name} takes no arguments; leave model.args out")
            structs.force_setattr(self, "args", msgspec.json.encode(_arguments(self.args), order="sorted").decode())
        if self.code and self.user_code is None:
            raise ConfigError(f"code = {self.code}: {self.name} is in no file of yours; leave model.code out")

    @property
    def user_code(self) -> UserCode | None:
        """The function or class of the user that gives the network; None for a network that has a name."""
        return _user_code(self.name)

    @property
    def arguments(self) -> dict[str, Any]:
        """The keyword arguments of `args`."""
        return _arguments(self.args) if self.args else {}


@cache
def _user_code(name: str) -> UserCode | None:
    """Cached, because a history asks for each of ten thousand runs."""
    return None if name.startswith(TIMM) else parse(name)


def _arguments(text: str) -> dict[str, Any]:
    """Read a JSON object. Raises: ConfigError."""
    try:
        found = decode(text, dict[str, Any])
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        found = {"": None}
    if not all(map(str.isidentifier, found)):
        raise ConfigError(f'args = {text!r}: write a JSON object of names and values, such as {{"depth": 28}}')
    return found
