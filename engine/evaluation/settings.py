"""How a run is evaluated: the attack, the number of test images, and the batch size."""

from collections.abc import Sequence

import torch

from engine.attacks.pgd import Pgd
from engine.attacks.threat import Threat
from engine.config.phases import Phase
from engine.config.run import RunConfig
from engine.config.sections import parse_attack
from engine.evaluation.evaluation import BATCH
from engine.evaluation.resumable import EvaluationInputs

EVAL_IMAGES_ON_CPU = 1000  # for `eval.attack = auto`, unless `eval.images` is set


def attack_of(config: RunConfig, device: torch.device) -> tuple[Pgd, int]:
    """The attack of a run's evaluation, and the number of test images; 0 means all."""
    chosen = config.eval
    steps, restarts = parse_attack("pgd-50-10" if chosen.attack in ("auto", "none") else chosen.attack)
    few = chosen.attack == "auto" and device.type == "cpu" and not chosen.images
    return Pgd(steps, restarts, config.eval_step), EVAL_IMAGES_ON_CPU if few else chosen.images


def evaluation_inputs(
    config: RunConfig, data: str, phase: Phase, attacks: Sequence[tuple[Threat, Pgd]], limit: int, search: str
) -> EvaluationInputs:
    """The inputs of an evaluation of a run's network.

    data: fingerprint of the data set; phase: with its sizes filled in; limit: number of images, 0 for all; search:
    precision of the search for perturbations.
    """
    return EvaluationInputs(
        network=config.model,
        data=data,
        size=phase.size,
        crop=phase.crop,
        attacks=tuple((threat.eps, pgd.steps, pgd.restarts, pgd.step_size) for threat, pgd in attacks),
        seed=config.seed,
        limit=limit,
        search=search,
        norm=config.norm,
    )


def eval_batch(config: RunConfig) -> int:
    """Images evaluated at once. For image folders, no more than are trained at once, which are known to fit."""
    return min(BATCH, config.micro_batch or config.phase_list[-1].batch_size) if config.in_folder else BATCH
