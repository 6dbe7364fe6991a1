"""RunConfig: everything that decides a run, typed and validated however it is built.

Fields are addressed by dotted keys (`model.width`), on the command line, in presets and in diffs alike.
Perturbation sizes are stored as fractions in [0,1]; people type and read them in units of 1/255.
"""

import re
from pathlib import PurePath
from typing import Annotated, Literal

from msgspec import Meta, structs

from engine.config.datasets import FOLDER, datasets, spec_of
from engine.config.errors import ConfigError
from engine.config.method_section import MethodConfig
from engine.config.methods import methods
from engine.config.phases import Phase
from engine.config.phases import parse as parse_phases
from engine.config.section import Count, PerturbationSize, Section
from engine.config.sections import (
    EarlyStopConfig,
    EvalConfig,
    ModelConfig,
    OptimConfig,
    Precision,
    WatchConfig,
)
from engine.config.units import units

MAX_EPOCHS = 100_000


class RunConfig(Section, frozen=True):
    dataset: Annotated[
        str, Meta(description=f"data set: {', '.join(datasets())}, or {FOLDER}PATH for any folder of images")
    ]
    model: ModelConfig
    preset: Annotated[str, Meta(description="recipe that the other settings start from")] = ""
    name: Annotated[str, Meta(max_length=10_000, description="name of the run; for the eyes only")] = ""
    eps: Annotated[PerturbationSize, Meta(description="radius of the l-infinity ball")] = 8 / 255
    epochs: Annotated[int, Meta(ge=1, le=MAX_EPOCHS, description="passes over the training data")] = 15
    batch_size: Annotated[Count, Meta(description="images in a minibatch")] = 128
    phases: Annotated[
        str, Meta(description="stretches of epochs with sizes of their own: EPOCHS:SIZE/CROP:BATCH:LR..LR, ...")
    ] = ""
    micro_batch: Annotated[
        int, Meta(ge=0, description="images computed at once; a larger minibatch adds up their gradients; 0: all")
    ] = 0
    seed: Annotated[int, Meta(ge=0, le=2**63 - 1, description="seed of weights, data order and noise")] = 0
    precision: Annotated[Precision, Meta(description="arithmetic of training; auto is the fastest native")] = "auto"
    compile: Annotated[
        Literal["auto", "on", "off"],
        Meta(description="torch.compile; auto: for runs long enough to pay for a minute of it"),
    ] = "auto"
    device: Annotated[str, Meta(description="auto, cpu or cuda:N")] = "auto"
    data_dir: Annotated[str, Meta(description="folder of the data sets; empty is $FASTADV_HOME/data")] = ""
    holdout: Annotated[
        int, Meta(ge=0, description="training images held out and evaluated on, to choose settings by; 0: test images")
    ] = 0
    checkpoint_minutes: Annotated[float, Meta(gt=0, le=1e6, description="longest time between two checkpoints")] = 5.0
    grace_seconds: Annotated[
        float, Meta(ge=0, le=86_400, description="time to save after a stop before the run is killed")
    ] = 30.0
    method: MethodConfig = MethodConfig()
    optim: OptimConfig = OptimConfig()
    eval: EvalConfig = EvalConfig()
    watch: WatchConfig = WatchConfig()
    early_stop: EarlyStopConfig = EarlyStopConfig()

    def __post_init__(self) -> None:
        super().__post_init__()
        if not re.fullmatch(r"auto|cpu|cuda:\d{1,3}", self.device):
            raise ConfigError(f"device = {self.device!r}: use auto, cpu or cuda:N")
        spec_of(self.dataset)  # or it is unknown
        if self.model.name == "mnist-cnn" and self.dataset != "mnist":
            raise ConfigError(f"model.name = mnist-cnn takes mnist only, not {self.dataset}")
        given = parse_phases(self.phases)
        if given and given[-1].end != self.epochs:
            raise ConfigError(
                f"the phases end at epoch {given[-1].end}, epochs = {self.epochs}: change both, or neither"
            )
        if any(phase.size for phase in given) and not self.in_folder:
            raise ConfigError(
                f"{self.dataset} has images of one size only: write 0/{given[0].crop or 16} in its phases"
            )

    @property
    def in_folder(self) -> bool:
        """Whether the images lie in a folder, one file each, and not in memory."""
        return spec_of(self.dataset).in_folder

    @property
    def phase_list(self) -> tuple[Phase, ...]:
        """At least one phase, each with its minibatch size."""
        given = parse_phases(self.phases) or (Phase(0, self.epochs),)
        return tuple(structs.replace(phase, batch_size=phase.batch_size or self.batch_size) for phase in given)

    @property
    def alpha(self) -> float:
        """Step size of the training attack, as a fraction in [0,1]: as it was set, else the method's default.

        Standard training has none; its runs have always been stored with FGSM's.
        """
        if self.method.alpha is not None:
            return self.method.alpha
        default = self.method.spec.alpha or methods()["fgsm"].alpha
        assert default is not None
        return default(self.eps, self.pgd_step)

    @property
    def eval_step(self) -> float:
        """Step size of every evaluation attack, as a fraction in [0,1]."""
        return self.pgd_step if self.eval.step_size is None else self.eval.step_size

    @property
    def pgd_step(self) -> float:
        """The data set's step size of PGD, else eps/4 as in the paper's CIFAR-10 and ImageNet runs; in [0,1]."""
        own = spec_of(self.dataset).pgd_step
        return self.eps / 4 if own is None else own

    @property
    def updates_per_minibatch(self) -> int:
        """Weight updates made on each minibatch."""
        return self.method.spec.updates(self.method_options)

    @property
    def method_options(self) -> Section:
        """The options of the run's method, as the method declares them."""
        return self.method.spec.options(**self.method.options)

    @property
    def title(self) -> str:
        """The name that the user gave, else one that says what the run is."""
        size = units(self.eps) if units(self.eps).isdecimal() else f"{self.eps:.4g}"  # 8 of 255, but 0.3 on MNIST
        dataset = PurePath(self.dataset.removeprefix(FOLDER)).name
        return self.name or f"{dataset}-{self.method.name}-eps{size}"
