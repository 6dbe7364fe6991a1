"""Presets: named recipes of settings, and how a configuration is built from a preset and the user's own settings.

The later source wins: the preset, then the preset's part for the method, then the settings that the user typed.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from engine.config import phases
from engine.config.datasets import FOLDER, HF_DATA, NPZ, OWN_FORMS, datasets, full_name, own_spec, spec_of
from engine.config.errors import ConfigError
from engine.config.keys import assemble
from engine.config.methods import DEFAULT_METHOD, check_option, methods
from engine.config.norms import LINF, Norm
from engine.config.suggest import did_you_mean

if TYPE_CHECKING:
    from engine.config.run import RunConfig

NO_PATH = {  # what is missing in the name of a data set that is a prefix alone, and how to write it
    FOLDER: f"folder; write {FOLDER}PATH, where PATH/train/CLASS/FILE and PATH/val/CLASS/FILE exist",
    NPZ: f"file; write {NPZ}FILE, with the arrays x_train, y_train, x_test and y_test",
    HF_DATA: f"folder; write {HF_DATA}PATH, which datasets.save_to_disk has written",
}
SIZES = ("eps", "method.alpha", "eval.step_size")  # the settings that are perturbation sizes, whose unit is the norm's


class Preset(Struct, frozen=True):
    """A recipe. settings: values by dotted key, for all methods; methods: values for single methods.

    source: who published the recipe, and where. measured: results with this recipe, one line each, with the images that
    they were measured on. The laboratory notes in tests/benchmarks/ have the details.
    """

    summary: str
    source: str
    settings: Mapping[str, Any]
    methods: Mapping[str, Mapping[str, Any]] = {}
    measured: tuple[str, ...] = ()


# Found by the trials of tests/benchmarks/speedrun.md: `speed` and `strong` differ in size alone.
MUON: Mapping[str, Any] = {
    "model.name": "preact-resnet18",
    "model.activation": "silu",
    "eps": 8 / 255,
    "batch_size": 128,
    "method.name": "nfgsm",
    "optim.name": "muon",
    "optim.lr": 0.05,
    "optim.sgd_ratio": 1.0,
    "optim.average": 0.995,
    "optim.peak": 0.25,
    "method.steps": 7,
    "method.replays": 8,
}

PRESETS: dict[str, Preset] = {
    "wong2020": Preset(
        "the released CIFAR-10 recipe of Wong, Rice and Kolter (2020)",
        "Wong, Rice and Kolter, 2020, arXiv 2001.03994; github.com/locuslab/fast_adversarial, folder CIFAR10",
        {
            "model.name": "preact-resnet18",
            "eps": 8 / 255,
            "epochs": 15,
            "batch_size": 128,
            "optim.name": "sgd",
            "optim.lr": 0.2,
            "optim.momentum": 0.9,
            "optim.weight_decay": 5e-4,
            "optim.schedule": "cyclic",
            "optim.peak": 0.5,
            "method.steps": 7,
            "method.replays": 8,
        },
        {"free": {"epochs": 10, "optim.lr": 0.04}, "trades": {"method.steps": 10}},
        (
            "published for FGSM: 46.06% robust accuracy under PGD-50-10",
            "one trial with model.width=16, epochs=10: 68.9% clean accuracy, 38.5% under PGD-50-10 on the first 1,000 "
            "test images",
        ),
    ),
    "wong2020-paper": Preset(
        "the CIFAR-10 recipe of the first release of the code of Wong, Rice and Kolter",
        "Wong, Rice and Kolter, 2020, arXiv 2001.03994; github.com/locuslab/fast_adversarial, CIFAR10/train_cifar.py "
        "at commit 673f140",
        {
            "model.name": "preact-resnet18",
            "model.shortcut": "input",
            "model.final_norm": False,
            "model.init": "fan-out",
            "eps": 8 / 255,
            "epochs": 15,
            "batch_size": 128,
            "padding": "reflect",
            "optim.name": "sgd",
            "optim.lr": 0.21,
            "optim.momentum": 0.9,
            "optim.weight_decay": 5e-4,
            "optim.clip_norm": 0.5,
            "optim.schedule": "cyclic",
            "optim.peak": 0.4,
            "method.start_in_box": False,
            "method.steps": 5,
            "method.replays": 5,
            "early_stop.drop": 0.5,
        },
        {"free": {"epochs": 3}, "trades": {"method.steps": 10}},  # 15 epochs there count each of the 5 replays of free
    ),
    "nfgsm": Preset(
        "N-FGSM (de Jorge et al., 2022) on CIFAR-10: noise of 2 eps, no clipping to the ball",
        "de Jorge et al., NeurIPS 2022, arXiv 2202.01181",
        {
            "model.name": "preact-resnet18",
            "eps": 8 / 255,
            "epochs": 30,
            "batch_size": 128,
            "method.name": "nfgsm",
            "optim.name": "sgd",
            "optim.lr": 0.2,
            "optim.momentum": 0.9,
            "optim.weight_decay": 5e-4,
            "optim.schedule": "cyclic",
            "optim.peak": 0.5,
            "method.steps": 7,
            "method.replays": 8,
        },
        {"trades": {"method.steps": 10}},
    ),
    "sora": Preset(
        "SORA (Teymourian et al., 2026) on CIFAR-10: random sign steps that shrink while the loss is curved",
        "Teymourian et al., ICML 2026, arXiv 2606.00738",
        {
            "model.name": "preact-resnet18",
            "eps": 8 / 255,
            "epochs": 30,
            "batch_size": 128,
            "method.name": "sora",
            "optim.name": "sgd",
            "optim.lr": 0.2,
            "optim.momentum": 0.9,
            "optim.weight_decay": 5e-4,
            "optim.schedule": "cyclic",
            "optim.peak": 0.5,
            "method.steps": 7,
            "method.replays": 8,
        },
        {"trades": {"method.steps": 10}},
    ),
    "speed": Preset(
        "robust accuracy on CIFAR-10 for few FLOPs: a narrow network with SiLU, Muon, N-FGSM and averaged weights",
        "this project; settings chosen on held-out training images; tests/benchmarks/speedrun.md has the trials",
        {**MUON, "model.width": 32, "epochs": 5},
        {"nfgsm": {"method.noise": 1.5}, "trades": {"method.steps": 10}},
        measured=(
            "mean of 3 seeds: 73.6% clean accuracy, 46.5% under PGD-50-10 on the first 613 test images; training took "
            "0.373 PFLOP",
        ),
    ),
    "strong": Preset(
        "the recipe of `speed` at the size of `wong2020`: more robust for 1.04 times the FLOPs of FGSM training",
        "this project; tests/benchmarks/science.md compares it with FGSM training",
        {**MUON, "epochs": 15},
        {"nfgsm": {"method.noise": 1.5}, "trades": {"method.steps": 10}},
    ),
    "wong2020-mnist": Preset(
        "the MNIST recipe of Wong, Rice and Kolter (2020)",
        "Wong, Rice and Kolter, 2020, arXiv 2001.03994; github.com/locuslab/fast_adversarial, folder MNIST",
        {
            "model.name": "mnist-cnn",
            "eps": 0.3,
            "epochs": 10,
            "batch_size": 100,
            "optim.name": "adam",
            "optim.lr": 5e-3,
            "optim.weight_decay": 0.0,
            "optim.schedule": "cyclic",
            "optim.peak": 0.4,
            "method.steps": 40,
            "method.start_in_box": False,  # The released MNIST code does not clip the random start. Clipping loses half
            # of the noise on black pixels, and FGSM training with clipping collapsed here in epoch 3.
        },
        measured=(
            "published for FGSM: 88.77% robust accuracy under PGD-50-10",
            "one trial: 98.8% clean accuracy, 87.2% under PGD-50-10 on the first 1,000 test images",
        ),
    ),
    "wong2020-imagenet": Preset(
        "the ImageNet recipe of Wong, Rice and Kolter (2020): four phases, with images of 128, 224 and 288 pixels",
        "Wong, Rice and Kolter, 2020, arXiv 2001.03994; github.com/locuslab/fast_adversarial, folder ImageNet",
        {
            "model.name": "resnet50",
            "eps": 2 / 255,
            "epochs": 15,
            "phases": (
                "0-1:160/128:512:0..0.4 1-6:160/128:512:0.4..0.04 "
                "6-12:352/224:224:0.04..0.004 12-15:0/288:128:0.004..0.0004"
            ),
            "optim.name": "sgd",
            "optim.momentum": 0.9,
            "optim.weight_decay": 1e-4,
            "optim.decay_norms": False,
            "eval.step_size": 1 / 255,
            "method.steps": 7,
            "method.replays": 4,
        },
        {"trades": {"method.steps": 10}},
    ),
    "digits": Preset(
        "scikit-learn's 8x8 digits on a small network: about a minute on a CPU",
        "this project; for a first run, and for tests",
        {
            "model.name": "digits-cnn",
            "model.width": 32,
            "eps": 0.2,
            "epochs": 30,
            "batch_size": 64,
            "optim.name": "adam",
            "optim.lr": 5e-3,
            "optim.weight_decay": 0.0,
            "optim.peak": 0.4,
        },
        measured=("one trial: 98.3% clean accuracy, 55.3% under PGD-50-10 on all 360 test images",),
    ),
}


def build(dataset: str, typed: Mapping[str, Any] | None = None, preset: str | None = None) -> "RunConfig":
    """Build the configuration of a run: apply a preset, then call `assemble`.

    typed: the user's settings by dotted key, as values; they overrule the preset.

    preset: a name, by default that of the data set's own preset. Raises: ConfigError, if the data set, the preset or a
    setting is unknown or not allowed, or if the user typed an option of another method.
    """
    typed = dict(typed or {})
    dataset = check_dataset(dataset)
    name = check_preset(preset or spec_of(dataset).preset)
    norm = typed.get("norm", preset_norm(dataset, preset))
    settings = preset_settings(name, typed.get("method.name"), norm)
    if "eps" not in typed and "eps" not in settings:
        raise ConfigError(f"norm = {norm}: the eps of the preset is for another norm; type an eps, as 0.5 or 128/255")
    _fit_phases(settings, typed)
    config = assemble({**settings, **typed, "dataset": dataset, "preset": name})
    _check_method(typed.get("method.name", settings.get("method.name")), config)
    for key, value in typed.items():
        if value is not None:
            check_option(config.method.name, key)
    return config


def _check_method(name: str | None, config: "RunConfig") -> None:
    """Refuse a noise that makes another method of the chosen one. Only files of version 0.1 mean N-FGSM by it."""
    if name is not None and name != config.method.name:
        raise ConfigError(
            f"method.noise = {config.method.options['noise']:g}: {name} starts in the ball; "
            f"use at most 1, or --method {config.method.name}"
        )


def _fit_phases(settings: dict[str, Any], typed: Mapping[str, Any]) -> None:
    """Let the epochs follow typed phases, and the phases of the preset follow typed epochs."""
    if "phases" in typed:
        if "epochs" not in typed and (given := phases.parse(typed["phases"])):
            settings["epochs"] = given[-1].end
        return
    own, epochs = phases.parse(settings.get("phases", "")), typed.get("epochs")
    if own and isinstance(epochs, int) and 1 <= epochs <= phases.MAX_EPOCHS:  # RunConfig refuses other values
        settings["phases"] = phases.format_phases(phases.scaled(own, epochs))


def scaled_from(config: "RunConfig") -> int | None:
    """The number of epochs that the preset's phases were scaled from; None if they were not scaled."""
    own = phases.parse(preset_settings(config.preset, config.method.name).get("phases", ""))
    if not own or own[-1].end == config.epochs:
        return None
    return own[-1].end if config.phases == phases.format_phases(phases.scaled(own, config.epochs)) else None


def preset_norm(dataset: str, preset: str | None = None) -> Norm:
    """The norm of a preset, by default that of the data set's own preset; linf if there is no such preset."""
    known = datasets().get(full_name(dataset))
    name = preset or (known.preset if known else "")
    norm: Norm = PRESETS[name].settings.get("norm", LINF) if name in PRESETS else LINF
    return norm


def preset_settings(name: str, method: str | None = None, norm: str | None = None) -> dict[str, Any]:
    """The settings of a preset for a training method, by dotted key. Empty if no preset has this name (any more).

    method, norm: the preset's own by default. The preset may set options of several methods; the result leaves out
    the options that this method does not have. With another norm, it leaves out the perturbation sizes.
    """
    preset = PRESETS.get(name)
    if preset is None:
        return {}
    method = method or preset.settings.get("method.name", DEFAULT_METHOD)
    settings = {**preset.settings, **preset.methods.get(method, {}), "method.name": method}
    left_out = () if norm in (None, preset.settings.get("norm", LINF)) else SIZES
    return {key: value for key, value in settings.items() if _applies_to(method, key) and key not in left_out}


def _applies_to(method: str, key: str) -> bool:
    section, _, option = key.rpartition(".")
    spec = methods().get(method)
    return section != "method" or option == "name" or spec is None or option in spec.defaults


def check_preset(name: str) -> str:
    """Return the name of a preset unchanged. Raises: ConfigError, if no preset has this name."""
    if name not in PRESETS:
        raise ConfigError(f"unknown preset {name!r}; use {', '.join(PRESETS)}{_hint(name, PRESETS)}")
    return name


def check_dataset(name: str) -> str:
    """The full name of a data set.

    Raises: ConfigError, if no data set has this name.
    """
    full = full_name(name)
    if full in NO_PATH:
        raise ConfigError(f"{full} names no {NO_PATH[full]}")
    if own_spec(full):
        return full
    if full.endswith(".py"):
        raise ConfigError(f"{name!r} names no function; write {name}:NAME, where NAME is a function that returns data")
    if full not in datasets():
        known = f"cifar, {', '.join(datasets())}, {OWN_FORMS}"
        raise ConfigError(f"unknown data set {name!r}; use {known}{_hint(name, datasets())}")
    return full


def _hint(name: str, known: Iterable[str]) -> str:
    hint = did_you_mean(name, known)
    return f" ({hint})" if hint else ""
