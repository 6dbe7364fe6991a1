"""Named recipes: what a run starts from before the user's own options.

Later entries win: data set, preset, the preset's part for the method, what the user typed.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from engine.config import phases
from engine.config.datasets import FOLDER, datasets, full_name, spec_of
from engine.config.errors import ConfigError
from engine.config.keys import assemble
from engine.config.method_section import DEFAULT_METHOD
from engine.config.methods import check_option, methods
from engine.config.run import RunConfig
from engine.config.suggest import did_you_mean


class Preset(Struct, frozen=True):
    """Settings by dotted key, for every method and for single ones.

    source: who published the recipe, and where. measured: results that were measured with it, a line each, with what
    they were measured on; the laboratory notes in tests/benchmarks/ tell the rest.
    """

    summary: str
    source: str
    settings: Mapping[str, Any]
    methods: Mapping[str, Mapping[str, Any]] = {}
    measured: tuple[str, ...] = ()


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
        {"free": {"epochs": 10, "optim.lr": 0.04}},
        (
            "paper, FGSM: 46.06% under PGD-50-10",
            "model.width=16, epochs=10, one trial: 68.9% clean, 38.5% under PGD-50-10 on the first 1,000 test images",
        ),
    ),
    "speed": Preset(
        "robust accuracy on CIFAR-10 for the least work: a narrow network with SiLU, Muon, N-FGSM, averaged weights",
        "our own, chosen on held-out training images; tests/benchmarks/speedrun.md has the trials",
        {
            "model.name": "preact-resnet18",
            "model.width": 32,
            "model.activation": "silu",
            "eps": 8 / 255,
            "epochs": 5,
            "batch_size": 128,
            "method.name": "nfgsm",
            "method.noise": 1.5,
            "optim.name": "muon",
            "optim.lr": 0.05,
            "optim.sgd_ratio": 1.0,
            "optim.average": 0.995,
            "optim.peak": 0.25,
            "method.steps": 7,
            "method.replays": 8,
        },
        measured=("73.6% clean, 46.5% under PGD-50-10 on the first 613 test images, mean of 3 seeds, for 0.373 PFLOP",),
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
            "method.start_in_box": False,  # the released MNIST code does not clip it; clipped, half the noise on
            # black pixels is lost, and FGSM training collapsed here in epoch 3
        },
        measured=(
            "paper, FGSM: 88.77% under PGD-50-10",
            "one trial: 98.8% clean, 87.2% under PGD-50-10 on the first 1,000 test images",
        ),
    ),
    "wong2020-imagenet": Preset(
        "the ImageNet recipe of Wong, Rice and Kolter (2020): images that grow over three phases",
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
    ),
    "digits": Preset(
        "scikit-learn's 8x8 digits on a small network: a full run in seconds",
        "our own; for a first run, and for tests",
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
        measured=("one trial: 98.3% clean, 55.3% under PGD-50-10 on all 360 test images",),
    ),
}


def build(dataset: str, typed: Mapping[str, Any] | None = None, preset: str | None = None) -> RunConfig:
    """The configuration for a data set: a preset, overruled by the settings that the user typed (dotted keys).

    Raises: ConfigError, if the data set, the preset or a setting is unknown or not allowed, or an option of another
    method was typed.
    """
    typed = dict(typed or {})
    dataset = check_dataset(dataset)
    name = check_preset(preset or spec_of(dataset).preset)
    settings = preset_settings(name, typed.get("method.name"))
    if "epochs" not in typed and (given := phases.parse(typed.get("phases", ""))):
        settings["epochs"] = given[-1].end
    config = assemble({**settings, **typed, "dataset": dataset, "preset": name})
    for key, value in typed.items():
        if value is not None:
            check_option(config.method.name, key)
    return config


def preset_settings(name: str, method: str | None = None) -> dict[str, Any]:
    """What a preset sets for a training method (by default its own), by dotted key; nothing for a name that is gone.

    A preset may set options of several methods; those that this one does not have are left out.
    """
    preset = PRESETS.get(name)
    if preset is None:
        return {}
    method = method or preset.settings.get("method.name", DEFAULT_METHOD)
    settings = {**preset.settings, **preset.methods.get(method, {}), "method.name": method}
    return {key: value for key, value in settings.items() if _concerns(method, key)}


def _concerns(method: str, key: str) -> bool:
    section, _, option = key.rpartition(".")
    spec = methods().get(method)
    return section != "method" or option == "name" or spec is None or option in spec.defaults


def check_preset(name: str) -> str:
    """The name of a preset, as it is. Raises: ConfigError, if there is none of that name."""
    if name not in PRESETS:
        raise ConfigError(f"unknown preset {name!r}; use {', '.join(PRESETS)}{_near(name, PRESETS)}")
    return name


def check_dataset(name: str) -> str:
    """The full name of a data set.

    Raises: ConfigError, if there is none of that name.
    """
    full = full_name(name)
    if full == FOLDER:
        raise ConfigError(f"{FOLDER} names no folder; write {FOLDER}PATH, with {FOLDER}PATH/train/CLASS/FILE in it")
    if full.startswith(FOLDER):
        return full
    if full not in datasets():
        known = f"cifar, {', '.join(datasets())} or {FOLDER}PATH"
        raise ConfigError(f"unknown data set {name!r}; use {known}{_near(name, datasets())}")
    return full


def _near(name: str, known: Iterable[str]) -> str:
    hint = did_you_mean(name, known)
    return f" ({hint})" if hint else ""
