"""Which settings have an effect in a run. A form shows only these."""

from engine.config.attacks import has_step_size
from engine.config.datasets import spec_of
from engine.config.model_section import ModelConfig
from engine.config.networks import (
    NETWORKS_WITH_ACTIVATION,
    NETWORKS_WITH_BLOCKS,
    NETWORKS_WITH_DEPTH,
    NETWORKS_WITH_WIDTH,
    TIMM,
    family,
)
from engine.config.phases import parse
from engine.config.run import RunConfig

# The settings whose values decide which other settings have an effect.
DECIDING = (
    "dataset", "preset", "method.name", "model.name", "phases", "optim.name", "optim.schedule", "optim.average",
    "eval.attack", "watch.images", "on_collapse", "extra_data", "crop_padding", "device",
)  # fmt: skip


def applies(key: str, config: RunConfig) -> bool:
    """Whether a setting has an effect in a run with the values that `config` has for the settings in DECIDING.

    key: dotted, such as `method.steps`.
    """
    section, _, leaf = key.rpartition(".")
    match section:
        case "method":
            spec = config.method.spec
            return leaf == "name" or leaf in spec.defaults or (leaf == "alpha" and spec.alpha is not None)
        case "model":
            return _in_network(leaf, config.model)
        case "optim":
            return _in_optimizer(leaf, config)
        case "eval" if leaf == "step_size":
            return has_step_size(config.eval.attack) or config.watch.images > 0
        case "eval" if leaf == "search":
            return config.eval.attack != "none" or config.watch.images > 0
        case "eval" if leaf == "images":
            return config.eval.attack != "none"
        case "watch" if leaf == "steps":
            return config.watch.images > 0
        case "early_stop":
            return leaf == "drop" and config.on_collapse == "stop"
    if key == "batch_size":
        return not _every_phase_has_a_size(config)
    if key in ("extra_data", "extra_fraction"):
        return not config.in_folder and (key == "extra_data" or bool(config.extra_data))
    if key == "data_code":
        return False  # nobody types it
    if key in ("flip", "crop_padding"):
        return not config.in_folder
    if key == "padding":
        facts = spec_of(config.dataset).facts
        usual = facts.padding if facts else 0
        return not config.in_folder and (usual if config.crop_padding is None else config.crop_padding) > 0
    if key in ("capture", "deterministic"):
        return config.device != "cpu"
    return key != "data_dir" or not spec_of(config.dataset).own


def _in_network(leaf: str, model: ModelConfig) -> bool:
    if leaf == "args":
        return model.user_code is not None or model.name.startswith(TIMM)
    having = {
        "width": NETWORKS_WITH_WIDTH,
        "depth": NETWORKS_WITH_DEPTH,
        "activation": NETWORKS_WITH_ACTIVATION,
        "shortcut": NETWORKS_WITH_BLOCKS,
        "final_norm": NETWORKS_WITH_BLOCKS,
        "code": (),  # nobody types it: it follows from the file
    }
    return leaf not in having or family(model.name) in having[leaf]


def _in_optimizer(leaf: str, config: RunConfig) -> bool:
    optimizer, schedule = config.optim.name, config.optim.schedule
    if leaf in ("lr", "schedule", "peak", "milestones", "gamma") and config.phase_list[0].lr is not None:
        return False  # the phases have learning rates of their own
    needed = {
        "momentum": optimizer in ("sgd", "muon"),
        "nesterov": optimizer == "sgd",
        "sgd_ratio": optimizer == "muon",
        "peak": schedule == "cyclic",
        "milestones": schedule == "piecewise",
        "gamma": schedule == "piecewise",
        "recompute_norms": config.optim.average > 0,
    }
    return needed.get(leaf, True)


def _every_phase_has_a_size(config: RunConfig) -> bool:
    given = parse(config.phases)
    return bool(given) and all(phase.batch_size for phase in given)
