"""The optimizer of a run."""

from typing import Any

import torch
from torch import nn

from engine.config.sections import OptimConfig
from engine.training.optim.light import SGD, Adam
from engine.training.optim.muon import Muon

NORMS = (nn.modules.batchnorm._BatchNorm, nn.LayerNorm, nn.GroupNorm)


def build_optimizer(
    model: nn.Module, optim: OptimConfig, fused: bool, capturable: bool = False
) -> torch.optim.Optimizer:
    """The optimizer for a model. fused: whether to use fused kernels, else torch's `foreach` kernels.

    capturable: whether a CUDA graph may hold its steps.
    """
    how: dict[str, Any] = {"fused": True} if fused else {"foreach": True}
    groups = _groups(model, optim)
    if optim.name == "muon":
        return Muon(groups, optim.lr, optim.momentum, optim.sgd_ratio)
    if optim.name == "adam":
        return Adam(groups, lr=optim.lr, capturable=capturable, **how)
    how |= {"momentum": optim.momentum, "nesterov": optim.nesterov}
    return SGD(groups, lr=optim.lr, **how)


def _groups(model: nn.Module, optim: OptimConfig) -> list[dict[str, Any]]:
    """All parameters, in groups with the weight decay of each group."""
    if optim.decay_norms:
        return [{"params": list(model.parameters()), "weight_decay": optim.weight_decay}]
    norms = [p for layer in model.modules() if isinstance(layer, NORMS) for p in layer.parameters(recurse=False)]
    known = {id(p) for p in norms}
    others = [p for p in model.parameters() if id(p) not in known]
    groups = [{"params": others, "weight_decay": optim.weight_decay}, {"params": norms, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]
