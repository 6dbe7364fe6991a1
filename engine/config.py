"""RunConfig: everything that decides a run, typed and validated however it is built.

Fields are addressed by dotted keys (`model.width`), on the command line, in presets and in diffs alike.
Perturbation sizes are stored as fractions in [0,1]; people type and read them in units of 1/255.
"""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import PurePath
from typing import Annotated, Any, Literal, get_args

import msgspec
from msgspec import Meta, structs

from engine.phases import Phase
from engine.phases import parse as parse_phases
from engine.sections import ConfigError as ConfigError
from engine.sections import (
    Count,
    EarlyStopConfig,
    EvalConfig,
    MethodConfig,
    ModelConfig,
    OptimConfig,
    Precision,
    Section,
    Size,
    WatchConfig,
    fields_of,
)
from engine.sections import parse_attack as parse_attack

DATASETS = ("digits", "cifar10", "cifar100", "mnist", "imagenet")
DATASET_ALIASES = {"cifar": "cifar10"}
FOLDER = "imagefolder:"  # and a path: any folder of images
MAX_EPOCHS = 100_000
SHORT_KEYS = {  # what people type for the settings that they type most
    "method": "method.name",
    "alpha": "method.alpha",
    "model": "model.name",
    "width": "model.width",
    "lr": "optim.lr",
    "eval": "eval.attack",
}


class RunConfig(Section, frozen=True):
    dataset: Annotated[
        str, Meta(description=f"data set: {', '.join(DATASETS)}, or {FOLDER}PATH for any folder of images")
    ]
    model: ModelConfig
    preset: Annotated[str, Meta(description="recipe that the other settings start from")] = ""
    name: Annotated[str, Meta(max_length=10_000, description="name of the run; for the eyes only")] = ""
    eps: Annotated[Size, Meta(description="radius of the l-infinity ball")] = 8 / 255
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
        if self.dataset not in DATASETS and not self.dataset.startswith(FOLDER):
            raise ConfigError(f"unknown data set {self.dataset!r}; use {', '.join(DATASETS)} or {FOLDER}PATH")
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
        return self.dataset == "imagenet" or self.dataset.startswith(FOLDER)

    @property
    def phase_list(self) -> tuple[Phase, ...]:
        """At least one phase, each with its minibatch size."""
        given = parse_phases(self.phases) or (Phase(0, self.epochs),)
        return tuple(structs.replace(phase, batch_size=phase.batch_size or self.batch_size) for phase in given)

    @property
    def alpha(self) -> float:
        """Step size of the training attack, as a fraction in [0,1] (paper: 1.25 eps for FGSM, eps for free).

        N-FGSM steps by eps (de Jorge et al., 2022).
        """
        if self.method.alpha is not None:
            return self.method.alpha
        if self.method.name == "pgd":
            return self.pgd_step
        n_fgsm = self.method.name == "fgsm" and self.method.init == "random" and self.method.noise > 1
        return self.eps if n_fgsm or self.method.name == "free" else min(1.25 * self.eps, 1.0)

    @property
    def eval_step(self) -> float:
        """Step size of every evaluation attack, as a fraction in [0,1]."""
        return self.pgd_step if self.eval.step_size is None else self.eval.step_size

    @property
    def pgd_step(self) -> float:
        """eps/4 as in the paper's CIFAR-10 and ImageNet runs; its MNIST runs use 0.01."""
        return 0.01 if self.dataset == "mnist" else self.eps / 4

    @property
    def replays(self) -> int:
        """Weight updates made on each minibatch."""
        return self.method.replays if self.method.name == "free" else 1

    @property
    def title(self) -> str:
        """The name that the user gave, else one that says what the run is."""
        size = units(self.eps) if units(self.eps).isdecimal() else f"{self.eps:.4g}"  # 8 of 255, but 0.3 on MNIST
        dataset = PurePath(self.dataset.removeprefix(FOLDER)).name
        return self.name or f"{dataset}-{self.method.name}-eps{size}"


def units(size: float) -> str:
    """A fraction in [0,1] in units of 1/255: `8`, `76.5`."""
    return f"{size * 255:.4g}"


def both_units(size: float) -> str:
    """`8/255 = 0.0314`, so that nobody has to guess what was understood."""
    return f"{units(size)}/255 = {size:.4g}"


def parse_size(text: str) -> float:
    """Read a perturbation size as people type it, as a fraction in [0,1].

    `8` is in units of 1/255, `8/255` is a fraction, and a decimal below 1 (`0.3`) is already in [0,1].

    Raises: ConfigError, if it is no number, negative or above 1.
    """
    match = re.fullmatch(r"\s*([-+.\deE]+)\s*(?:/\s*([.\deE]+))?\s*", text)
    try:
        if not match:
            raise ValueError
        value = float(match[1])
        size = value / float(match[2]) if match[2] else value if abs(value) < 1 else value / 255
    except (ValueError, ZeroDivisionError):
        raise ConfigError(f"{text!r} is not a size: type 8 (meaning 8/255), 8/255 or 0.03") from None
    if not 0 <= size <= 1:
        raise ConfigError(f"{text!r} is {size:.4g}, outside [0,1]: type 8 (meaning 8/255), 8/255 or 0.03")
    return size


def choices(key: str) -> tuple[str, ...]:
    """The values that a field of fixed choices admits."""
    return get_args(_plain(fields()[key].type))


@cache
def fields() -> Mapping[str, structs.FieldInfo]:
    """Every leaf field of RunConfig by its dotted key, in the order in which they are declared."""
    found: dict[str, structs.FieldInfo] = {}
    for field in fields_of(RunConfig):
        if _is_section(field.type):
            found |= {f"{field.name}.{leaf.name}": leaf for leaf in fields_of(field.type)}
        else:
            found[field.name] = field
    return found


def description(key: str) -> str:
    """What a field means, for help texts and forms."""
    return next((str(m.description) for m in getattr(fields()[key].type, "__metadata__", ()) if m.description), "")


def full_key(key: str) -> str:
    """The dotted key of a setting that may have been typed short.

    Raises: ConfigError, if there is no such setting.
    """
    known = fields()
    key = SHORT_KEYS.get(key, key)
    if key not in known:
        from difflib import get_close_matches  # only for who mistyped

        near = get_close_matches(key, known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}?" if near else f"known keys: {', '.join(known)}"
        raise ConfigError(f"unknown setting {key!r}; {hint}")
    return key


def parse_value(key: str, text: str) -> Any:
    """Read the text that a user typed for the field `key`.

    Raises: ConfigError, naming the key, the text and what is allowed.
    """
    key = full_key(key)
    kind = fields()[key].type
    try:
        if _is_size(kind):
            return None if text in ("", "auto") and _is_optional(kind) else parse_size(text)
        if "tuple" in str(kind):
            return msgspec.convert([part for part in text.split(",") if part], kind, strict=False)
        return msgspec.convert(DATASET_ALIASES.get(text, text) if key == "dataset" else text, kind, strict=False)
    except ConfigError as error:
        raise ConfigError(f"{key}: {error}") from None
    except msgspec.ValidationError as error:
        raise ConfigError(f"{key} = {text!r}: {_allowed(key, error)}") from None


def assemble(settings: Mapping[str, Any]) -> RunConfig:
    """Build a RunConfig from dotted keys.

    Raises: ConfigError, if a key is unknown or a value is not allowed.
    """
    nested: dict[str, Any] = {}
    for key, value in settings.items():
        section, _, leaf = key.rpartition(".")
        (nested.setdefault(section, {}) if section else nested)[leaf] = value
    try:
        return msgspec.convert(nested, RunConfig)
    except msgspec.ValidationError as error:
        raise ConfigError(_plain_error(error)) from None


def flatten(config: RunConfig) -> dict[str, Any]:
    """The settings of a RunConfig by dotted key; the inverse of `assemble`."""
    flat: dict[str, Any] = {}
    for key in fields():
        value: Any = config
        for part in key.split("."):
            value = getattr(value, part)
        flat[key] = value
    return flat


def _allowed(key: str, error: msgspec.ValidationError) -> str:
    kind = _plain(fields()[key].type)
    return f"use {', '.join(map(str, get_args(kind)))}" if "Literal" in str(kind) else _plain_error(error)


def _plain_error(error: msgspec.ValidationError) -> str:
    """msgspec's message with our dotted path in front: `epochs: expected int >= 1`."""
    message, _, path = str(error).partition(" - at `$.")
    message = message[:1].lower() + message[1:]
    return f"{path.rstrip('`')}: {message}" if path else message


def _plain(kind: Any) -> Any:
    return getattr(kind, "__origin__", kind) if hasattr(kind, "__metadata__") else kind


def _is_section(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Section)


def _is_optional(kind: Any) -> bool:
    return type(None) in get_args(_plain(kind))


def _is_size(kind: Any) -> bool:
    return "1/255" in str(kind)
