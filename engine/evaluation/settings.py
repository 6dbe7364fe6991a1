"""How a run is evaluated: the attack, the number of test images, and the batch size."""

from collections.abc import Sequence

import torch

from engine.attacks.apgd import ApgdCe, ApgdTargeted, RescaledApgdCe
from engine.attacks.package_attacks import FabTargeted, Square
from engine.attacks.pgd import Pgd
from engine.attacks.stage import Attack, Composite, Stage
from engine.attacks.threat import Threat
from engine.config import attacks
from engine.config.phases import Phase
from engine.config.run import RunConfig
from engine.evaluation.evaluation import BATCH
from engine.evaluation.resumable import EvaluationInputs

BATCH_ON_LARGE_GPU = (
    1000  # of the images of data sets in memory, which are small; PreActResNet18 takes about 7 GB in fp32
)
LARGE_GPU = 15e9  # bytes
EVAL_IMAGES_ON_CPU = 1000  # for `eval.attack = auto`, unless `eval.images` is set


def attack_of(config: RunConfig, device: torch.device, classes: int) -> tuple[Attack, int]:
    """The attack of a run's evaluation, and the number of test images; 0 means all. classes: of the data set.

    Raises: ConfigError, if the attack needs a package that is not installed, or more classes.
    """
    chosen = config.eval
    attacks.check_attack(chosen.attack, classes)
    name = attacks.DEFAULT if chosen.attack in ("auto", "none") else chosen.attack
    few = chosen.attack == "auto" and device.type == "cpu" and not chosen.images
    return build_attack(name, config.eval_step, classes), EVAL_IMAGES_ON_CPU if few else chosen.images


def build_attack(name: str, step_size: float, classes: int) -> Attack:
    """An attack by its name. step_size: of PGD, a fraction in [0,1]; classes: of the data set.

    Raises: ConfigError, if the name is no attack's.
    """
    names = attacks.stages_for(attacks.stages_of(name), classes)
    stages = tuple(_stage(stage, step_size, classes, name in attacks.COMPOSITES) for stage in names)
    if len(stages) == 1 and isinstance(stages[0], Pgd):
        return stages[0]
    return Composite(name, stages, step_size if attacks.has_step_size(name) else 0.0)


def _stage(name: str, step_size: float, classes: int, autoattack: bool) -> Stage:
    """A stage by its name. autoattack: whether the attack is `aa` or `aa-quick`, whose APGD-CE is stronger."""
    match name:
        case "apgd-ce":
            return RescaledApgdCe() if autoattack else ApgdCe()
        case "apgd-t":
            return ApgdTargeted(attacks.targets_for(classes))
        case "fab-t":
            return FabTargeted(attacks.targets_for(classes))
        case "square":
            return Square()
    return Pgd(*attacks.parse_pgd(name), step_size)


def evaluation_inputs(
    config: RunConfig, data: str, phase: Phase, attacked: Sequence[tuple[Threat, Attack]], limit: int, search: str
) -> EvaluationInputs:
    """The inputs of an evaluation of a run's network.

    data: fingerprint of the data set; phase: with its sizes filled in; attacked: the attacks; limit: number of images,
    0 for all; search: precision of the search for perturbations.
    """
    return EvaluationInputs(
        network=config.model,
        data=data,
        size=phase.size,
        crop=phase.crop,
        attacks=tuple((threat.eps, *attack.inputs) for threat, attack in attacked),
        seed=config.seed,
        limit=limit,
        search=search,
        norm=config.norm,
    )


def eval_batch(config: RunConfig, device: torch.device) -> int:
    """Images evaluated at once. For image folders, no more than are trained at once, which are known to fit.

    A large GPU needs more images at once to be busy. On a CPU, 1,000 at once saved 16% to 33% of the time on three
    small networks, but take four times the memory, so a CPU keeps to BATCH.
    """
    most = BATCH_ON_LARGE_GPU if _is_large_gpu(device) else BATCH
    return min(most, config.micro_batch or config.phase_list[-1].batch_size) if config.in_folder else most


def _is_large_gpu(device: torch.device) -> bool:
    return device.type == "cuda" and torch.cuda.get_device_properties(device).total_memory >= LARGE_GPU
