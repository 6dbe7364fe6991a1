"""The sections of a RunConfig apart from `model` and `method`: optim, eval, watch and early_stop."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from engine.config.attacks import SYNTAX, stages_of
from engine.config.errors import ConfigError
from engine.config.groups import Group
from engine.config.model_section import ModelConfig as ModelConfig  # it was here, and many look for it here
from engine.config.section import Count, Fraction, PerturbationSize, Section

Precision = Literal["auto", "fp32", "bf16", "fp16"]


class OptimConfig(Section, frozen=True):
    group: ClassVar[Group] = Group.OPTIMIZER

    name: Annotated[
        Literal["sgd", "adam", "muon"],
        Meta(
            title="optimizer",
            description="Optimizer. With muon, Muon updates the convolutions and SGD the other parameters",
        ),
    ] = "sgd"
    lr: Annotated[
        float,
        Meta(
            gt=0,
            le=100,
            title="learning rate",
            description="Highest learning rate of optim.schedule. Phases with a learning rate replace the schedule",
        ),
    ] = 0.2
    momentum: Annotated[
        float,
        Meta(ge=0, lt=1, title="momentum", description="Momentum of SGD and Muon. Adam ignores this setting"),
    ] = 0.9
    nesterov: Annotated[
        bool,
        Meta(title="Nesterov", description="Use Nesterov momentum in SGD. muon always uses it, in both of its parts"),
    ] = False
    sgd_ratio: Annotated[
        float,
        Meta(
            gt=0,
            le=1000,
            title="SGD part's rate",
            description="With muon: learning rate of its SGD part, as a multiple of optim.lr",
        ),
    ] = 2.5
    average: Annotated[
        float,
        Meta(
            ge=0,
            lt=1,
            title="weight averaging",
            description="Average the weights over updates with this decay, and evaluate the average. 0: no averaging",
        ),
    ] = 0.0
    label_smoothing: Annotated[
        float,
        Meta(
            ge=0,
            lt=1,
            title="label smoothing",
            description="Share of each label's weight that is spread over all classes in the training loss. Attacks use"
            " plain labels, but for that of sora. 0: off",
        ),
    ] = 0.0
    recompute_norms: Annotated[
        bool,
        Meta(
            title="norms of average",
            description="Measure the BatchNorm statistics of averaged weights on training images before each "
            "evaluation. false: average the statistics, too, as version 0.1 did",
        ),
    ] = False
    weight_decay: Annotated[
        float,
        Meta(
            ge=0,
            le=1,
            title="weight decay",
            description="Weight decay, added to the gradient (L2), also with adam. "
            "With muon, convolutions have no decay",
        ),
    ] = 5e-4
    clip_norm: Annotated[
        float,
        Meta(
            ge=0,
            le=1e6,
            title="gradient clipping",
            description="Scale the gradient of a weight update down to this norm if it is larger. 0: no clipping",
        ),
    ] = 0.0
    decay_norms: Annotated[
        bool,
        Meta(
            title="decay of norms",
            description="Apply optim.weight_decay to the parameters of BatchNorm, LayerNorm and GroupNorm, too",
        ),
    ] = True
    schedule: Annotated[
        Literal["cyclic", "piecewise", "constant"],
        Meta(
            title="schedule",
            description="Learning rate over training. cyclic: linear up, then down to 0."
            " piecewise: drops at milestones",
        ),
    ] = "cyclic"
    peak: Annotated[
        Fraction,
        Meta(title="peak at", description="Point of training where the cyclic schedule peaks, as a fraction in [0,1]"),
    ] = 0.5
    milestones: Annotated[
        tuple[Fraction, ...],
        Meta(
            title="drops at",
            description="Points of training where the piecewise schedule drops, as rising fractions in [0,1]",
        ),
    ] = (0.5, 0.75)
    gamma: Annotated[
        float,
        Meta(
            gt=0,
            le=1,
            title="drop factor",
            description="Factor that the piecewise schedule applies to the learning rate at each milestone",
        ),
    ] = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        if list(self.milestones) != sorted(set(self.milestones)):
            raise ConfigError(f"milestones = {self.milestones}: write rising fractions of training, such as 0.5,0.75")
        if self.nesterov and not self.momentum:
            raise ConfigError("nesterov = true needs momentum, but momentum is 0: set momentum, or leave out nesterov")


class EvalConfig(Section, frozen=True):
    group: ClassVar[Group] = Group.EVALUATION

    attack: Annotated[
        str,
        Meta(
            title="attack",
            description=f"Attack of the final evaluation: auto (pgd-50-10), none, {SYNTAX}",
        ),
    ] = "auto"
    step_size: Annotated[
        PerturbationSize | None,
        Meta(
            title="attack step",
            description="Step size of PGD in evaluations. auto: eps/4, or 2.55 (that is 0.01) for mnist in linf",
        ),
    ] = None
    images: Annotated[
        int,
        Meta(
            ge=0,
            title="images",
            extra={"unit": "images"},
            description="Test images in the final evaluation, from the first. 0: "
            "all; 1,000 on a CPU if eval.attack is auto",
        ),
    ] = 0
    search: Annotated[
        Precision,
        Meta(
            title="attack precision",
            description="Number format of evaluation attacks. Every success is "
            "checked again in fp32. auto: as precision",
        ),
    ] = "auto"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.attack not in ("auto", "none"):
            stages_of(self.attack)


class WatchConfig(Section, frozen=True):
    group: ClassVar[Group] = Group.EVALUATION

    images: Annotated[
        int,
        Meta(
            ge=0,
            title="after each epoch",
            extra={"unit": "images"},
            description="Attack the first N test images after each epoch, for "
            "display and alarm, not for selection. 0: off",
        ),
    ] = 1000
    steps: Annotated[
        Count,
        Meta(
            title="its PGD steps",
            description="PGD steps of the evaluation after each epoch",
        ),
    ] = 10


class EarlyStopConfig(Section, frozen=True):
    group: ClassVar[Group] = Group.EVALUATION

    enabled: Annotated[
        bool,
        Meta(title="early stopping", description="The name of on_collapse = stop in version 0.1. Use on_collapse"),
    ] = False
    drop: Annotated[
        Fraction,
        Meta(
            title="allowed drop",
            description="With on_collapse = stop, training stops if PGD-5 accuracy on training images falls by more "
            "than this in an epoch. 0.2: 20 percentage points. Below 128 images: more, because of noise",
        ),
    ] = 0.2
