"""Tries the network of a user's own before a run is queued: whether it classifies, and can be attacked and trained."""

import copy
from collections.abc import Callable, Iterable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.config.datasets import DatasetFacts
from engine.config.errors import ConfigError
from engine.config.run import RunConfig
from engine.config.user_code import UserCode
from engine.models.user_network import call_maker, load_maker, path_of
from engine.runtime.isolated import isolated
from engine.runtime.user_code import blame

IMAGES = 2  # BatchNorm needs two


def try_user_network(
    config: RunConfig, facts: DatasetFacts, folder: Path | None = None, then: Callable[[], bytes] = bytes
) -> bytes:
    """Build the user's network in a child process, and train it on noise for a step, at each crop of the run.

    folder: as for `path_of`. then: further work in the child, which may build the network again. Returns its result.

    Raises: ConfigError, if the network cannot be used, in one line.
    """
    code = config.model.user_code
    assert code is not None
    path = path_of(config.model, folder)

    def work(loaded: Callable[[], None]) -> bytes:
        torch.set_num_threads(1)  # the threads of the parent are not in a fork
        maker = load_maker(code, path)
        loaded()
        networks = [call_maker(maker, config.model, facts, path) for _ in range(2)]
        _check_apart(code, *networks)
        sides = {(phase.crop or facts.height, phase.crop or facts.width) for phase in config.phase_list}
        for height, width in sides:
            shape = facts.channels, height, width
            try:
                _check_step(code, copy.deepcopy(networks[0]), shape, facts.classes, config.precision != "fp32")
            except ConfigError:
                raise
            except (Exception, SystemExit) as error:  # the user's code can raise anything
                raise ConfigError(_explained(error, code, path, shape)) from None
        return then()

    return isolated(work, code, path)


def _check_apart(code: UserCode, one: nn.Module, two: nn.Module) -> None:
    """Raises: ConfigError, if there is nothing to train, or two networks share weights."""
    own, others = ({id(p) for p in network.parameters() if p.requires_grad} for network in (one, two))
    if not own:
        raise ConfigError(f"{code.short}: {code.name} gives a network without parameters to train")
    if one is two or own & others:
        raise ConfigError(
            f"{code.short}: {code.name} gives the same weights at each call; make new ones inside it, so that the seed "
            "decides them"
        )


def _check_step(code: UserCode, network: nn.Module, shape: tuple[int, ...], classes: int, low_precision: bool) -> None:
    """Raises: ConfigError, if the network does not give logits, or has no gradients; whatever its code raises."""
    network = network.to(memory_format=torch.channels_last)  # as in a training
    images = torch.rand(IMAGES, *shape).contiguous(memory_format=torch.channels_last).requires_grad_()
    labels = torch.arange(IMAGES) % classes
    logits = _logits(code, network.train()(images), (IMAGES, classes))
    F.cross_entropy(logits, labels).backward()  # type: ignore[no-untyped-call]
    grads = [p.grad for p in network.parameters() if p.grad is not None]
    if not grads:
        raise ConfigError(f"{code.short}: no parameter of the network gets a gradient, so it cannot be trained")
    if images.grad is None:
        raise ConfigError(f"{code.short}: the image gets no gradient, so no attack can use the network")
    if not all(bool(grad.isfinite().all()) for grad in (*grads, images.grad)):
        raise ConfigError(f"{code.short}: the gradient of its first step is not finite, so it cannot be trained")
    with torch.no_grad():
        _logits(code, network.eval()(images[:1]), (1, classes))
        with torch.autocast("cpu", torch.bfloat16, enabled=low_precision):
            network.eval()(images)


def _logits(code: UserCode, output: object, shape: tuple[int, int]) -> Tensor:
    """The output of the network as logits, in float32. Raises: ConfigError, if it is something else."""
    wanted = f"logits of shape (N, {shape[1]})"
    if not isinstance(output, Tensor):
        raise ConfigError(f"{code.short}: the network returns a {type(output).__name__}, no tensor; return {wanted}")
    if output.shape != shape or not output.is_floating_point():
        kind = "" if output.is_floating_point() else f" of {str(output.dtype).removeprefix('torch.')}"
        found = f"{tuple(output.shape)}{kind}"
        raise ConfigError(f"{code.short}: the network returns {found} for {shape[0]} images; return {wanted}")
    if not output.requires_grad and torch.is_grad_enabled():
        raise ConfigError(f"{code.short}: what the network returns has no gradient, so it cannot be trained")
    if not bool(output.isfinite().all()):
        raise ConfigError(f"{code.short}: the network returns NaN or infinite logits with its initial weights")
    return output.float()


def _explained(error: BaseException, code: UserCode, path: Path, shape: Iterable[int]) -> str:
    """An exception of the network's code in one line, with the shape of the images, and with a hint."""
    text = blame(error, code, path)
    if "view size is not compatible" in text:
        place = text.partition(": ")[0]
        return f"{place}: view fails, since images are in channels-last format; write reshape or flatten(1) instead"
    return f"{text} (for {IMAGES} images of shape {' x '.join(map(str, shape))})"
