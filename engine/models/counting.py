"""Counting what a network computes, without computing it."""

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from engine import muon
from engine.config import ModelConfig
from engine.data.facts import Facts
from engine.models import build
from engine.modes import frozen
from engine.work import Passes

IMAGES = 2  # in train mode, BatchNorm wants more than one


def count_passes(config: ModelConfig, facts: Facts) -> Passes:
    """What one image of that data set costs the network: its convolutions and matrix products."""
    with torch.device("meta"):  # shapes only
        model = build(config, facts)
    forward = _count(model, facts, image=False, weights=False)
    return Passes(
        forward=forward,
        to_image=_count(model, facts, image=True, weights=False) - forward,
        to_weights=_count(model, facts, image=False, weights=True) - forward,
        to_both=_count(model, facts, image=True, weights=True) - forward,
        muon=muon.flops(muon.filters(model)),
    )


def _count(model: nn.Module, facts: Facts, image: bool, weights: bool) -> int:
    """Operations of a forward pass and of the backward pass to what is wanted, for one image."""
    x = torch.empty(IMAGES, facts.channels, facts.height, facts.width, device="meta", requires_grad=image)
    y = torch.empty(IMAGES, dtype=torch.long, device="meta")
    with FlopCounterMode(display=False) as counter:
        if weights:
            torch.autograd.backward(F.cross_entropy(model(x), y))
        else:
            with frozen(model):
                loss = F.cross_entropy(model(x), y)
                if image:
                    torch.autograd.backward(loss)
    return int(counter.get_total_flops()) // IMAGES
