"""RunConfig: all settings of a run. Every way of building a RunConfig validates its values.

Dotted keys such as `model.width` name the fields: on the command line, in presets and in comparisons of runs.
Perturbation sizes are stored as fractions in [0,1], which people type and read in units of 1/255. With the norm l2,
they are plain numbers for images in [0,1], which may be above 1.
"""

import re
from pathlib import PurePath
from typing import Annotated, Literal

from msgspec import Meta, structs

from engine.config.datasets import OWN_FORMS, datasets, own_prefix, spec_of
from engine.config.errors import ConfigError
from engine.config.groups import Group
from engine.config.log_section import LogConfig
from engine.config.method_section import MethodConfig
from engine.config.methods import methods
from engine.config.norms import L2, LINF, Norm
from engine.config.phases import MAX_EPOCHS, Phase
from engine.config.phases import parse as parse_phases
from engine.config.section import Count, HalfOpenFraction, Padding, PerturbationSize, Section
from engine.config.sections import (
    EarlyStopConfig,
    EvalConfig,
    ModelConfig,
    OptimConfig,
    Precision,
    WatchConfig,
)
from engine.config.units import units

WAY_OUT_OF_CAPTURE = "use --set capture=auto"
FP16_IS_UNCAPTURABLE = "in fp16 the host must read in each step whether a gradient has overflowed"


class RunConfig(Section, frozen=True):
    dataset: Annotated[
        str,
        Meta(
            title="data set",
            extra={"group": Group.DATA},
            description=f"Data set, or one of your own: {OWN_FORMS}. Data sets: {', '.join(datasets())}",
        ),
    ]
    model: ModelConfig
    preset: Annotated[
        str,
        Meta(
            title="preset",
            extra={"group": Group.DATA},
            description="Preset whose values replace the defaults. Empty: the preset of the data set"
            f" ({', '.join(f'{spec.name}: {spec.preset}' for spec in datasets().values())})",
        ),
    ] = ""
    name: Annotated[
        str,
        Meta(
            max_length=10_000,
            title="name",
            extra={"group": Group.SAVING},
            description="Display name of the run. Empty: data set, method and eps. Training ignores the name",
        ),
    ] = ""
    norm: Annotated[
        Norm,
        Meta(
            title="norm",
            extra={"group": Group.ATTACK},
            description="Norm of the threat model. linf bounds each pixel, l2 the Euclidean length. With l2, eps and "
            "step sizes are plain numbers, as 0.5 or 128/255, and eps must be typed",
        ),
    ] = LINF
    eps: Annotated[
        PerturbationSize,
        Meta(
            title="eps",
            extra={"group": Group.ATTACK},
            description="Radius of the threat model in its norm. Evaluation attacks "
            "stay inside. N-FGSM training may exceed it",
        ),
    ] = 8 / 255
    epochs: Annotated[
        int,
        Meta(
            ge=1,
            le=MAX_EPOCHS,
            title="epochs",
            extra={"group": Group.TRAINING},
            description="Passes over the training data. Replays of method free do not count. The last phase ends here;"
            " the phases of a preset are scaled in proportion",
        ),
    ] = 15
    batch_size: Annotated[
        Count,
        Meta(
            title="minibatch",
            extra={"group": Group.TRAINING, "unit": "images"},
            description="Images in a training minibatch. A phase may set its own number",
        ),
    ] = 128
    phases: Annotated[
        str,
        Meta(
            title="phases",
            extra={"group": Group.TRAINING},
            description="Phases with own sizes, separated by spaces. 0-6:160/128:512:0.4..0.04: the first 6 epochs (the"
            " next phase begins with 6-), copies with a shorter side of 160 pixels (0: original images), crops of 128"
            " pixels, minibatches of 512 images, learning rate 0.4 to 0.04. Empty: one phase",
        ),
    ] = ""
    micro_batch: Annotated[
        int,
        Meta(
            ge=0,
            title="micro-batch",
            extra={"group": Group.TRAINING, "unit": "images"},
            description="Split each minibatch into parts of this many images, to "
            "save memory. Gradients are accumulated. 0: no split",
        ),
    ] = 0
    seed: Annotated[
        int,
        Meta(
            ge=0,
            le=2**63 - 1,
            title="seed",
            extra={"group": Group.TRAINING},
            description="Random seed of initial weights, data order, augmentation and attack noise",
        ),
    ] = 0
    precision: Annotated[
        Precision,
        Meta(
            title="precision",
            extra={"group": Group.DEVICE},
            description="Arithmetic of training. auto: bf16 where native, else fp16 on a GPU, else fp32",
        ),
    ] = "auto"
    compile: Annotated[
        Literal["auto", "on", "off"],
        Meta(
            title="torch.compile",
            extra={"group": Group.DEVICE},
            description="Use torch.compile, which takes about a minute. auto: only in runs long enough to gain time",
        ),
    ] = "auto"
    capture: Annotated[
        Literal["auto", "on", "off"],
        Meta(
            title="CUDA graph",
            extra={"group": Group.DEVICE},
            description="On a GPU, start each training step as one CUDA graph. auto: where method and precision allow "
            "it. on: fail elsewhere. A CPU has no graphs",
        ),
    ] = "auto"
    deterministic: Annotated[
        Literal["on", "off"],
        Meta(
            title="deterministic",
            extra={"group": Group.DEVICE},
            description="On a GPU, use algorithms that give the same bits each time, where torch has them; slower."
            " A CPU is deterministic anyway",
        ),
    ] = "off"
    device: Annotated[
        str,
        Meta(
            title="device",
            extra={"group": Group.DEVICE},
            description="Device: auto, cpu or cuda:N. auto: a GPU if there is one, else the CPU. cuda:N: GPU number N "
            "of nvidia-smi, or of CUDA_VISIBLE_DEVICES",
        ),
    ] = "auto"
    padding: Annotated[
        Literal["zeros", "reflect"],
        Meta(
            title="padding",
            extra={"group": Group.DATA},
            description="Pixels around a training image before its random crop: black, or the image reflected at its "
            "edge",
        ),
    ] = "zeros"
    crop_padding: Annotated[
        Padding | None,
        Meta(
            title="crop padding",
            extra={"group": Group.DATA, "unit": "pixels"},
            description="Pixels added around a training image before a random crop in its own size. auto: 4 for cifar10"
            " and cifar100, else 0. Not for folders of images",
        ),
    ] = None
    flip: Annotated[
        Literal["auto", "on", "off"],
        Meta(
            title="flip",
            extra={"group": Group.DATA},
            description="Mirror training images at random. auto: on for cifar10 and cifar100, else off. Not for folders"
            " of images, whose crops are always mirrored",
        ),
    ] = "auto"
    data_dir: Annotated[
        str,
        Meta(
            title="data folder",
            extra={"group": Group.DATA},
            description="Folder with the files of the data sets. Empty: $FASTADV_HOME/data",
        ),
    ] = ""
    data_code: Annotated[
        str,
        Meta(
            max_length=64,
            title="data code",
            extra={"group": Group.DATA},
            description="Fingerprint of the file whose function gives the data. It is filled in; the run uses a copy of"
            " this file",
        ),
    ] = ""
    holdout: Annotated[
        int,
        Meta(
            ge=0,
            title="held-out images",
            extra={"group": Group.DATA, "unit": "images"},
            description="Training images to hold out. If above 0, evaluations use "
            "these images instead of the test images",
        ),
    ] = 0
    extra_data: Annotated[
        str,
        Meta(
            title="extra data",
            extra={"group": Group.DATA},
            description="Npz file with further training images, such as generated ones: arrays image (uint8) and label."
            " Empty: none. Not for folders of images",
        ),
    ] = ""
    extra_fraction: Annotated[
        HalfOpenFraction,
        Meta(
            title="extra fraction",
            extra={"group": Group.DATA},
            description="Fraction of each minibatch that comes from extra_data. An epoch keeps its number of steps",
        ),
    ] = 0.7
    on_collapse: Annotated[
        Literal["warn", "stop", "rollback"],
        Meta(
            title="at a collapse",
            extra={"group": Group.EVALUATION},
            description="At catastrophic overfitting. warn: alarm only. stop: end with the weights of an earlier epoch."
            " rollback: go back to a good epoch, train one epoch with PGD-2, then with a safer method; at most 3 times",
        ),
    ] = "warn"
    checkpoint_minutes: Annotated[
        float,
        Meta(
            gt=0,
            le=1e6,
            title="checkpoint every",
            extra={"group": Group.SAVING, "unit": "minutes"},
            description="Maximum time between checkpoints, in minutes. A smaller value loses less training in a crash",
        ),
    ] = 5.0
    grace_seconds: Annotated[
        float,
        Meta(
            ge=0,
            le=86_400,
            title="time to stop",
            extra={"group": Group.SAVING, "unit": "seconds"},
            description="Seconds that a stopped run has to save a checkpoint before it is killed. Raise for slow disks",
        ),
    ] = 30.0
    method: MethodConfig = MethodConfig()
    optim: OptimConfig = OptimConfig()
    eval: EvalConfig = EvalConfig()
    watch: WatchConfig = WatchConfig()
    early_stop: EarlyStopConfig = EarlyStopConfig()
    log: LogConfig = LogConfig()

    def __post_init__(self) -> None:
        super().__post_init__()
        if not re.fullmatch(r"auto|cpu|cuda:\d{1,3}", self.device):
            raise ConfigError(f"device = {self.device!r}: use auto, cpu or cuda:N")
        self._convert_old_early_stop()
        if self.on_collapse == "rollback" and not self.method.spec.signals:
            having = [name for name, spec in methods().items() if spec.signals]
            raise ConfigError(
                f"on_collapse = rollback: method {self.method.name} has no overfitting signal; use warn or stop, or a "
                f"method with a signal: {', '.join(having)}"
            )
        spec_of(self.dataset)  # raises if the data set is unknown
        self._check_norm()
        if self.capture == "on" and (obstacle := self.uncapturable):
            raise ConfigError(f"capture = on, but {obstacle}; {WAY_OUT_OF_CAPTURE}")
        if self.extra_data and self.in_folder:
            raise ConfigError(
                "extra_data is not supported for a folder of images: copy the images into its train folder, or leave "
                "extra_data out"
            )
        if self.in_folder and (self.crop_padding is not None or self.flip != "auto"):
            key = "flip" if self.flip != "auto" else "crop_padding"
            raise ConfigError(f"{key} is not supported for a folder of images, whose crops are random: leave {key} out")
        if self.model.name == "mnist-cnn" and self.dataset != "mnist":
            raise ConfigError(f"model.name = mnist-cnn takes mnist only, not {self.dataset}: choose another network")
        given = parse_phases(self.phases)
        if given and given[-1].end != self.epochs:
            raise ConfigError(
                f"the phases end at epoch {given[-1].end}, but epochs = {self.epochs}: make the two numbers equal"
            )
        if any(phase.size for phase in given) and not self.in_folder:
            raise ConfigError(
                f"{self.dataset} has images of one size only: write 0 for SIZE, such as 0/{given[0].crop or 16}"
            )

    def _check_norm(self) -> None:
        """Raises: ConfigError, if the method lacks the norm, or if a size is above 1 for linf."""
        if self.norm not in self.method.spec.norms:
            having = ", ".join(name for name, spec in methods().items() if self.norm in spec.norms)
            raise ConfigError(f"norm = {self.norm}: method {self.method.name} is not defined for it; use {having}")
        sizes = {"eps": self.eps, "method.alpha": self.method.alpha, "eval.step_size": self.eval.step_size}
        for key, size in sizes.items():
            if self.norm == LINF and size is not None and size > 1:
                raise ConfigError(f"{key} = {size:g}: a size for norm linf is at most 1 (255/255); or set norm l2")

    def _convert_old_early_stop(self) -> None:
        """Read a configuration of version 0.1, where `early_stop.enabled` was what `on_collapse = stop` is now."""
        if self.early_stop.enabled:
            if self.on_collapse == "rollback":
                raise ConfigError("early_stop.enabled = true means on_collapse = stop; leave out early_stop.enabled")
            structs.force_setattr(self, "on_collapse", "stop")
            structs.force_setattr(self, "early_stop", structs.replace(self.early_stop, enabled=False))

    @property
    def uncapturable(self) -> str:
        """Why no CUDA graph can hold the run's training step, whatever the machine, in words; "" if one can."""
        if self.device == "cpu":
            return "the run trains on the CPU"
        if self.micro_batch:
            return "micro_batch splits the training step"
        if not self.method.spec.capturable:
            return f"the steps of method {self.method.name} differ from one another"
        return FP16_IS_UNCAPTURABLE if self.precision == "fp16" else ""

    @property
    def in_folder(self) -> bool:
        """Whether each image is a file in a folder. Other data sets are arrays in memory."""
        return spec_of(self.dataset).in_folder

    @property
    def phase_list(self) -> tuple[Phase, ...]:
        """The phases of the run, at least one, each with its minibatch size filled in."""
        given = parse_phases(self.phases) or (Phase(0, self.epochs),)
        return tuple(structs.replace(phase, batch_size=phase.batch_size or self.batch_size) for phase in given)

    @property
    def alpha(self) -> float:
        """Step size of the training attack, in the unit of eps: the setting, else the method's default.

        For l2, the default is the same multiple of eps as for linf: eps/4 in PGD. Others' PGD training in l2 has steps
        of eps/5 (7 steps; Engstrom et al., 2019, package robustness) and of eps/8.5 (10 steps; Rice et al., 2020, arXiv
        2002.11569). In the attack, eps/4 is stronger than 2.5 eps/steps: on a digits network after PGD training at eps
        1, robust accuracy under PGD-20-2 was 71.9% (eps 0.5) and 32.8% (eps 1), against 73.1% and 35.0%.

        Standard training has no attack. Its runs have always been stored with FGSM's step size.
        """
        if self.method.alpha is not None:
            return self.method.alpha
        default = self.method.spec.alpha or methods()["fgsm"].alpha
        assert default is not None
        size = default(self.eps, self.pgd_step)
        return size if self.norm == L2 else min(size, 1.0)

    @property
    def eval_step(self) -> float:
        """Step size of every evaluation attack, in the unit of eps."""
        return self.pgd_step if self.eval.step_size is None else self.eval.step_size

    @property
    def pgd_step(self) -> float:
        """PGD step size: the data set's own for linf, else eps/4 as in the paper's CIFAR-10 and ImageNet runs."""
        own = spec_of(self.dataset).pgd_step if self.norm == LINF else None
        return self.eps / 4 if own is None else own

    @property
    def updates_per_minibatch(self) -> int:
        """Weight updates on each minibatch."""
        return self.method.spec.updates(self.method_options)

    @property
    def method_options(self) -> Section:
        """The options of the run's method, as an instance of the options class in its MethodSpec."""
        return self.method.spec.options(**self.method.options)

    @property
    def title(self) -> str:
        """The name that the user gave, else a name made of data set, method and eps, for l2 with its norm."""
        dataset = PurePath(self.dataset.removeprefix(own_prefix(self.dataset))).name
        norm = "" if self.norm == LINF else f"-{self.norm}"
        return self.name or f"{dataset}-{self.method.name}{norm}-eps{units(self.eps, self.norm)}"
