"""WideResNet computes the formula of its paper, has the published sizes, and loads weights of the code of TRADES."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from engine.config.datasets import DatasetFacts, datasets
from engine.config.errors import ConfigError
from engine.config.networks import wide_shape
from engine.config.sections import ModelConfig
from engine.models import pretrained
from engine.models.build import build_network

FACTS = datasets()["cifar10"].facts
State = dict[str, Tensor]


def norm_shapes(name: str, channels: int) -> dict[str, list[int]]:
    return {f"{name}.{part}": [channels] for part in ("weight", "bias", "running_mean", "running_var")}


def shapes_of_trades(blocks: int, factor: int) -> dict[str, list[int]]:
    """The tensors of a network of depth 6 * blocks + 4, as github.com/yaodongyu/TRADES names them."""
    shapes = {"conv1.weight": [16, 3, 3, 3]}
    before = 16
    for stage, channels in enumerate((16 * factor, 32 * factor, 64 * factor), 1):
        for block in range(blocks):
            name = f"block{stage}.layer.{block}"
            shapes |= norm_shapes(f"{name}.bn1", before) | {f"{name}.conv1.weight": [channels, before, 3, 3]}
            shapes |= norm_shapes(f"{name}.bn2", channels) | {f"{name}.conv2.weight": [channels, channels, 3, 3]}
            if before != channels:
                shapes[f"{name}.convShortcut.weight"] = [channels, before, 1, 1]
            before = channels
    return shapes | norm_shapes("bn1", before) | {"fc.weight": [10, before], "fc.bias": [10]}


def random_state(shapes: dict[str, list[int]]) -> State:
    torch.manual_seed(0)
    return {name: torch.rand(shape) / (1 if len(shape) == 1 else shape[1]) + 0.1 for name, shape in shapes.items()}


def logits_by_hand(state: State, x: Tensor, blocks: int) -> Tensor:
    """Figure 1c and table 1 of the paper, in eval mode. In the code of TRADES, the shortcut of a block whose channels
    change takes the first activation; of any other block, the input."""

    def active(name: str, x: Tensor) -> Tensor:
        mean, var, weight, bias = (
            state[f"{name}.{part}"].view(1, -1, 1, 1) for part in ("running_mean", "running_var", "weight", "bias")
        )
        return ((x - mean) / (var + 1e-5).sqrt() * weight + bias).clamp(min=0)

    x = F.conv2d(x, state["conv1.weight"], padding=1)
    for stage in (1, 2, 3):
        for block in range(blocks):
            name, stride = f"block{stage}.layer.{block}", 2 if stage > 1 and block == 0 else 1
            first = active(f"{name}.bn1", x)
            inner = active(f"{name}.bn2", F.conv2d(first, state[f"{name}.conv1.weight"], stride=stride, padding=1))
            shortcut = state.get(f"{name}.convShortcut.weight")
            x = x if shortcut is None else F.conv2d(first, shortcut, stride=stride)
            x = x + F.conv2d(inner, state[f"{name}.conv2.weight"], padding=1)
    return F.avg_pool2d(active("bn1", x), 8).flatten(1) @ state["fc.weight"].T + state["fc.bias"]


@pytest.mark.parametrize("beside", [{}, {"sub_block1.layer.0.conv1.weight": [3, 3, 3, 3]}], ids=["plain", "sub_block1"])
@pytest.mark.parametrize(("name", "blocks", "factor"), [("wideresnet-10-2", 1, 2), ("wideresnet-16-3", 2, 3)])
def test_weights_of_the_code_of_trades_give_the_logits_of_the_formula(
    tmp_path: Path, name: str, blocks: int, factor: int, beside: dict[str, list[int]]
) -> None:
    state = random_state(shapes_of_trades(blocks, factor))
    torch.save({"state_dict": state | random_state(beside)}, tmp_path / "weights.pt")
    config = ModelConfig(name=name)
    model = build_network(config, FACTS).eval()
    loaded = pretrained.load_into(model, pretrained.read(tmp_path / "weights.pt"), config, FACTS, "none")
    assert loaded.matched == "by name"
    x = torch.rand(2, 3, 32, 32)
    torch.testing.assert_close(model(x), logits_by_hand(state, x, blocks), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("name", "published"), [("wideresnet-28-10", 36_479_194), ("wideresnet-34-10", 46_160_474)])
def test_the_networks_have_their_published_numbers_of_parameters(name: str, published: int) -> None:
    """36.5 and 46.2 million are what papers write. The last digits are those of the code of TRADES, as we know them."""
    with torch.device("meta"):
        model = build_network(ModelConfig(name=name), FACTS)
    assert sum(p.numel() for p in model.parameters()) == published


def test_any_depth_of_6n_plus_4_and_any_factor_has_a_shape() -> None:
    assert [wide_shape(f"wideresnet-{name}") for name in ("10-1", "28-10", "34-20", "70-16")] == [
        (1, 1),
        (4, 10),
        (5, 20),
        (11, 16),
    ]
    for wrong in ("27-10", "4-10", "28-0", "28", "28-10-1", "a-b", ""):
        with pytest.raises(ConfigError, match=r"depth of 6n \+ 4"):
            ModelConfig(name=f"wideresnet-{wrong}")


@pytest.mark.parametrize("nonlinearity", ["relu", "silu"])
def test_narrow_networks_take_images_of_any_size_and_channels(nonlinearity: str) -> None:
    facts = DatasetFacts(1, 8, 8, 10, 10, (0.5,), (0.5,))
    model = build_network(ModelConfig(name="wideresnet-10-1", activation=nonlinearity), facts)  # type: ignore[arg-type]
    assert model(torch.rand(2, 1, 8, 8)).shape == (2, 10)
