"""Mutations of the tensors in a state dict: values, shapes, kinds, names and what lies beside them."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

import torch
from torch import Tensor

from engine.models.weight_candidates import counts

State = dict[str, Tensor]


@dataclass
class Content:
    """What is saved.

    state: by the names in the file. expected: what the network must hold, by our names; None if that cannot be known.
    refused: whether the file must be refused; None if it may be. wrap: keys of dictionaries around the state.
    """

    state: dict[Any, Any]
    expected: State | None
    refused: bool | None = None
    what: str = ""
    wrap: list[str] = field(default_factory=list)


def _chosen(rng: Random, content: Content) -> str:
    """The name of one of the network's tensors; not of the mean and std of the images."""
    names = [key for key, value in content.state.items() if counts(key) and value.is_floating_point()]
    return str(rng.choice([name for name in names if not name.startswith("0.m") and not name.startswith("0.s")]))


def _not_finite(rng: Random, content: Content) -> None:
    name = _chosen(rng, content)
    value = content.state[name].clone()
    value.view(-1)[rng.randrange(value.numel())] = rng.choice((math.nan, math.inf, -math.inf))
    content.state[name], content.refused = value, True


def _too_large(rng: Random, content: Content) -> None:
    """A number that float64 has, and float32 lacks."""
    name = _chosen(rng, content)
    value = content.state[name].double().clone()
    value.view(-1)[0] = rng.choice((1e300, -1e39))
    content.state[name], content.refused = value, True


def _negative_variance(rng: Random, content: Content) -> None:
    names = [key for key in content.state if key.endswith("running_var")]
    if names:
        name = rng.choice(names)
        content.state[name] = content.state[name] - 10
        content.refused = True


def _no_std(rng: Random, content: Content) -> None:
    value = rng.choice((0.0, -0.25))
    names = ("0.mean", "0.std") if "0.std" in content.state else ("normalize.mean", "normalize.std")
    content.state |= {names[0]: torch.tensor([0.5]), names[1]: torch.tensor([value])}
    content.refused = True


def _other_shape(rng: Random, content: Content) -> None:
    name = _chosen(rng, content)
    value = content.state[name]
    content.state[name] = rng.choice(
        (
            value[None],
            value[:-1].clone(),
            torch.cat((value, value)),
            value[..., None],
            value[:0].clone(),
            value.sum(),
            value.expand(2, *value.shape),
        )
    )
    content.refused = True


def _other_dtype(rng: Random, content: Content) -> None:
    """Floating-point numbers are converted. Other numbers are no weights, although torch would copy them."""
    dtype = rng.choice(
        (
            *(torch.float64, torch.float16, torch.bfloat16),
            *(torch.int8, torch.uint8, torch.int64, torch.bool, torch.complex64),
            *(torch.float8_e4m3fn, torch.float8_e5m2),
        )
    )
    names = [_chosen(rng, content)] if rng.random() < 0.5 else [k for k, v in content.state.items() if counts(k)]
    for name in names:
        content.state[name] = content.state[name].to(dtype)
    if dtype in (torch.float64, torch.float16, torch.bfloat16):
        content.expected, content.refused = _by_our_names(content, names), False
    else:
        content.refused = True
    content.what += f" {dtype}"


def _by_our_names(content: Content, changed: list[str]) -> State:
    assert content.expected is not None
    ours = dict(content.expected)
    for name in changed:
        own = name if name in ours else f"1.{name}"
        ours[own] = content.state[name].float()
    return ours


def _other_kind(rng: Random, content: Content) -> None:
    name = _chosen(rng, content)
    value = content.state[name]
    kinds: dict[str, Callable[[], Any]] = {
        "sparse": lambda: value.to_sparse(),
        "quantized": lambda: torch.quantize_per_tensor(value, 0.1, 0, torch.qint8),
        "without values": lambda: value.to("meta"),
        "a number": lambda: 3.0,
        "a list": lambda: value.tolist(),
        "nothing": lambda: None,
        "text": lambda: "weights",
        "nested": lambda: {"a": {"b": value}},
    }
    kind = rng.choice([*kinds])
    content.state[name], content.refused = kinds[kind](), True
    content.what += f": {kind}"


STRANGE = ("a\nb", "\x1b[31mred", "\ud800", "x" * 5000, "", ".", "..", "a.b.c.d.e.f", "é", "0", "[bold]", "\x00", " ")


def _renamed(rng: Random, content: Content) -> None:
    """A module has another name. If the order of the tensors tells which one, the file may be taken."""
    name = _chosen(rng, content)
    last = name.rpartition(".")[2]
    new = f"{rng.choice(STRANGE)}.{last}" if rng.random() < 0.7 else f"{name}{rng.choice(STRANGE)}"
    content.state = {new if key == name else key: value for key, value in content.state.items()}


def _renamed_all(rng: Random, content: Content) -> None:
    prefix = rng.choice(STRANGE)
    content.state = {f"{prefix}.{key}": value for key, value in content.state.items()}


def _missing(rng: Random, content: Content) -> None:
    del content.state[_chosen(rng, content)]
    content.refused = True


def _doubled(rng: Random, content: Content) -> None:
    """A second tensor of the same kind, whose values are others: taken for the first one, it would be wrong."""
    name = _chosen(rng, content)
    last = name.rpartition(".")[2]
    extra = {f"{rng.choice(('zz', 'aa', 'copy', *STRANGE))}.{last}": content.state[name] + 1}
    content.state = extra | content.state if rng.random() < 0.5 else {**content.state, **(extra | content.state)}


def _shuffled(rng: Random, content: Content) -> None:
    """The names say what is what, in any order."""
    names = [*content.state]
    rng.shuffle(names)
    content.state = {name: content.state[name] for name in names}
    content.refused = False


def _beside(rng: Random, content: Content) -> None:
    """What training scripts keep beside the weights is no reason to refuse them."""
    extras: tuple[dict[Any, Any], ...] = (
        {"epoch": torch.tensor(3)},
        {"best_loss": torch.tensor(math.inf)},
        {"criterion.weight": torch.ones(10)},
        {"val_loss.minimum": torch.tensor([math.inf])},
        {"train_acc.seen": torch.ones(3, dtype=torch.int64)},
    )
    content.state |= rng.choice(extras)
    content.refused = False


def _below(rng: Random, content: Content) -> None:
    """The state dict below keys of a checkpoint."""
    content.wrap = [rng.choice(("state_dict", "model", "my_net", "net.0", "\ud800", "a\nb", "x" * 3000, ""))]
    content.wrap *= rng.choice((1, 1, 2, 3, 8))


TENSOR_MUTATIONS: dict[str, Callable[[Random, Content], None]] = {
    "not finite": _not_finite,
    "too large for float32": _too_large,
    "negative variance": _negative_variance,
    "std that is not positive": _no_std,
    "another shape": _other_shape,
    "another dtype": _other_dtype,
    "another kind": _other_kind,
    "renamed": _renamed,
    "all renamed": _renamed_all,
    "missing": _missing,
    "doubled": _doubled,
    "shuffled": _shuffled,
    "more beside": _beside,
    "below keys": _below,
}
