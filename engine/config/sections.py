"""The sections of a RunConfig, and the rules that every one of them follows."""

import re
from typing import Annotated, Literal

from msgspec import Meta

from engine.config.errors import ConfigError
from engine.config.networks import ACTIVATED, NETWORKS
from engine.config.section import Count, Fraction, PerturbationSize, Section

Precision = Literal["auto", "fp32", "bf16", "fp16"]


class ModelConfig(Section, frozen=True):
    name: Annotated[
        str, Meta(description=f"network: {', '.join(NETWORKS)}, or a classifier of torchvision such as resnet50")
    ]
    width: Annotated[
        int, Meta(ge=1, le=1024, description="channels of the first stage; of torchvision's networks as they are")
    ] = 64
    depth: Annotated[
        int, Meta(ge=1, le=16, description="blocks (preact-resnet18) or convolutions (pooled-cnn) in each stage")
    ] = 2
    activation: Annotated[
        Literal["relu", "silu", "gelu"], Meta(description=f"nonlinearity of {' and '.join(ACTIVATED)}")
    ] = "relu"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.name not in NETWORKS and not re.fullmatch(r"[a-z]\w*", self.name):  # torchvision's have no hyphen
            raise ConfigError(f"unknown network {self.name!r}; use {', '.join(NETWORKS)}, or one of torchvision's")
        if self.activation != "relu" and self.name not in ACTIVATED:
            raise ConfigError(f"model.activation is a choice of {' and '.join(ACTIVATED)}; {self.name} has its own")


class OptimConfig(Section, frozen=True):
    name: Annotated[Literal["sgd", "adam", "muon"], Meta(description="optimizer")] = "sgd"
    lr: Annotated[float, Meta(gt=0, le=100, description="largest learning rate")] = 0.2
    momentum: Annotated[float, Meta(ge=0, lt=1, description="momentum of SGD and Muon")] = 0.9
    nesterov: Annotated[bool, Meta(description="Nesterov momentum in SGD; Muon has it anyway")] = False
    sgd_ratio: Annotated[
        float, Meta(gt=0, le=1000, description="learning rate of what Muon leaves to SGD, as a multiple of its own")
    ] = 2.5
    average: Annotated[float, Meta(ge=0, lt=1, description="decay of a running average of the weights; 0 is none")] = (
        0.0
    )
    weight_decay: Annotated[float, Meta(ge=0, le=1, description="L2 penalty on the parameters")] = 5e-4
    decay_norms: Annotated[bool, Meta(description="whether it is on those of BatchNorm, too")] = True
    schedule: Annotated[Literal["cyclic", "piecewise", "constant"], Meta(description="learning rate over training")] = (
        "cyclic"
    )
    peak: Annotated[Fraction, Meta(description="where the cyclic schedule peaks, as a share of training")] = 0.5
    milestones: Annotated[
        tuple[Fraction, ...], Meta(description="where the piecewise schedule drops, as shares of training")
    ] = (0.5, 0.75)
    gamma: Annotated[float, Meta(gt=0, le=1, description="factor of each drop of the piecewise schedule")] = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        if list(self.milestones) != sorted(set(self.milestones)):
            raise ConfigError(f"milestones must rise, not {self.milestones}")
        if self.nesterov and not self.momentum:
            raise ConfigError("nesterov is a kind of momentum, and momentum is 0")


class EvalConfig(Section, frozen=True):
    attack: Annotated[str, Meta(description="final evaluation: auto, none or pgd-STEPS[-RESTARTS]")] = "auto"
    step_size: Annotated[
        PerturbationSize | None, Meta(description="step size of the evaluation; empty follows eps")
    ] = None
    images: Annotated[int, Meta(ge=0, description="first N test images; 0 is all (auto: 1,000 on a CPU)")] = 0
    search: Annotated[Precision, Meta(description="arithmetic of the search; what it finds is confirmed in fp32")] = (
        "auto"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.attack not in ("auto", "none"):
            parse_attack(self.attack)


class WatchConfig(Section, frozen=True):
    images: Annotated[int, Meta(ge=0, description="test images watched after each epoch; 0 is none")] = 1000
    steps: Annotated[Count, Meta(description="PGD steps of that evaluation")] = 10


class EarlyStopConfig(Section, frozen=True):
    enabled: Annotated[bool, Meta(description="stop when the model collapses, keep the epoch before")] = False
    drop: Annotated[Fraction, Meta(description="fall of PGD-5 accuracy on a training minibatch that stops")] = 0.2


def parse_attack(name: str) -> tuple[int, int]:
    """Steps and restarts of an attack's name: `pgd-50-10` is (50, 10), `pgd-10` is (10, 1).

    Raises: ConfigError, if it is not such a name.
    """
    match = re.fullmatch(r"pgd-([1-9]\d{0,5})(?:-([1-9]\d{0,5}))?", name)
    if not match:
        raise ConfigError(f"unknown attack {name!r}: use auto, none, pgd-50-10 (50 steps, 10 restarts) or pgd-10")
    return int(match[1]), int(match[2] or 1)
