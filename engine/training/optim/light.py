"""torch's optimizers, without torch's compiler."""

from inspect import unwrap

import torch
from torch import optim


class LightOptimizer(optim.Optimizer):
    """An optimizer that does not import torch's compiler.

    torch wraps the methods of its optimizers, so that a compiled optimizer works. The first call of a wrapper imports
    the compiler, and sympy and triton with it: 1.6 s of each start. We compile the network only, never the optimizer.
    """

    add_param_group = unwrap(optim.Optimizer.add_param_group)
    zero_grad = unwrap(optim.Optimizer.zero_grad)
    state_dict = unwrap(optim.Optimizer.state_dict)
    load_state_dict = unwrap(optim.Optimizer.load_state_dict)


class SGD(LightOptimizer, optim.SGD):
    """torch.optim.SGD."""

    step = torch.no_grad()(unwrap(optim.SGD.step))


class Adam(LightOptimizer, optim.Adam):
    """torch.optim.Adam."""

    # torch warns of a step outside a CUDA graph by an optimizer that can be captured. We warm up with such steps.
    _warned_capturable_if_run_uncaptured = True
    step = torch.no_grad()(unwrap(optim.Adam.step))
